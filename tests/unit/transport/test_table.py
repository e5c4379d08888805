"""One table of transports: each repository goes to its own, and none is loaded before it is needed."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from manifest_action.errors import ConfigError
from manifest_action.events import Event
from manifest_action.model.access import Access
from manifest_action.model.reference import TRANSPORTS, Repository
from manifest_action.transport import table
from manifest_action.transport.layout.transport import LayoutTransport
from manifest_action.transport.registry.options import RegistryOptions
from manifest_action.transport.table import TransportTable
from tests.support.images import image, write_layout
from tests.support.servers import ROOT


class Silent:
    def emit(self, event: Event, /) -> None:
        """Nobody listens."""


class Noted(LayoutTransport):
    """A transport that writes down what it is told."""

    def __init__(self, *, breaks: bool = False) -> None:
        super().__init__()
        self.prepared: list[Access] = []
        self.closed = 0
        self.breaks = breaks

    def prepare(self, accesses: Iterable[Access], /) -> None:
        self.prepared += accesses

    def close(self) -> None:
        self.closed += 1
        if self.breaks:
            raise RuntimeError("cannot let go")


@pytest.fixture
def transports() -> TransportTable:
    return TransportTable(RegistryOptions(), Silent())


def test_a_layout_is_read_and_written_through_the_table(transports: TransportTable, tmp_path: Path) -> None:
    what = image()
    repository = Repository("oci", "", str(write_layout(tmp_path / "layout", {"1.0": what})))
    assert transports.source(repository).resolve("1.0").raw == what.manifest_bytes
    assert str(transports.destination(repository).tagged("1.0")) == what.digest
    transports.close()


def test_registries_are_in_the_table(transports: TransportTable) -> None:
    transports.prepare([Access(Repository("docker", "localhost:5000", "x"))])
    assert type(transports.source(Repository("docker", "localhost:5000", "x"))).__module__.startswith(
        "manifest_action.transport.registry."
    )
    transports.close()


def test_every_transport_that_a_reference_can_name_is_in_the_table(transports: TransportTable) -> None:
    for name in sorted(TRANSPORTS - {"docker"}):
        transports.source(Repository(name, "", "docker.io/acme/app"))
        transports.destination(Repository(name, "", "docker.io/acme/app"))
    transports.close()


def test_an_unknown_transport_is_named_with_the_known_ones(transports: TransportTable) -> None:
    with pytest.raises(ConfigError, match="unknown transport 'ftp'") as raised:
        transports.source(Repository("ftp", "", "x"))
    assert "docker" in str(raised.value)
    assert "oci" in str(raised.value)


def test_each_transport_hears_of_its_own_repositories(
    transports: TransportTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    layouts, registries = Noted(), Noted()
    monkeypatch.setattr(table, "_FACTORIES", {"oci": lambda *_: layouts, "docker": lambda *_: registries})
    first = Access(Repository("oci", "", "a"))
    second = Access(Repository("docker", "localhost:5000", "b"), push=True)
    third = Access(Repository("oci", "", "c"), push=True)
    transports.prepare([first, second, third])
    assert (layouts.prepared, registries.prepared) == ([first, third], [second])


def test_all_are_closed_once_even_if_one_breaks(transports: TransportTable, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"a": Noted(), "b": Noted(breaks=True), "c": Noted()}
    monkeypatch.setattr(table, "_FACTORIES", {name: (lambda *_, it=it: it) for name, it in made.items()})
    for name in made:
        transports.prepare([Access(Repository(name, "", "x"))])
    with pytest.raises(RuntimeError, match="cannot let go"):
        transports.close()
    transports.close()
    assert [each.closed for each in made.values()] == [1, 1, 1]


def test_a_run_within_layouts_does_not_load_the_http_stack() -> None:
    code = (
        "import sys\n"
        "from manifest_action.model.reference import TRANSPORTS, Repository\n"
        "from manifest_action.transport.registry.options import RegistryOptions\n"
        "from manifest_action.transport.table import TransportTable\n"
        "table = TransportTable(RegistryOptions(), None)\n"
        "table.destination(Repository('oci', '', 'nowhere')).tagged('1.0')\n"
        "table.close()\n"
        "sys.exit(bool({'requests', 'urllib3', 'ssl', 'http.client'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
