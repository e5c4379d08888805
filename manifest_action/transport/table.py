"""Every transport under one roof: a repository is served by the transport that it names."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from threading import Lock

from manifest_action.errors import ConfigError, Problem
from manifest_action.events import Reporter
from manifest_action.model.access import Access
from manifest_action.model.reference import Repository
from manifest_action.transport.base import Destination, Source, Transport
from manifest_action.transport.registry.options import RegistryOptions


def _docker(options: RegistryOptions, reporter: Reporter) -> Transport:
    # A run that stays within layouts never loads the HTTP stack.
    from manifest_action.transport.registry.client import RegistryTransport  # noqa: PLC0415

    return RegistryTransport(options, reporter)


def _oci(_options: RegistryOptions, _reporter: Reporter) -> Transport:
    from manifest_action.transport.layout.transport import LayoutTransport  # noqa: PLC0415

    return LayoutTransport()


def _dir(_options: RegistryOptions, _reporter: Reporter) -> Transport:
    from manifest_action.transport.directory import DirectoryTransport  # noqa: PLC0415

    return DirectoryTransport()


def _oci_archive(_options: RegistryOptions, _reporter: Reporter) -> Transport:
    from manifest_action.transport.archive.oci import OciArchiveTransport  # noqa: PLC0415

    return OciArchiveTransport()


def _docker_archive(_options: RegistryOptions, _reporter: Reporter) -> Transport:
    from manifest_action.transport.archive.docker import DockerArchiveTransport  # noqa: PLC0415

    return DockerArchiveTransport()


def _docker_daemon(_options: RegistryOptions, _reporter: Reporter) -> Transport:
    from manifest_action.transport.engine import EngineTransport  # noqa: PLC0415

    return EngineTransport()


def _containers_storage(_options: RegistryOptions, _reporter: Reporter) -> Transport:
    from manifest_action.transport.containers_storage import ContainersStorageTransport  # noqa: PLC0415

    return ContainersStorageTransport()


_FACTORIES: Mapping[str, Callable[[RegistryOptions, Reporter], Transport]] = {
    "docker": _docker,
    "oci": _oci,
    "oci-archive": _oci_archive,
    "dir": _dir,
    "docker-archive": _docker_archive,
    "docker-daemon": _docker_daemon,
    "containers-storage": _containers_storage,
}


class TransportTable:
    """All transports as one. Each is made when it is first needed, and closed with this one.

    A repository of an unknown transport is a ConfigError that names the known ones.
    """

    def __init__(self, options: RegistryOptions, reporter: Reporter) -> None:
        self._options = options
        self._reporter = reporter
        self._transports: dict[str, Transport] = {}
        self._lock = Lock()

    def source(self, repository: Repository, /) -> Source:
        """See `Transport.source`."""
        return self._of(repository.transport).source(repository)

    def destination(self, repository: Repository, /) -> Destination:
        """See `Transport.destination`."""
        return self._of(repository.transport).destination(repository)

    def prepare(self, accesses: Iterable[Access], /) -> None:
        """Hand every transport the accesses to its own repositories."""
        wanted: dict[str, list[Access]] = {}
        for access in accesses:
            wanted.setdefault(access.repository.transport, []).append(access)
        for name, own in wanted.items():
            self._of(name).prepare(own)

    def close(self) -> None:
        """Close every transport that was used, the others too when one of them fails."""
        with self._lock, ExitStack() as stack:
            for transport in self._transports.values():
                stack.callback(transport.close)
            self._transports.clear()

    def _of(self, name: str) -> Transport:
        with self._lock:
            if name not in self._transports:
                if name not in _FACTORIES:
                    known = ", ".join(sorted(_FACTORIES))
                    raise ConfigError([Problem(f"unknown transport {name[:40]!r}", hint=f"known are {known}")])
                self._transports[name] = _FACTORIES[name](self._options, self._reporter)
            return self._transports[name]
