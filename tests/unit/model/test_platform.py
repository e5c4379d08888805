"""Platforms: how people write them, when two are the same, and what goes into an index."""

import pytest
from hypothesis import given

from manifest_action.model.platform import Platform
from tests.support.strategies import PLATFORMS

LINUX_ARM = Platform("linux", "arm")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("Linux/AMD64", Platform("linux", "amd64")),
        ("linux/x86_64", Platform("linux", "amd64")),
        ("linux/x86-64", Platform("linux", "amd64")),
        ("linux/i386", Platform("linux", "386")),
        ("linux/i686", Platform("linux", "386")),
        ("linux/aarch64", Platform("linux", "arm64")),
        ("linux/arm/v7", Platform("linux", "arm", "v7")),
        ("linux/armhf", Platform("linux", "arm", "v7")),
        ("linux/armel", Platform("linux", "arm", "v6")),
        ("linux/armel/v5", Platform("linux", "arm", "v5")),
        ("macos/arm64", Platform("darwin", "arm64")),
        ("windows(10.0.17763.1)/amd64", Platform("windows", "amd64", os_version="10.0.17763.1")),
        ("windows/amd64:10.0.17763.1", Platform("windows", "amd64", os_version="10.0.17763.1")),
        ("windows()/amd64", Platform("windows", "amd64")),
        ("unknown/unknown", Platform("unknown", "unknown")),
    ],
)
def test_what_people_write(text: str, expected: Platform) -> None:
    assert Platform.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "looks like linux/arm64"),
        ("linux", "looks like linux/arm64"),
        ("linux/arm/v7/x", "looks like linux/arm64"),
        ("/amd64", "a platform needs os"),
        ("linux/", "a platform needs architecture"),
        ("(10.0)/amd64", "a platform needs os"),
        ("lin ux/amd64", "os 'lin ux' may hold"),
        ("linux/amd64\n", "may hold letters"),
        ("linux/arm/v7!", "variant 'v7!' may hold"),
        ("windows/amd64:10 0", "os.version '10 0' may hold"),
        ("linux/" + "a" * 65, "may hold letters"),
        ("linux/" * 30_000, "looks like linux/arm64"),
        ("windows(10.0.1)/amd64:10.0.2", "has two"),
    ],
)
def test_what_is_no_platform_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        Platform.parse(text)
    assert len(str(caught.value)) < 300


def test_os_features_and_features_are_kept() -> None:
    platform = Platform.of("windows", "amd64", os_features=("win32k",), features=("sse4",))
    assert platform.to_document() == {
        "architecture": "amd64",
        "os": "windows",
        "os.features": ["win32k"],
        "features": ["sse4"],
    }


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Platform("linux", "amd64"), Platform("linux", "amd64", "v1"), True),
        (Platform("linux", "arm64"), Platform("linux", "arm64", "v8"), True),
        (LINUX_ARM, Platform("linux", "arm", "v7"), True),
        (LINUX_ARM, Platform("linux", "arm", "v6"), False),
        (Platform("linux", "amd64"), Platform("linux", "amd64", "v2"), False),
        (Platform("linux", "amd64"), Platform("windows", "amd64"), False),
        (Platform("windows", "amd64", os_version="1"), Platform("windows", "amd64", os_version="2"), False),
        (Platform("windows", "amd64", os_version="1"), Platform("windows", "amd64"), False),
        (Platform("a", "b", os_features=("x", "y")), Platform("a", "b", os_features=("y", "x")), True),
        (Platform("a", "b", os_features=("x",)), Platform("a", "b"), False),
        (Platform("a", "b", features=("x",)), Platform("a", "b"), False),
    ],
)
def test_platforms_that_runtimes_cannot_tell_apart(one: Platform, other: Platform, same: bool) -> None:
    assert one.same_as(other) is same
    assert other.same_as(one) is same


