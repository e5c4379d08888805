"""Real servers and peers as fixtures. A program that is missing skips its tests, loudly; with CI=true it fails them."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.keys import PASSPHRASE as KEY_PASSPHRASE
from tests.support.peers import (
    BundleVerifier,
    Cosign,
    ImageCopy,
    Peer,
    Podman,
    find_bundle_verifier,
    find_cosign,
    find_imagecopy,
    find_peer,
    find_podman,
)
from tests.support.product import Product
from tests.support.servers import MissingProgram, Registry, distribution, docker_registry, referrers_registry
from tests.support.sigstore import Sigstore, sigstore

_SERVERS = {"registry", "other_registry", "registry_schema1", "registry_tls", "registry_token", "registry_v3"}
_SERVERS.add("registry_referrers")
_PEERS = {
    "skopeo",
    "podman",
    "crane",
    "regctl",
    "oras",
    "cosign",
    "cosign2",
    "imagecopy",
    "bundle_verifier",
    "notation",
}
_MISSING = re.compile(r"not on this machine: ([\w-]+)")

settings.register_profile("search", deadline=None)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable" if os.environ.get("CI") == "true" else "search")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the fixtures they use or are given by name, so that `-m "not server"` needs no care."""
    for item in items:
        wanted = set(getattr(item, "fixturenames", ()))
        if callspec := getattr(item, "callspec", None):
            wanted.update(value for value in callspec.params.values() if isinstance(value, str))
        if wanted & _SERVERS:
            item.add_marker(pytest.mark.server)
        if wanted & _PEERS:
            item.add_marker(pytest.mark.peer)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line that names every missing program and how many tests were not run for it."""
    missing: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        for name in _MISSING.findall(str(report.longrepr)):
            missing[name] = missing.get(name, 0) + 1
    if missing:
        what = ", ".join(f"{name} ({count} tests)" for name, count in sorted(missing.items()))
        terminalreporter.write_line(f"!!! NOT TESTED, programs are missing: {what}; see CONTRIBUTING.md", red=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    """Fixtures that start a program may find it missing."""
    with _missing_programs_noted():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """And so may tests that start one themselves."""
    with _missing_programs_noted():
        yield


@contextmanager
def _missing_programs_noted() -> Iterator[None]:
    try:
        yield
    except MissingProgram as error:
        reason = f"not on this machine: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    """docker-registry 2.8, plain HTTP, no authentication."""
    with docker_registry() as running:
        yield running


@pytest.fixture(scope="session")
def other_registry() -> Iterator[Registry]:
    """A second one."""
    with docker_registry() as running:
        yield running


@pytest.fixture(scope="session")
def registry_schema1() -> Iterator[Registry]:
    """docker-registry 2.8 that takes manifests of schema 1 too."""
    with docker_registry(schema1=True) as running:
        yield running


@pytest.fixture(scope="session")
def registry_tls() -> Iterator[Registry]:
    """docker-registry 2.8 with TLS and a password file."""
    with docker_registry("htpasswd", tls=True) as running:
        yield running


@pytest.fixture(scope="session")
def registry_token() -> Iterator[Registry]:
    """docker-registry 2.8 with a token server; anybody may pull `public/*`."""
    with docker_registry("token") as running:
        yield running


@pytest.fixture(scope="session")
def registry_v3() -> Iterator[Registry]:
    """distribution v3, plain HTTP, no authentication."""
    with distribution() as running:
        yield running


@pytest.fixture(scope="session")
def registry_referrers() -> Iterator[Registry]:
    """go-containerregistry's registry, plain HTTP, no authentication, with the referrers API."""
    with referrers_registry() as running:
        yield running


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """The name of a repository that no other test uses."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:60].strip("-")
    return f"test/{words}-{os.urandom(4).hex()}"


@pytest.fixture
def skopeo(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    """skopeo, with an empty home."""
    return find_peer("skopeo", tmp_path_factory.mktemp("skopeo"))


@pytest.fixture
def podman(tmp_path_factory: pytest.TempPathFactory) -> Podman:
    """podman, with an empty home and storage."""
    return find_podman(tmp_path_factory.mktemp("podman"))


@pytest.fixture
def crane(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    """crane, with an empty home."""
    return find_peer("crane", tmp_path_factory.mktemp("crane"))


@pytest.fixture
def regctl(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    """regctl, with an empty home."""
    return find_peer("regctl", tmp_path_factory.mktemp("regctl"))


@pytest.fixture
def oras(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    """oras, with an empty home."""
    return find_peer("oras", tmp_path_factory.mktemp("oras"))


@pytest.fixture
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    """cosign 3, with an empty home."""
    return find_cosign("cosign", tmp_path_factory.mktemp("cosign"), KEY_PASSPHRASE)


@pytest.fixture
def cosign2(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    """cosign 2, with an empty home."""
    return find_cosign("cosign2", tmp_path_factory.mktemp("cosign2"), KEY_PASSPHRASE)


@pytest.fixture
def imagecopy(tmp_path_factory: pytest.TempPathFactory) -> ImageCopy:
    """The library of skopeo and Podman."""
    return find_imagecopy(tmp_path_factory.mktemp("imagecopy"))


@pytest.fixture
def bundle_verifier(tmp_path_factory: pytest.TempPathFactory) -> BundleVerifier:
    """npm's @sigstore/verify."""
    return find_bundle_verifier(tmp_path_factory.mktemp("npm"))


@pytest.fixture
def fulcio() -> Iterator[Sigstore]:
    """A Sigstore of the test's own: Fulcio, its CT log, Rekor and an OIDC issuer."""
    with sigstore() as running:
        yield running


@pytest.fixture
def product(tmp_path: Path) -> Product:
    """The program under test, with an empty home."""
    return Product(tmp_path)
