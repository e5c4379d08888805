"""Sending blobs: in one piece, or on from where the registry got to when that broke (distribution-spec 1.1, "Push")."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace

from manifest_action.errors import RegistryError
from manifest_action.model.descriptor import Descriptor
from manifest_action.transport.base import Content, FarContent, Readable
from manifest_action.transport.registry.download import PROGRESS
from manifest_action.transport.registry.failure import Failure
from manifest_action.transport.registry.message import Reply, Request
from manifest_action.transport.registry.operation import Operation
from manifest_action.transport.registry.redirects import REDIRECT_LIMIT
from manifest_action.transport.registry.session import Session
from manifest_action.transport.registry.url import Url
from manifest_action.transport.verify import Checkpoint, VerifyingReader

PIECE = 4 * 1024 * 1024
"""Bytes of a piece when an upload goes on; GHCR refuses larger ones."""
LONGEST_PIECE = 1024**3
_CHECKPOINT_DISTANCE = 8 * 1024 * 1024
_COMMIT_RATE = 5 * 1024 * 1024
"""Bytes per second at which a registry moves an upload to its place before it answers; some storage is slow."""
_OCTETS = {"Content-Type": "application/octet-stream"}
_RANGE = re.compile(r"(?:bytes=)?0-(\d{1,16})")
_SESSION_CODES = frozenset({"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "RANGE_INVALID"})


class _Opening:
    """Content that a thread of its own opens at its first byte, to be taken or left."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._opened: Future[tuple[Readable, ExitStack]] = Future()
        threading.Thread(target=self._open, name="open ahead", daemon=True).start()

    def take(self, stack: ExitStack) -> Readable:
        """The stream, once it is open; `stack` closes it. Raises what opening it raised."""
        stream, resources = self._opened.result()
        stack.enter_context(resources)
        return stream

    def leave(self) -> None:
        """Nobody wants it any more; nobody waits for it either."""
        self._opened.add_done_callback(_close)

    def _open(self) -> None:
        try:
            with ExitStack() as stack:
                stream = stack.enter_context(self._content.open())
                self._opened.set_result((stream, stack.pop_all()))
        except BaseException as error:  # noqa: BLE001 - raised again by whoever takes it
            self._opened.set_exception(error)


def _close(opened: "Future[tuple[Readable, ExitStack]]") -> None:
    if opened.exception() is None:
        opened.result()[1].close()


class Feed:
    """The verified bytes of a blob from any place that was passed before.

    The hash state is kept every 8 MiB, so going back does not mean reading everything again.
    """

    def __init__(self, blob: Descriptor, content: Content, where: str) -> None:
        self._blob, self._content, self._where = blob, content, where
        self._checkpoints = [Checkpoint(0, blob.digest.hasher())]
        self._open = ExitStack()
        self._ahead: _Opening | None = None
        self._reader: VerifyingReader | None = None

    def open_ahead(self) -> None:
        """Begin to open content that is far away, beside what will be asked before its first byte is wanted."""
        if isinstance(self._content, FarContent) and self._content.is_far:
            self._ahead = _Opening(self._content)

    def piece(self, offset: int, length: int) -> "Piece":
        """`length` bytes from `offset` on, to be read before the next piece is taken."""
        if self._reader is None or self._blob.size - len(self._reader) != offset:
            self._go_to(offset)
        return Piece(self, length)

    def read(self, size: int) -> bytes:
        """The next bytes; ContentError as `VerifyingReader`."""
        if self._reader is None:
            raise LookupError("no piece was asked for")
        chunk = self._reader.read(size)
        if self._blob.size - len(self._reader) - self._checkpoints[-1].offset >= _CHECKPOINT_DISTANCE:
            self._checkpoints.append(self._reader.checkpoint)
        return chunk

    def close(self) -> None:
        """Close the content."""
        if self._ahead is not None:
            self._ahead.leave()
        self._open.close()

    def _go_to(self, offset: int) -> None:
        self._open.close()
        start = next(checkpoint for checkpoint in reversed(self._checkpoints) if checkpoint.offset <= offset)
        stream = self._stream(start.offset)
        self._reader = VerifyingReader(stream, self._blob, self._where, start=start)
        left = offset - start.offset
        while left:
            left -= len(self._reader.read(min(left, PIECE)))

    def _stream(self, offset: int) -> Readable:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            # Whatever is sent first begins with the first byte.
            return ahead.take(self._open)
        return self._open.enter_context(self._content.open(offset))


