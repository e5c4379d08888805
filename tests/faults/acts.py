"""What can happen to a request: each function gives an act of the bench."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.faults.registry import OwnRegistry
from tests.faults.wire import Act, Exchange, Response


async def nothing(exchange: Exchange) -> None:
    """Let the backend answer."""


def status(code: int, body: bytes = b"", fields: Mapping[str, str] | None = None) -> Act:
    """An answer in the backend's place."""

    async def act(exchange: Exchange) -> None:
        await exchange.send(Response(code, body, tuple((fields or {}).items())))

    return act


def refusal(code: int, name: str, message: str = "as the test wishes") -> Act:
    """A registry's error document."""
    body = f'{{"errors":[{{"code":"{name}","message":"{message}"}}]}}'.encode()
    return status(code, body, {"Content-Type": "application/json"})


def retry_later(code: int, seconds: float, *, as_date: bool = False) -> Act:
    """A wish to be asked again later, by the number of seconds or by a date."""

    async def act(exchange: Exchange) -> None:
        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        asked = format_datetime(moment, usegmt=True) if as_date else f"{seconds:.0f}"
        await exchange.send(Response(code, b"slow down", [("Retry-After", asked)]))

    return act


async def reset(exchange: Exchange) -> None:
    """End the connection by RST before anything is answered."""
    exchange.reset()


async def hang_up(exchange: Exchange) -> None:
    """Read the request, and end the connection in order."""
    await exchange.body()
    exchange.answered = True
    exchange.hang_up()


async def cut_head(exchange: Exchange) -> None:
    """End the connection within the head of the answer."""
    response = await exchange.forward()
    await exchange.write(response.head()[:30])
    exchange.reset()


async def cut_body(exchange: Exchange) -> None:
    """End the connection at 40 % of the answer's body."""
    response = await exchange.forward()
    await exchange.write(response.head() + response.body[: len(response.body) * 2 // 5])
    exchange.hang_up()


def cut_upload(fraction: float = 0.4) -> Act:
    """End the connection within the body of a request; the backend learns what came of it.

    A chunked body, whose length is not known, is cut after so much of 20 kB.
    """

    async def act(exchange: Exchange) -> None:
        length = int(exchange.head.get("content-length") or 20_000)
        part = await exchange.part(int(length * fraction))
        exchange.answered = True
        await exchange.backend.cut(exchange.head, part)
        exchange.reset()

    return act


async def lose_answer(exchange: Exchange) -> None:
    """Let the backend do it, and end the connection instead of saying so."""
    await exchange.forward()
    exchange.answered = True
    exchange.reset()


def spoil_answer(code: int) -> Act:
    """Let the backend do it, and answer with an error."""

    async def act(exchange: Exchange) -> None:
        await exchange.forward()
        await exchange.send(Response(code))

    return act


Change = Callable[[bytes], bytes]


def altered(change: Change) -> Act:
    """Other bytes than the backend's, with a length that fits them."""

    async def act(exchange: Exchange) -> None:
        response = await exchange.forward()
        kept = [
            field for field in response.fields if field[0].lower() not in ("content-length", "docker-content-digest")
        ]
        await exchange.send(Response(response.status, change(response.body), kept))

    return act


def flipped(body: bytes) -> bytes:
    """One bit in the middle is another; JSON stays JSON of the same length."""
    place = body.rfind(b"sha256:") + 20 if b"sha256:" in body else len(body) // 2
    return body[:place] + (b"0" if body[place : place + 1] != b"0" else b"1") + body[place + 1 :]


def redirect(code: int, location: str) -> Act:
    """An answer that sends the client elsewhere."""
    return status(code, b"", {"Location": location})


def redirect_to_itself(code: int = 302) -> Act:
    """An answer that sends the client where it is."""

    async def act(exchange: Exchange) -> None:
        await exchange.send(Response(code, b"", [("Location", exchange.head.target)]))

    return act


async def stall(exchange: Exchange) -> None:
    """Say nothing at all."""
    await exchange.body()
    exchange.answered = True
    await asyncio.sleep(3600)


async def stall_in_body(exchange: Exchange) -> None:
    """Send the head and half of the body, and then nothing."""
    response = await exchange.forward()
    await exchange.write(response.head() + response.body[: len(response.body) // 2])
    await asyncio.sleep(3600)


def trickle(pause: float) -> Act:
    """Send the body one byte at a time."""

    async def act(exchange: Exchange) -> None:
        response = await exchange.forward()
        await exchange.write(response.head())
        for byte in response.body:
            await exchange.write(bytes([byte]))
            await asyncio.sleep(pause)

    return act


async def expire(exchange: Exchange) -> None:
    """All tokens end; the registry itself then refuses the request."""
    backend = exchange.backend
    assert isinstance(backend, OwnRegistry)
    backend.tokens.clear()


async def challenge_again(exchange: Exchange) -> None:
    """A 401 for every token, with a challenge that is in order."""
    realm = f"http://{exchange.head.get('host')}/token"
    value = f'Bearer realm="{realm}",service="bench",error="invalid_token"'
    await exchange.send(Response(401, b"", [("WWW-Authenticate", value)]))


def now() -> float:
    """Seconds on the clock that the bench's records use."""
    return time.monotonic()
