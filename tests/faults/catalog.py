"""Every fault, the steps at which it is tried, and what a run must make of it (`R`: succeed; else an exit code)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from manifest_action.errors import AuthError, ContentError, NetworkError, PartialTagError, RateLimited, RegistryError
from tests.faults import acts
from tests.faults.steps import Step
from tests.faults.wire import Act

REGISTRY = RegistryError.exit_code
AUTH = AuthError.exit_code
NETWORK = NetworkError.exit_code
LIMITED = RateLimited.exit_code
CONTENT = ContentError.exit_code
PARTIAL = PartialTagError.exit_code
MISSING = 3

SIGNING = frozenset({Step.PUT_INDEX, Step.REFERRERS, Step.PUT_SIGNATURE, Step.PUT_REFERRERS})
"""Steps that only a job which signs takes."""
READS = (Step.HEAD_MANIFEST, Step.GET_MANIFEST, Step.GET_CONFIG, Step.HEAD_BLOB, Step.GET_BLOB)
WRITES = (Step.POST, Step.PUT_BLOB, Step.PUT_CHILD, Step.PUT_INDEX, Step.PUT_TAG, Step.PUT_SIGNATURE)
EVERY = (Step.TOKEN, *READS, Step.MOUNT, *WRITES, Step.REFERRERS)
BODIES = (Step.GET_MANIFEST, Step.GET_CONFIG, Step.GET_BLOB, Step.TOKEN)


@dataclass(frozen=True)
class Cell:
    """One fault at one step.

    acts:    for the step's requests in turn; `forever` goes on with the last one
    first:   acts for PUT blob that come before, so that there is a PATCH
    code:    the exit code to end with
    extra:   requests that may be made beyond those of a run without the fault; some are those of threads that
             begin before the first one has learned how to log in
    asked:   seconds that the servers ask to wait in all
    within:  seconds after which the run must be over
    budget:  seconds of `--retry-budget`
    signed:  whether the job signs
    part:    of the target of the requests that are met
    refuses: seconds for which connections are refused at the beginning
    old:     whether the tags point to something else before; else they point to what the job makes
    """

    fault: str
    name: str
    step: Step
    acts: tuple[Act, ...]
    forever: bool = False
    first: tuple[Act, ...] = ()
    code: int = 0
    extra: int = 7
    asked: float = 0.0
    within: float = 20.0
    budget: float = 900.0
    signed: bool = False
    part: str = ""
    refuses: float = 0.0
    profile: str = "oci"
    profile_changes: tuple[tuple[str, object], ...] = ()
    old: bool = True
    loses_sessions: bool = False

    @property
    def id(self) -> str:
        """Fault, its variant, and step."""
        return f"{self.fault} {self.name} @ {self.step.value}".replace(" ", "-")


BLOB_PRICE = 5
"""Requests that an upload costs again: is it there, how much of it, a new session, the source, the blob."""


def cells() -> Iterator[Cell]:
    """The whole bench."""
    for cell in _cells():
        price = BLOB_PRICE * len(cell.acts) if cell.step is Step.PUT_BLOB and not cell.code else 0
        yield replace(cell, signed=cell.signed or cell.step in SIGNING, extra=max(cell.extra, price))


def _cells() -> Iterator[Cell]:
    yield from _connections()
    yield from _answers()
    yield from _logins()
    yield from _mounts()
    yield from _content()
    yield from _redirects()
    yield from _referrers()
    yield from _slow()
    yield from _tags()


def _at(steps: tuple[Step, ...], fault: str, name: str, *made: Act, **more: object) -> Iterator[Cell]:
    for step in steps:
        yield Cell(fault, name, step, made, **more)  # type: ignore[arg-type]


def _connections() -> Iterator[Cell]:
    yield Cell("f01", "refused for a while", Step.HEAD_MANIFEST, (acts.nothing,), refuses=0.15)
    yield from _at(EVERY, "f02", "reset ×2", acts.reset, acts.reset)
    yield from _at(EVERY, "f02", "reset within the head", acts.cut_head)
    yield from _at(EVERY, "f02", "closed without an answer", acts.hang_up)
    yield from _at(BODIES, "f03", "body cut short", acts.cut_body)
    yield Cell("f04", "download cut ×3", Step.GET_BLOB, (acts.cut_body,) * 3)
    yield Cell("f06", "upload cut, session lives", Step.PUT_BLOB, (acts.cut_upload(),), extra=6)
    yield Cell(
        "f06", "piece cut, session lives", Step.PATCH, (acts.cut_upload(),), first=(acts.cut_upload(),), extra=10
    )
    yield Cell("f07", "upload cut, session lost", Step.PUT_BLOB, (acts.cut_upload(),), loses_sessions=True, extra=6)
    lossy = (Step.PUT_BLOB, Step.PUT_CHILD, Step.PUT_INDEX, Step.PUT_TAG, Step.PUT_SIGNATURE)
    yield from _at(lossy, "f09", "done, answer lost", acts.lose_answer, extra=5)
    yield from _at(lossy, "f09", "done, answered 502", acts.spoil_answer(502), extra=5)
    late = (Step.PATCH,)
    for name, act in (("reset", acts.reset), ("answer lost", acts.lose_answer), ("503", acts.status(503))):
        yield from _at(late, "f06", f"piece: {name}", act, first=(acts.cut_upload(),), extra=10)


def _answers() -> Iterator[Cell]:
    for code in (500, 502, 503, 504, 499, 522):
        steps = EVERY if code == 503 else (Step.TOKEN, Step.GET_MANIFEST, Step.PUT_BLOB, Step.PUT_TAG)
        yield from _at(steps, "f10", f"{code} ×3", *(acts.status(code),) * 3, extra=6)
    yield from _at(EVERY, "f11", "429, Retry-After 1", acts.retry_later(429, 1), asked=1)
    some = (Step.GET_MANIFEST, Step.POST, Step.PUT_TAG)
    yield from _at(some, "f11", "429, Retry-After as a date", acts.retry_later(429, 2, as_date=True), asked=1)
    yield from _at(some, "f11", "503, Retry-After 2", acts.retry_later(503, 2), asked=2)
    yield from _at(some, "f11", "429 ×4", *(acts.status(429),) * 4, extra=8)
    # A list of referrers that cannot be had is no reason to fail: there is the tag. But one that a registry says it
    # has, and does not give, may name signatures that would stay behind.
    limited = tuple(step for step in EVERY if step is not Step.REFERRERS)
    late = acts.retry_later(429, 999999)
    yield from _at(limited, "f12", "429, Retry-After 999999", late, forever=True, code=LIMITED, within=5)
    yield Cell("f12", "429, Retry-After 999999", Step.REFERRERS, (late,), forever=True, within=5, extra=12)
    brief = {"forever": True, "budget": 1.5, "within": 5.0, "extra": 40}
    yield from _at(limited, "f13", "429 for ever", acts.status(429), code=LIMITED, **brief)
    yield Cell("f13", "429 for ever", Step.REFERRERS, (acts.status(429),), forever=True, extra=20)
    many = acts.refusal(429, "TOOMANYREQUESTS")
    yield from _at((Step.REFERRERS,), "f13", "429 of its own for ever", many, code=LIMITED, **brief)
    yield from _at(EVERY, "f13", "503 for ever", acts.status(503), code=REGISTRY, **brief)
    yield from _at(some, "f13", "reset for ever", acts.reset, code=NETWORK, **brief)
    writes = (Step.POST, Step.PUT_BLOB, Step.PUT_CHILD, Step.PUT_INDEX, Step.PUT_TAG, Step.PUT_SIGNATURE)
    for status, name in ((400, "UNKNOWN"), (404, "NAME_UNKNOWN"), (405, "UNSUPPORTED"), (409, "X"), (412, "X")):
        yield from _at(writes, "f15", f"{status}", acts.refusal(status, name), forever=True, code=REGISTRY, extra=0)
    for status, name in ((413, "SIZE_INVALID"), (415, "UNSUPPORTED")):
        yield from _at(writes, "f15", f"{status}", acts.refusal(status, name), forever=True, code=REGISTRY, extra=0)
    yield from _at(writes, "f15", "403", acts.refusal(403, "DENIED"), forever=True, code=AUTH, extra=0)


def _logins() -> Iterator[Cell]:
    steps = tuple(step for step in EVERY if step is not Step.TOKEN)
    # Everything that is under way at the host then is asked again: mounts, blobs looked for, and five requests about
    # what is attached to the image, which go out beside them.
    yield from _at(steps, "f16", "token ends", acts.expire, extra=12)
    yield Cell("f16", "token ends in a piece", Step.PATCH, (acts.expire,), first=(acts.cut_upload(),), extra=10)
    core = (Step.GET_MANIFEST, Step.HEAD_MANIFEST, Step.POST, Step.PUT_BLOB, Step.PUT_CHILD, Step.PUT_TAG)
    yield from _at(core, "f17", "401 for ever", acts.challenge_again, forever=True, code=AUTH, extra=12)
    refused = {"forever": True, "code": AUTH, "extra": 2}
    token = (Step.TOKEN,)
    yield from _at(token, "f17", "no token in the answer", acts.status(200, b'{"expires_in":300}'), **refused)
    yield from _at(token, "f17", "the answer is no JSON", acts.status(200, b"<html>"), **refused)
    yield from _at(token, "f17", "token 401", acts.status(401), **refused)
    yield from _at(token, "f17", "token 403", acts.status(403), **refused)
    yield from _at(token, "f17", "token 500 ×2", acts.status(500), acts.status(500))
    yield from _at(token, "f19", "405 for POST", acts.nothing)


def _mounts() -> Iterator[Cell]:
    for status in (400, 401, 403, 404, 405):
        yield Cell("f20", f"{status}", Step.MOUNT, (acts.refusal(status, "X"),), forever=True, extra=30)
    yield Cell("f20", "500", Step.MOUNT, (acts.status(500),), forever=True, extra=30)
    yield Cell("f20", "202", Step.MOUNT, (acts.nothing,), profile_changes=(("mounts", "opens"),), extra=12)


def _content() -> Iterator[Cell]:
    flip = acts.altered(acts.flipped)
    lies = {"forever": True, "code": CONTENT, "extra": 4}
    yield Cell("f23", "one bit, once", Step.GET_MANIFEST, (flip,), part="manifests/sha256:")
    for step in (Step.GET_MANIFEST, Step.GET_CONFIG, Step.GET_BLOB):
        part = "manifests/sha256:" if step is Step.GET_MANIFEST else ""
        yield Cell("f23", "one bit", step, (flip,), part=part, **lies)  # type: ignore[arg-type]
        for name, change in (("one byte less", lambda body: body[:-1]), ("one byte more", lambda body: body + b" ")):
            yield Cell("f23", name, step, (acts.altered(change),), part=part, **lies)  # type: ignore[arg-type]


def _redirects() -> Iterator[Cell]:
    targets = {
        "to a metadata service": "http://169.254.169.254/latest/meta-data/",
        "to a file": "file:///etc/passwd",
        "to the metadata service in decimal": "http://2852039166/",
        "to nowhere": "",
    }
    steps = (Step.GET_MANIFEST, Step.GET_BLOB, Step.POST, Step.PUT_TAG)
    for name, location in targets.items():
        act = acts.redirect(307, location)
        yield from _at(steps, "f26", name, act, forever=True, code=REGISTRY, extra=0)
    reads = (Step.GET_MANIFEST, Step.GET_BLOB, Step.GET_CONFIG)
    yield from _at(reads, "f26", "in a circle", acts.redirect_to_itself(), forever=True, code=REGISTRY, extra=24)
    yield Cell("f26", "to storage", Step.GET_BLOB, (acts.nothing,), profile_changes=(("elsewhere", True),), extra=8)


def _referrers() -> Iterator[Cell]:
    html = acts.status(200, b"<html>", {"Content-Type": "text/html"})
    web = acts.redirect(303, "https://github.invalid/-/v2/packages")
    for name, act in (("404", acts.status(404)), ("400", acts.status(400)), ("a web page", html), ("303", web)):
        yield Cell("f31", name, Step.REFERRERS, (act,), forever=True, extra=12)
    yield Cell(
        "f31", "claims an API", Step.REFERRERS, (acts.nothing,), profile_changes=(("referrers", "claims"),), extra=12
    )
    empty = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
    listing = acts.status(200, empty, {"Content-Type": "application/vnd.oci.image.index.v1+json"})
    yield Cell("f31", "a list that stays empty", Step.REFERRERS, (listing,), forever=True, extra=20)


def _slow() -> Iterator[Cell]:
    steps = (Step.TOKEN, Step.HEAD_MANIFEST, Step.GET_MANIFEST, Step.GET_BLOB, Step.PUT_BLOB, Step.PUT_TAG)
    yield from _at(steps, "f33", "silence, once", acts.stall, extra=5)
    yield from _at((Step.GET_MANIFEST, Step.GET_BLOB), "f33", "silence within the body, once", acts.stall_in_body)
    yield from _at((Step.GET_BLOB,), "f33", "a trickle, once", acts.trickle(0.05))
    brief = {"forever": True, "budget": 3.0, "within": 15.0, "extra": 40, "code": NETWORK}
    yield from _at((Step.GET_MANIFEST, Step.PUT_TAG), "f33", "silence for ever", acts.stall, **brief)


def _tags() -> Iterator[Cell]:
    immutable = (("immutable", (400, "TAG_INVALID")),)
    yield Cell(
        "f30", "immutable, the same", Step.PUT_TAG, (acts.nothing,), profile_changes=immutable, old=False, extra=0
    )
    yield Cell("f30", "immutable, another", Step.PUT_TAG, (acts.nothing,), profile_changes=immutable, code=REGISTRY)
    denied = acts.refusal(403, "DENIED")
    yield Cell("f37", "one of three", Step.PUT_TAG, (denied,), forever=True, part="/latest", code=PARTIAL)
