"""Platforms in specs: whole, in part, in every spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifest_action.adapters.document import read_documents
from manifest_action.model.platform import Platform
from manifest_action.plan.reader import read_specs
from manifest_action.plan.spec import SourceSpec


def source(keys: str) -> SourceSpec:
    (spec,) = read_specs(read_documents(f"image: a.b/c:1\nsources:\n- {{image: a.b/c:2, {keys}}}\n", "f"))
    return spec.sources[0]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("linux/aarch64", Platform("linux", "arm64")),
        ("linux/arm/v7", Platform("linux", "arm", "v7")),
        ("windows(10.0.17763.1)/amd64", Platform("windows", "amd64", os_version="10.0.17763.1")),
        ("{os: linux, architecture: amd64}", Platform("linux", "amd64")),
        ("{os: Linux, architecture: x86_64}", Platform("linux", "amd64")),
        ("{architecture: 386, os: linux}", Platform("linux", "386")),
        ("{variant: v7}", Platform(variant="v7")),
        ("{architecture: armhf}", Platform(architecture="arm", variant="v7")),
        ("{architecture: armhf, variant: v6}", Platform(architecture="arm", variant="v6")),
        ("{os: macOS}", Platform("darwin")),
        ("{os.version: 10.0.1}", Platform(os_version="10.0.1")),
        ("{osversion: 1.10}", Platform(os_version="1.10")),
        ("{os.features: [win32k, a]}", Platform(os_features=("win32k", "a"))),
        ("{osfeatures: 'win32k, a'}", Platform(os_features=("win32k", "a"))),
        ("{features: [sse4]}", Platform(features=("sse4",))),
        ("{os: , architecture: null}", Platform()),
        ("{}", Platform()),
    ],
)
def test_the_platform_of_a_source(written: str, expected: Platform) -> None:
    assert source(f"platform: {written}").platform == expected


def test_no_platform() -> None:
    assert source("platform: ").platform is None


def test_the_platforms_to_take_from_an_index() -> None:
    expected = (Platform("linux", "amd64"), Platform("linux", "arm", "v7"))
    assert source("platforms: [linux/amd64, {os: linux, architecture: arm, variant: v7}]").platforms == expected
    assert source("platforms: 'linux/amd64, linux/arm/v7'").platforms == expected
    assert source("platform: linux/s390x").platforms == ()


WORD = st.from_regex(r"[a-z0-9_.-]{1,12}", fullmatch=True)


@given(os=WORD, architecture=WORD, variant=st.just("") | WORD, os_version=st.just("") | WORD)
def test_a_platform_that_was_printed_is_read_back(os: str, architecture: str, variant: str, os_version: str) -> None:
    platform = Platform.of(os, architecture, variant, os_version=os_version)
    assert source(f"platform: '{platform}'").platform == platform
