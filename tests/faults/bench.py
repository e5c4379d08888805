"""The fault bench: a proxy whose every request can be met by a fault, in front of a real registry or our own."""

import asyncio
import socket
import threading
import time
import weakref
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

from tests.faults.steps import Step, step_of
from tests.faults.wire import Act, Backend, Exchange, HangUp, Head, Response, read_head

_NO_TLS = b"HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"


class Loop:
    """An event loop in a thread of its own, for any number of benches."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="fault bench")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.05), self.loop).result(5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@dataclass
class Rule:
    """Faults for the next requests of a step, each used once; `forever` goes on with the last one.

    part: must be in the request's target
    """

    step: Step
    acts: list[Act]
    forever: bool = False
    part: str = ""
    used: int = 0

    def next(self, step: Step, head: Head) -> Act | None:
        """The fault for a request, None when this rule has nothing for it (any more)."""
        if step is not self.step or self.part not in head.target:
            return None
        if self.used >= len(self.acts) and not self.forever:
            return None
        act = self.acts[min(self.used, len(self.acts) - 1)]
        self.used += 1
        return act


@dataclass(frozen=True)
class Record:
    """One request: when it came (monotonic seconds), and how many bytes of its body were read."""

    step: Step
    head: Head = field(repr=False)
    at: float
    exchange: Exchange = field(repr=False)

    @property
    def sent(self) -> int:
        """Bytes of the request's body that arrived."""
        return self.exchange.received


class Bench:
    """A listening proxy. `listening` is False while connections are to be refused."""

    def __init__(self, loop: Loop, backend: Backend, configs: Sequence[str] = ()) -> None:
        self._loop = loop.loop
        self.backend = backend
        self.configs = frozenset(configs)
        self.rules: list[Rule] = []
        self.log: list[Record] = []
        self.errors: list[BaseException] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: weakref.WeakSet[asyncio.StreamWriter] = weakref.WeakSet()
        self._server: asyncio.Server | None = None
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"

    @contextmanager
    def running(self) -> Iterator["Bench"]:
        """Serve until the block ends."""
        self.listen()
        try:
            yield self
        finally:
            self._run(self._close())
        assert not self.errors, self.errors

    def listen(self, after: float = 0.0) -> None:
        """Take connections, from so many seconds on; until then they are refused."""
        if after:
            self._run(self._stop())
            self._loop.call_soon_threadsafe(lambda: self._keep(asyncio.ensure_future(self._listen_later(after))))
        else:
            self._run(self._listen())

    def count(self, *steps: Step) -> int:
        """How many requests of these steps (of all, when none is given) have come."""
        return sum(not steps or record.step in steps for record in tuple(self.log))

    async def _listen_later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._listen()

    async def _listen(self) -> None:
        if self._socket.fileno() < 0:
            self._socket = socket.socket()
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(("127.0.0.1", int(self.host.partition(":")[2])))
        self._server = await asyncio.start_server(self._serve, sock=self._socket, limit=1 << 20)

    async def _stop(self) -> None:
        if self._server:
            # A server that is closed between accepting a connection and looking at it loses it, unclosed.
            self._loop.remove_reader(self._socket)
            await self._turns()
            self._server.close()
            self._server = None

    async def _close(self) -> None:
        await self._stop()
        self._socket.close()
        while self._tasks:
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)
        for writer in tuple(self._writers):
            writer.transport.abort()
        await self._turns()

    async def _turns(self) -> None:
        """Let what has just begun go on: what was accepted gets a task, and what was aborted is closed."""
        for _ in range(8):
            await asyncio.sleep(0)

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._keep(task)
        self._writers.add(writer)
        try:
            while head := await read_head(reader):
                await self._meet(Exchange(head, self.backend, reader, writer))
        except HangUp:
            if not writer.is_closing() and not self._is_known(reader):
                writer.write(_NO_TLS)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        except Exception as error:  # noqa: BLE001 - shown by the test
            self.errors.append(error)
        finally:
            with suppress(Exception):
                writer.close()

    def _is_known(self, reader: asyncio.StreamReader) -> bool:
        """Whether a connection that is hung up on has spoken HTTP; one that has not is told so, as Go's servers do."""
        return any(record.exchange.reader is reader for record in self.log)

    async def _meet(self, exchange: Exchange) -> None:
        head = exchange.head
        needs_body = head.method == "PUT" and "/manifests/" in head.path
        step = step_of(head, await exchange.body() if needs_body else b"", self.configs)
        self.log.append(Record(step, head, time.monotonic(), exchange))
        for rule in self.rules:
            if act := rule.next(step, head):
                await act(exchange)
                break
        if not exchange.answered:
            await exchange.send(await exchange.forward())


class Upstream:
    """A real registry as a backend. The client's own Host is passed on, which registries build addresses from."""

    def __init__(self, host: str) -> None:
        self._name, _, self._port = host.partition(":")

    async def answer(self, head: Head, body: bytes) -> Response:
        """Ask the registry, over a connection of its own; HTTP/1.0 keeps the answer free of chunks."""
        reader, writer = await asyncio.open_connection(self._name, int(self._port))
        try:
            writer.write(self._head(head, len(body)) + body)
            with suppress(ConnectionError):
                await writer.drain()
            return _parse(await reader.read())
        finally:
            writer.close()

    async def cut(self, head: Head, part: bytes) -> None:
        """Begin a request at the registry, and break it off; the registry is given a moment to see that."""
        _, writer = await asyncio.open_connection(self._name, int(self._port))
        writer.write(self._head(head, int(head.get("content-length"))) + part)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
        await asyncio.sleep(0.05)

    def _head(self, head: Head, length: int) -> bytes:
        dropped = {"connection", "transfer-encoding", "content-length", "expect"}
        fields = [(name, value) for name, value in head.fields if name not in dropped]
        if length or head.method in ("POST", "PUT", "PATCH"):
            fields.append(("content-length", str(length)))
        text = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"{head.method} {head.target} HTTP/1.0\r\n{text}\r\n".encode("latin-1")


def _parse(raw: bytes) -> Response:
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    fields = [(name, value.strip()) for name, _, value in (each.partition(":") for each in lines)]
    kept = [(name, value) for name, value in fields if name.lower() not in ("connection", "transfer-encoding")]
    return Response(int(line.split(" ")[1]), body, kept)