@pytest.mark.parametrize(
    ("wanted", "found", "fits"),
    [
        (LINUX_ARM, Platform("linux", "arm", "v7"), True),
        (LINUX_ARM, Platform("linux", "arm", "v6"), False),
        (Platform("linux", "arm64"), Platform("linux", "arm64", "v8"), True),
        (Platform("windows", "amd64"), Platform("windows", "amd64", os_version="10"), True),
        (Platform("windows", "amd64", os_version="10"), Platform("windows", "amd64"), False),
        (Platform("a", "b"), Platform("a", "b", os_features=("x",), features=("y",)), True),
        (Platform("a", "b", os_features=("x",)), Platform("a", "b"), False),
        (Platform("a", "b", features=("x",)), Platform("a", "b", features=("y",)), False),
    ],
)
def test_a_wanted_platform_selects_what_it_does_not_rule_out(wanted: Platform, found: Platform, fits: bool) -> None:
    assert wanted.selects(found) is fits


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        (Platform(), Platform("linux", "amd64"), False),
        (Platform("linux"), Platform("windows", "amd64"), True),
        (Platform("linux", "arm64"), Platform("linux", "amd64"), True),
        (Platform("linux", "arm64", "v8"), Platform("linux", "arm64"), False),
        (Platform("linux", "arm64", "v8"), Platform("linux", "arm64", "v9"), False),
        (Platform("linux", "arm", "v6"), Platform("linux", "arm", "v7"), True),
        (LINUX_ARM, Platform("linux", "arm", "v6"), False),
        (Platform("windows", "amd64", os_version="1"), Platform("windows", "amd64", os_version="2"), True),
        (Platform("windows", "amd64", os_version="1"), Platform("windows", "amd64"), False),
    ],
)
def test_only_statements_contradict_each_other(one: Platform, other: Platform, differs: bool) -> None:
    assert one.contradicts(other) is differs
    assert other.contradicts(one) is differs


def test_silence_is_filled_from_another() -> None:
    config = Platform("linux", "arm", "v6", "10", ("x",), ("y",))
    assert Platform().filled_from(config) == config
    assert Platform(architecture="arm").filled_from(config) == config
    assert Platform("linux", "arm", "v7").filled_from(config).variant == "v7"
    assert Platform("linux", "arm64").filled_from(config).variant == ""
    assert config.filled_from(Platform("windows", "amd64", "v2", "11", ("z",), ("w",))) == config


def test_buildx_marks_attestations_as_unknown() -> None:
    assert Platform.parse("unknown/unknown").is_unknown
    assert not Platform("unknown", "amd64").is_unknown


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"os": 1}, "os must be a string"),
        ({"os.version": ["10"]}, r"os\.version must be a string"),
        ({"os.features": "win32k"}, r"os\.features must be a list of strings"),
        ({"features": [1]}, "features must be a list of strings"),
    ],
)
def test_documents_with_wrong_types_are_refused(document: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Platform.from_document(document)


def test_null_members_are_not_stated() -> None:
    nothing = dict.fromkeys(["os", "architecture", "variant", "os.version", "os.features", "features"])
    assert Platform.from_document(nothing) == Platform()


@given(PLATFORMS)
def test_documents_and_values_are_the_same_thing(platform: Platform) -> None:
    assert Platform.from_document(platform.to_document()) == platform


@given(PLATFORMS)
def test_text_says_all_but_the_features(platform: Platform) -> None:
    parsed = Platform.parse(str(platform))
    assert parsed.filled_from(platform) == platform
    assert parsed.selects(platform)


@given(PLATFORMS, PLATFORMS)
def test_the_relations_agree_with_each_other(one: Platform, other: Platform) -> None:
    assert one.same_as(one)
    assert one.selects(one)
    assert not one.contradicts(one)
    assert one.same_as(other) == (one.selects(other) and other.selects(one))
    assert one.same_as(other) == other.same_as(one)
    assert not (one.same_as(other) and one.contradicts(other))
