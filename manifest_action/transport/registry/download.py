"""Reading blobs, going on by itself where a connection broke (RFC 9110, section 14; distribution-spec 1.1, "Pull")."""

import re
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from manifest_action.errors import ContentError
from manifest_action.model.descriptor import Descriptor
from manifest_action.transport.registry.connection import CHUNK, Answer
from manifest_action.transport.registry.failure import broken
from manifest_action.transport.registry.message import Broken, Request
from manifest_action.transport.registry.session import Session

PROGRESS = 1024 * 1024
"""Bytes after which an interruption is a new one, and not the next in a row."""
_RANGE_REFUSED = 416
_CONTENT_RANGE = re.compile(r"bytes (\d{1,16})-(\d{1,16})/(\d{1,16}|\*)")


class BlobReader:
    """The raw bytes of a blob from an offset on, as a context manager.

    A read that breaks goes on with a closed range from where it stopped; a server that does not serve exactly
    that range is asked for everything, and what is known already is skipped. ContentError when the registry's
    blob has another size than `blob`.
    """

    def __init__(self, session: Session, request: Request, blob: Descriptor, offset: int) -> None:
        self._session = session
        self._request = request
        self._blob = blob
        self._position = offset
        self._counted = offset
        self._ranges = True
        self._resources = ExitStack()
        self._answer: Answer | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._operation = stack.enter_context(self._session.operation(self._request))
            stack.callback(self._leave)
            if self._position < self._blob.size:
                self._open()
            self._resources = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, as soon as there are any; all that is left for -1; empty only at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK), b""))
        while self._answer is not None:
            try:
                chunk = self._answer.read(size)
                if not chunk and self._position < self._blob.size:
                    raise Broken(f"the answer ended {self._blob.size - self._position} bytes early")
            except Broken as error:
                self._go_on_after(error)
                continue
            self._position += len(chunk)
            return chunk
        return b""

    def _go_on_after(self, error: Broken) -> None:
        if self._position >= self._blob.size:
            self._answer = None
            return
        if self._position - self._counted >= PROGRESS:
            self._counted = self._position
            self._operation.progressed()
        self._operation.again(broken(self._request, error.host or self._request.repository.registry, error))
        self._open()

    def _open(self) -> None:
        """Begin to receive what follows the position."""
        while True:
            answer = self._ask()
            try:
                if answer.status == 200:
                    self._check_size(answer)
                    self._skip(answer)
                self._answer = answer
                return
            except Broken as error:
                self._operation.again(broken(self._request, error.host or self._request.repository.registry, error))

    def _ask(self) -> Answer:
        while self._position and self._ranges:
            last = self._blob.size - 1
            headers = {**self._request.headers, "Range": f"bytes={self._position}-{last}"}
            expected = frozenset({200, 206, _RANGE_REFUSED})
            answer = self._session.stream(replace(self._request, headers=headers, expected=expected), self._operation)
            if answer.status == 200 or (answer.status == 206 and self._is_ours(answer)):
                return answer
            answer.close()
            self._ranges = False
        return self._session.stream(self._request, self._operation)

    def _is_ours(self, answer: Answer) -> bool:
        served = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range"))
        size = self._blob.size
        return bool(
            served and (int(served[1]), int(served[2])) == (self._position, size - 1) and served[3] in ("*", str(size))
        )

    def _check_size(self, answer: Answer) -> None:
        length = answer.headers.get("Content-Length")
        if length and length != str(self._blob.size):
            answer.close()
            raise ContentError(
                f"blob {self._blob.digest} has {length[:20]} bytes, and {self._blob.size} were expected",
                where=self._request.where,
                hint="the source is damaged or lies; push that image again",
            )

    def _skip(self, answer: Answer) -> None:
        left = self._position
        while left:
            chunk = answer.read(min(left, CHUNK))
            if not chunk:
                raise Broken(f"the answer ended {left} bytes before what is still wanted")
            left -= len(chunk)

    def _leave(self) -> None:
        if self._answer is not None:
            self._answer.close()