class Piece:
    """A part of a feed as a request body."""

    def __init__(self, feed: Feed, length: int) -> None:
        self._feed = feed
        self._left = length

    def __len__(self) -> int:
        return self._left

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; empty at the end."""
        chunk = self._feed.read(min(size, self._left)) if self._left else b""
        self._left -= len(chunk)
        return chunk


class Upload:
    """One blob on its way into a repository.

    start:    the request that opens an upload session
    location: of a session that is open already
    """

    def __init__(
        self, session: Session, start: Request, blob: Descriptor, content: Content, location: Url | None = None
    ) -> None:
        self._session = session
        self._start = start
        self._blob = blob
        self._location = location
        self._feed = Feed(blob, content, start.where)
        self._piece_size = PIECE
        self._held = 0
        self._best = 0
        self._range_refused = False

    @property
    def cancellation(self) -> Request | None:
        """See `OpenUpload`."""
        location = self._location
        return replace(self._start, method="DELETE", location=location, headers={}, body=b"") if location else None

    def run(self, is_there: Callable[[], bool]) -> None:
        """Send the blob. Raises ContentError before the end of wrong content is sent, and RegistryError.

        is_there: asks whether the registry holds the blob, for when it is unclear how an upload ended
        """
        try:
            with self._session.uploads.until_done(self), self._session.operation(self._start) as operation:
                if self._location is None:
                    self._feed.open_ahead()
                while isinstance(outcome := self._send(), Failure):
                    if _SESSION_CODES & set(outcome.error.codes):
                        self._location = None
                    operation.again(self._judged(outcome))
                    if _is_unclear(outcome) and is_there():
                        return
                    self._recover(outcome, operation)
        finally:
            self._feed.close()

    def _send(self) -> Reply | Failure:
        """All that the registry does not hold yet: in one piece, or in several when it holds some."""
        location = self._location = self._location or self._begin()
        if not self._held:
            return self._finish(location, self._blob.size)
        while self._held < self._blob.size:
            outcome = self._send_piece(location)
            if isinstance(outcome, Failure):
                return outcome
            location = self._location = self._next_location(outcome, location)
        return self._finish(location, 0)

    def _begin(self) -> Url:
        reply = self._session.exchange(self._start)
        least = reply.headers.get("OCI-Chunk-Min-Length")
        if least.isascii() and least.isdigit():
            self._piece_size = min(max(PIECE, int(least[:12])), LONGEST_PIECE)
        self._held = 0
        return self._session.continuation(self._start, reply)

    def _finish(self, location: Url, length: int) -> Reply | Failure:
        """Send the last `length` bytes, and close the session under the blob's digest."""
        url = location.adding(f"digest={self._blob.digest}")
        for _ in range(REDIRECT_LIMIT):
            outcome = self._session.attempt(
                replace(
                    self._start,
                    method="PUT",
                    location=url,
                    headers=_OCTETS,
                    body=self._feed.piece(self._blob.size - length, length),
                    expected=frozenset({201, 204, 307, 308}),
                    grace=self._blob.size / _COMMIT_RATE,
                )
            )
            if isinstance(outcome, Failure) or outcome.status in (201, 204):
                return outcome
            url = self._session.continuation(self._start, outcome)
        raise RegistryError(self._start.what, where=self._start.where, why=f"more than {REDIRECT_LIMIT} redirects")

    def _send_piece(self, location: Url) -> Reply | Failure:
        length = min(self._piece_size, self._blob.size - self._held)
        last = self._held + length - 1
        outcome = self._session.attempt(
            replace(
                self._start,
                method="PATCH",
                location=location,
                headers={**_OCTETS, "Content-Range": f"{self._held}-{last}"},
                body=self._feed.piece(self._held, length),
                expected=frozenset({201, 202, 204}),
            )
        )
        if isinstance(outcome, Reply):
            held = _held(outcome) or last + 1
            if not self._held < held <= last + 1:
                why = f"it was sent bytes {self._held} to {last} and says it holds {held}"
                raise RegistryError(self._start.what, where=self._start.where, why=why, status=outcome.status)
            self._held = held
        return outcome

    def _judged(self, failure: Failure) -> Failure:
        """A session that is gone is no reason to give up: a new one may do. A refused range is, the second time."""
        if failure.status == 416 and self._range_refused:
            return failure
        self._range_refused = self._range_refused or failure.status == 416
        return replace(failure, retry=True) if _is_gone(failure) else failure

    def _recover(self, failure: Failure, operation: Operation) -> None:
        """Find out where to go on: at the same place after a refused login, else where the registry got to."""
        if failure.challenges:
            return
        self._held = 0 if _is_gone(failure) or self._location is None else self._ask_held(self._location)
        if not self._held:
            self._location = None
        elif self._held - self._best >= PROGRESS:
            self._best = self._held
            operation.progressed()

    def _ask_held(self, location: Url) -> int:
        """How many bytes the registry holds of this session."""
        expected = frozenset({200, 202, 204, 400, 404, 405, 410, 416})
        reply = self._session.exchange(replace(self._start, method="GET", location=location, expected=expected))
        if reply.status >= 400:
            return 0
        self._location = self._next_location(reply, location)
        held = _held(reply)
        return held if held <= self._blob.size else 0

    def _next_location(self, reply: Reply, location: Url) -> Url:
        return self._session.continuation(self._start, reply) if reply.headers.get("Location") else location


def _held(reply: Reply) -> int:
    """The number of bytes that a Range field acknowledges. `0-0` means none as well as one, so it counts as none."""
    field = _RANGE.fullmatch(reply.headers.get("Range"))
    return int(field[1]) + 1 if field and int(field[1]) else 0


def _is_gone(failure: Failure) -> bool:
    return failure.status == 416 or bool(_SESSION_CODES & set(failure.error.codes))


def _is_unclear(failure: Failure) -> bool:
    """Whether the registry may have taken everything in, though its answer did not say so."""
    return failure.status == 0 or failure.status >= 500
