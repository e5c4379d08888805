// The latency proxy of the benchmarks: TLS before a plain HTTP registry and its token server, with a round trip
// time that can be changed while it runs, and a log of every request.
//
// The time is added below TLS, as a network does it: what is sent arrives half a round trip later, in both
// directions, and a new connection costs one round trip more (TCP's handshake), so that TLS 1.3 costs its own.
// It is written in Go because it must not be what is measured: a proxy in Python would take a core of its own.
//
// Control, on a second port over plain HTTP: POST /rtt?us=N sets the time, GET /log gives what happened since the
// last GET /log, as JSON.
package main

import (
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type entry struct {
	Method     string  `json:"method"`
	Path       string  `json:"path"`
	Status     int     `json:"status"`
	Start      float64 `json:"start"`
	End        float64 `json:"end"`
	Connection string  `json:"connection"`
	Sent       int64   `json:"sent"`
	Received   int64   `json:"received"`
}

type journal struct {
	mutex       sync.Mutex
	entries     []entry
	connections int
}

func (j *journal) take() map[string]any {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	taken := map[string]any{"requests": j.entries, "connections": j.connections}
	j.entries, j.connections = []entry{}, 0
	return taken
}

var (
	rtt   atomic.Int64 // nanoseconds
	notes = journal{entries: []entry{}}
	epoch = time.Now()
)

func main() {
	upstream := flag.String("upstream", "", "host:port of the registry")
	tokens := flag.String("tokens", "", "host:port of its token server")
	certificate := flag.String("certificate", "", "PEM")
	key := flag.String("key", "", "PEM")
	http2 := flag.Bool("http2", false, "offer HTTP/2")
	flag.Parse()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	control, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Printf("%d %d\n", listener.Addr().(*net.TCPAddr).Port, control.Addr().(*net.TCPAddr).Port)

	go func() { check(http.Serve(control, controls())) }()
	server := &http.Server{Handler: proxy(*upstream, *tokens), ErrorLog: log.New(io.Discard, "", 0)}
	if !*http2 {
		server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	check(server.ServeTLS(slowListener{listener}, *certificate, *key))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func controls() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/rtt", func(_ http.ResponseWriter, request *http.Request) {
		microseconds, err := strconv.ParseInt(request.FormValue("us"), 10, 64)
		check(err)
		rtt.Store(microseconds * 1000)
	})
	mux.HandleFunc("/log", func(writer http.ResponseWriter, _ *http.Request) {
		check(json.NewEncoder(writer).Encode(notes.take()))
	})
	return mux
}

func proxy(upstream, tokens string) http.Handler {
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true, WriteBufferSize: 1 << 18, ReadBufferSize: 1 << 18}
	pass := &httputil.ReverseProxy{
		Transport:  transport,
		BufferPool: buffers{},
		ErrorLog:   log.New(io.Discard, "", 0),
		Rewrite: func(request *httputil.ProxyRequest) {
			host := upstream
			if request.In.URL.Path == "/token" {
				host = tokens
			}
			request.SetURL(&url.URL{Scheme: "http", Host: host})
			request.Out.Host = request.In.Host
			request.Out.Header.Set("X-Forwarded-Proto", "https")
		},
		ModifyResponse: func(response *http.Response) error {
			if challenge := response.Header.Get("Www-Authenticate"); challenge != "" {
				here := "https://" + response.Request.Host
				response.Header.Set("Www-Authenticate", strings.Replace(challenge, "http://"+tokens, here, 1))
			}
			return nil
		},
	}
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		seen := &counting{ResponseWriter: writer}
		body := &countingBody{ReadCloser: request.Body}
		request.Body = body
		start := time.Since(epoch).Seconds()
		pass.ServeHTTP(seen, request)
		notes.mutex.Lock()
		defer notes.mutex.Unlock()
		notes.entries = append(notes.entries, entry{
			request.Method, request.URL.RequestURI(), seen.status, start, time.Since(epoch).Seconds(),
			request.RemoteAddr, body.count, seen.count,
		})
	})
}

type buffers struct{}

var pool = sync.Pool{New: func() any { return make([]byte, 1<<18) }}

func (buffers) Get() []byte  { return pool.Get().([]byte) }
func (buffers) Put(b []byte) { pool.Put(b) } //nolint

type counting struct {
	http.ResponseWriter
	status int
	count  int64
}

func (c *counting) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *counting) Write(chunk []byte) (int, error) {
	c.count += int64(len(chunk))
	return c.ResponseWriter.Write(chunk)
}

func (c *counting) Flush() { c.ResponseWriter.(http.Flusher).Flush() }

type countingBody struct {
	io.ReadCloser
	count int64
}

func (c *countingBody) Read(chunk []byte) (int, error) {
	n, err := c.ReadCloser.Read(chunk)
	c.count += int64(n)
	return n, err
}

// slowListener counts connections, and delays them while there is a round trip time.
type slowListener struct{ net.Listener }

func (l slowListener) Accept() (net.Conn, error) {
	connection, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	notes.mutex.Lock()
	notes.connections++
	notes.mutex.Unlock()
	if delay := time.Duration(rtt.Load()); delay > 0 {
		return newSlow(connection, delay), nil
	}
	return connection, nil
}
