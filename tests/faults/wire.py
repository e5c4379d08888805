"""HTTP/1.1 as a fault bench needs it: messages as values, and exchanges that can be ended at any byte."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Head:
    """The first line and the fields of a request; names of fields are in lower case."""

    method: str
    target: str
    fields: Fields

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def get(self, name: str) -> str:
        """The first value of a field, empty when there is none."""
        return next((value for key, value in self.fields if key == name), "")


@dataclass(frozen=True)
class Response:
    """An answer. Content-Length is added when it is sent, unless the fields have one."""

    status: int
    body: bytes = field(default=b"", repr=False)
    fields: Fields = ()

    def head(self, *, length: int | None = None) -> bytes:
        """Status line and fields as they are sent; `length` replaces that of the body."""
        names = {name.lower() for name, _ in self.fields}
        fields = [*self.fields]
        if "content-length" not in names and self.status != 204:
            fields.append(("Content-Length", str(len(self.body) if length is None else length)))
        text = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"HTTP/1.1 {self.status} Whatever\r\n{text}\r\n".encode("latin-1")


class Backend(Protocol):
    """What answers requests that no fault keeps."""

    async def answer(self, head: Head, body: bytes) -> Response:
        """Answer a request that has arrived whole."""

    async def cut(self, head: Head, part: bytes) -> None:
        """Learn of a request whose connection ended within its body, after `part` of it."""


class HangUp(Exception):
    """Raised to end a connection."""


@dataclass
class Exchange:
    """A request, and the ways to answer it or not to."""

    head: Head
    backend: Backend
    reader: asyncio.StreamReader = field(repr=False)
    writer: asyncio.StreamWriter = field(repr=False)
    answered: bool = False
    received: int = 0
    _body: bytes | None = field(default=None, repr=False)

    async def body(self) -> bytes:
        """All of the body."""
        if self._body is None:
            self._body = await self._read()
            self.received = len(self._body)
        return self._body

    async def _read(self) -> bytes:
        if "chunked" not in self.head.get("transfer-encoding"):
            return await self.reader.readexactly(int(self.head.get("content-length") or 0))
        chunks = []
        while size := int((await self.reader.readline()).partition(b";")[0], 16):
            chunks.append(await self.reader.readexactly(size))
            await self.reader.readline()
        await self.reader.readline()
        return b"".join(chunks)

    async def part(self, size: int) -> bytes:
        """The first bytes of a body, at most `size` of them; of one that is chunked, at most its first chunk."""
        chunked = "chunked" in self.head.get("transfer-encoding")
        length = (
            int((await self.reader.readline()).strip(), 16) if chunked else int(self.head.get("content-length") or 0)
        )
        got = await self.reader.readexactly(min(size, length))
        self.received = len(got)
        return got

    async def forward(self) -> Response:
        """The backend's answer, which is not sent on yet."""
        return await self.backend.answer(self.head, await self.body())

    async def send(self, response: Response) -> None:
        """Answer, once the request is read to its end."""
        await self.body()
        self.answered = True
        self.writer.write(response.head() + (b"" if self.head.method == "HEAD" else response.body))
        await self.writer.drain()

    async def write(self, raw: bytes) -> None:
        """Send exactly these bytes."""
        self.answered = True
        self.writer.write(raw)
        await self.writer.drain()

    def reset(self) -> None:
        """End the connection by RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise HangUp

    def hang_up(self) -> None:
        """End the connection in order."""
        raise HangUp


Act = Callable[[Exchange], Awaitable[None]]
"""What happens to a request in the backend's place; it goes on to the backend when the act does not answer it."""


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next request's head, None at the connection's end. HangUp for what is no HTTP, such as TLS."""
    try:
        first = await reader.readexactly(1)
        if not first.isalpha():
            raise HangUp
        raw = first + await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    line, *lines = raw[:-4].decode("latin-1").split("\r\n")
    method, target, _ = line.split(" ")
    fields = tuple((name.lower(), value.strip()) for name, _, value in (each.partition(":") for each in lines))
    return Head(method, target, fields)
