"""The image, built once for all tests of a run, and a runner that starts it."""

import os
from pathlib import Path

import pytest

from scripts import image
from tests.action.container import ContainerRunner
from tests.support.servers import MissingProgram, find_program


@pytest.fixture(scope="session")
def built_image() -> str:
    """The name of the image, in the store of `scripts/image.py`."""
    for program in ("buildah", "crun", "mmdebstrap", "podman"):
        find_program(program)
    if os.geteuid() != 0:
        raise MissingProgram("root-rights")
    return image.build()


@pytest.fixture
def container(tmp_path: Path, built_image: str) -> ContainerRunner:
    """A runner with an empty workspace."""
    return ContainerRunner(tmp_path, built_image)
