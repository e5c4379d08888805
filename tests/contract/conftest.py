"""The places that the whole suite runs over."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from manifest_action.transport.base import Destination, Source
from tests.contract.places import PLACES, DirectoryPlace, LayoutPlace, OciArchivePlace, Place
from tests.contract.registry_place import RegistryPlace
from tests.support.servers import Registry, docker_registry


@pytest.fixture(scope="session")
def contract_registry() -> Iterator[Registry]:
    """A registry whose storage every test empties and damages."""
    with docker_registry() as running:
        yield running


@pytest.fixture
def docker_place(
    contract_registry: Registry, registry_token: Registry, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    # A registry may be slow to see what it was just sent. This one is so only while another thread sends the same
    # again: it writes its links anew, in place, and then the parts of an index are unknown for a moment.
    monkeypatch.setattr("manifest_action.transport.registry.repository._SETTLING", (0.02, 0.05, 0.1, 0.2, 0.4))
    place = RegistryPlace(contract_registry, registry_token)
    yield place
    place.transport.close()


@pytest.fixture
def oci_place(tmp_path: Path) -> Place:
    return LayoutPlace(tmp_path)


@pytest.fixture
def dir_place(tmp_path: Path) -> Place:
    return DirectoryPlace(tmp_path)


@pytest.fixture
def oci_archive_place(tmp_path: Path) -> Place:
    return OciArchivePlace(tmp_path)


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    """One repository of each transport in turn."""
    found: Place = request.getfixturevalue(f"{request.param.replace('-', '_')}_place")
    return found


@pytest.fixture
def source(place: Place) -> Source:
    return place.transport.source(place.repository)


@pytest.fixture
def destination(place: Place) -> Destination:
    return place.transport.destination(place.repository)
