"""The steps of a run as a registry sees them."""

import re
from collections.abc import Container
from enum import Enum

from tests.faults.wire import Head


class Step(Enum):
    """What a request is for."""

    PING = "ping"
    TOKEN = "token"
    HEAD_MANIFEST = "HEAD manifest"
    GET_MANIFEST = "GET manifest"
    GET_CONFIG = "GET config"
    HEAD_BLOB = "HEAD blob"
    GET_BLOB = "GET blob"
    MOUNT = "mount"
    POST = "POST upload"
    STATUS = "GET upload"
    PATCH = "PATCH upload"
    CANCEL = "DELETE upload"
    PUT_BLOB = "PUT blob"
    PUT_CHILD = "PUT child"
    PUT_INDEX = "PUT index"
    PUT_TAG = "PUT tag"
    REFERRERS = "referrers"
    PUT_REFERRERS = "PUT referrers tag"
    PUT_SIGNATURE = "PUT signature"
    OTHER = "other"


_ROUTE = re.compile(r"/v2/(.+)/(manifests|blobs|referrers|tags)/(.*)")
_FALLBACK = re.compile(r"sha256-[0-9a-f]{64}")
_UPLOADS = {"GET": Step.STATUS, "PATCH": Step.PATCH, "PUT": Step.PUT_BLOB, "DELETE": Step.CANCEL}
_PLAIN = {"/v2/": Step.PING, "/v2": Step.PING, "/token": Step.TOKEN}


def step_of(head: Head, body: bytes, configs: Container[str]) -> Step:
    """The step a request belongs to. body: of a PUT of a manifest; configs: digests of blobs that are configs."""
    route = _ROUTE.fullmatch(head.path)
    if route is None:
        return _PLAIN.get(head.path, Step.OTHER)
    kind, name = route[2], route[3]
    if kind == "manifests":
        return _manifest(head, name, body)
    if kind == "blobs":
        return _upload(head) if name.startswith("uploads/") else _blob(head, name in configs)
    return Step.REFERRERS if kind == "referrers" else Step.OTHER


def _upload(head: Head) -> Step:
    if head.method == "POST":
        return Step.MOUNT if "mount=" in head.target else Step.POST
    return _UPLOADS.get(head.method, Step.OTHER)


def _blob(head: Head, is_config: bool) -> Step:
    if head.method == "HEAD":
        return Step.HEAD_BLOB
    return Step.GET_CONFIG if is_config else Step.GET_BLOB


def _manifest(head: Head, name: str, body: bytes) -> Step:
    if head.method != "PUT":
        return Step.HEAD_MANIFEST if head.method == "HEAD" else Step.GET_MANIFEST
    if b'"subject"' in body or name.endswith(".sig"):
        return Step.PUT_SIGNATURE
    if _FALLBACK.fullmatch(name):
        return Step.PUT_REFERRERS
    if ":" not in name:
        return Step.PUT_TAG
    return Step.PUT_INDEX if b'"manifests"' in body else Step.PUT_CHILD
