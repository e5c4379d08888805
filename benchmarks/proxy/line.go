package main

import (
	"io"
	"net"
	"sync"
	"time"
)

const (
	pieceSize = 1 << 17          // bytes
	window    = 1 << 26          // bytes that may be under way in one direction
	moment    = time.Millisecond // what is sent within it arrives at once
)

// piece is some of what is on its way. Pieces are used again and again, and what is sent within a moment travels in
// one: a proxy that allocates for each of the thousands of records of a layer, or sleeps for each, takes the processor
// from the program that is measured, and only while there is a round trip time, which would look like round trips.
type piece struct {
	bytes    [pieceSize]byte
	from, to int
	due      time.Time
}

var spare = make(chan *piece, 1024)

func fresh() *piece {
	select {
	case p := <-spare:
		p.from, p.to = 0, 0
		return p
	default:
		return new(piece)
	}
}

func (p *piece) rest() []byte { return p.bytes[p.from:p.to] }

func (p *piece) leave() {
	select {
	case spare <- p:
	default:
	}
}

// line is one direction of a connection: what is put in can be taken out when `delay` has passed.
type line struct {
	delay  time.Duration
	mutex  sync.Mutex
	change *sync.Cond
	pieces []*piece
	length int
	end    error // what comes after the pieces
}

func newLine(delay time.Duration) *line {
	l := &line{delay: delay}
	l.change = sync.NewCond(&l.mutex)
	return l
}

// put takes a copy of a chunk, once there is room for it.
func (l *line) put(chunk []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	sent := 0
	for sent < len(chunk) {
		for l.end == nil && l.length >= window {
			l.change.Wait()
		}
		if l.end != nil {
			return sent, l.end
		}
		last := l.last(time.Now().Add(l.delay))
		n := copy(last.bytes[last.to:], chunk[sent:])
		last.to += n
		l.length += n
		sent += n
	}
	l.change.Broadcast()
	return sent, nil
}

// last is the piece that takes more of what is due then.
func (l *line) last(due time.Time) *piece {
	if n := len(l.pieces); n > 0 && l.pieces[n-1].to < pieceSize && due.Sub(l.pieces[n-1].due) < moment {
		return l.pieces[n-1]
	}
	p := fresh()
	p.due = due
	l.pieces = append(l.pieces, p)
	return p
}

// fill puts in what comes from a connection until that ends. Nothing can have been sent before it was `open`.
func (l *line) fill(from net.Conn, open time.Time) {
	for {
		p := fresh()
		n, err := from.Read(p.bytes[:])
		sent := time.Now()
		if sent.Before(open) {
			sent = open
		}
		p.to, p.due = n, sent.Add(l.delay)
		l.mutex.Lock()
		for l.end == nil && l.length >= window {
			l.change.Wait()
		}
		if n > 0 {
			l.pieces = append(l.pieces, p)
			l.length += n
		}
		if n == 0 {
			p.leave()
		}
		over := err != nil || l.end != nil
		l.mutex.Unlock()
		if over {
			l.close(err)
			return
		}
		l.change.Broadcast()
	}
}

// take gives the next piece when it is due, and the error after the last.
func (l *line) take() (*piece, error) {
	l.mutex.Lock()
	for len(l.pieces) == 0 && l.end == nil {
		l.change.Wait()
	}
	if len(l.pieces) == 0 {
		l.mutex.Unlock()
		return nil, l.end
	}
	due := l.pieces[0].due
	l.mutex.Unlock()
	time.Sleep(time.Until(due))
	l.mutex.Lock()
	defer l.mutex.Unlock()
	p := l.pieces[0]
	l.pieces = l.pieces[1:]
	l.length -= len(p.rest())
	l.change.Broadcast()
	return p, nil
}

// close lets nothing more in; what is on its way still arrives.
func (l *line) close(err error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if err == nil {
		err = io.EOF
	}
	if l.end == nil {
		l.end = err
	}
	l.change.Broadcast()
}

// slow is a connection whose ends are half a round trip apart. To its client it is open at once, and over a real
// distance it would be a round trip later: what the client sends before that time counts as sent at that time.
type slow struct {
	net.Conn
	in, out *line
	current *piece
}

func newSlow(connection net.Conn, delay time.Duration) *slow {
	s := &slow{Conn: connection, in: newLine(delay / 2), out: newLine(delay / 2)}
	go s.in.fill(connection, time.Now().Add(delay))
	go s.send()
	return s
}

func (s *slow) send() {
	for {
		p, err := s.out.take()
		if err != nil {
			break
		}
		_, err = s.Conn.Write(p.rest())
		p.leave()
		if err != nil {
			s.out.close(err)
			break
		}
	}
	s.Conn.Close()
	s.in.close(net.ErrClosed)
}

func (s *slow) Read(chunk []byte) (int, error) {
	if s.current == nil {
		p, err := s.in.take()
		if err != nil {
			return 0, err
		}
		s.current = p
	}
	n := copy(chunk, s.current.rest())
	s.current.from += n
	if s.current.from == s.current.to {
		s.current.leave()
		s.current = nil
	}
	return n, nil
}

func (s *slow) Write(chunk []byte) (int, error) { return s.out.put(chunk) }

func (s *slow) Close() error {
	s.out.close(net.ErrClosed)
	return nil
}

// The server uses deadlines to end the read that watches for a client leaving; that read also ends with the next
// request's first byte, and the answer is on its way by then.
func (s *slow) SetDeadline(time.Time) error      { return nil }
func (s *slow) SetReadDeadline(time.Time) error  { return nil }
func (s *slow) SetWriteDeadline(time.Time) error { return nil }
