"""One hostile world for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.bench import Loop
from tests.faults.product import quick
from tests.faults.profiles import Profile
from tests.faults.world import World, world


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    """The event loop of all benches."""
    with Loop() as running:
        yield running


@pytest.fixture
def place(loop: Loop, tmp_path: Path) -> Iterator[World]:
    """Two registries that keep to OCI 1.1 until a test says otherwise."""
    with quick(), world(loop, tmp_path, Profile()) as made:
        yield made
