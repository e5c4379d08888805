"""What a release checks and writes; the workflow around it is for GitHub alone."""

from pathlib import Path

import pytest

from manifest_action import __version__
from scripts import release
from tests.support.servers import ROOT

IMAGE = f"ghcr.io/acme/manifest-action@sha256:{'0' * 64}"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a release reads and writes, as a copy."""
    for name in ("action.yml", "CHANGELOG.md", "manifest_action/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    monkeypatch.setattr(release, "ROOT", tmp_path)
    return tmp_path


def test_the_image_is_pinned_in_the_place_of_the_dockerfile(checkout: Path) -> None:
    before = (checkout / "action.yml").read_text()
    release.pin(IMAGE)
    after = (checkout / "action.yml").read_text()
    assert after == before.replace("image: Dockerfile", f"image: docker://{IMAGE}")
    with pytest.raises(ValueError, match="does not build"):
        release.pin(IMAGE)


@pytest.mark.parametrize("image", ["ghcr.io/acme/app:1.0", "ghcr.io/Acme/app@sha256:" + "0" * 64, IMAGE[:-1], "x\ny"])
@pytest.mark.usefixtures("checkout")
def test_what_could_be_moved_is_not_pinned(image: str) -> None:
    with pytest.raises(ValueError, match="no image by digest"):
        release.pin(image)


def test_a_version_has_notes_of_its_own(checkout: Path) -> None:
    parts = ("[Unreleased]\n\n- soon", f"[{__version__}] - 2026-11-24\n\n- this", "[0.0.1]\n\n- that")
    text = "".join(f"## {part}\n\n" for part in parts)
    (checkout / "CHANGELOG.md").write_text(text)
    release.check(__version__)
    assert release.notes(__version__) == "- this"
    with pytest.raises(ValueError, match=r"says nothing of 0\.0\.2"):
        release.notes("0.0.2")


@pytest.mark.parametrize("version", ["9.9.9", "1.0", "v1.0.0", f"{__version__}; id"])
@pytest.mark.usefixtures("checkout")
def test_another_version_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match=r"is no version|not 9\.9\.9"):
        release.check(version)
