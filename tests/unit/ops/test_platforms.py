from typing import Any

import pytest

from manifest_action.errors import ResolveError
from manifest_action.model.platform import Platform
from manifest_action.model.reference import parse_reference
from manifest_action.ops.platforms import check_found, config_platform, is_wanted, settle_platform
from manifest_action.plan.spec import SourceSpec

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")
ARM64_V8 = Platform("linux", "arm64", "v8")
ARM_V6 = Platform("linux", "arm", "v6")
ARM_V7 = Platform("linux", "arm", "v7")
WINDOWS = Platform("windows", "amd64", os_version="10.0.17763.1")


def source(**fields: Any) -> SourceSpec:
    return SourceSpec(parse_reference("registry.test/app:1"), **fields)


def test_a_config_states_every_field_of_a_platform() -> None:
    raw = b"""{"os": "windows", "architecture": "amd64", "os.version": "10.0.17763.1",
        "os.features": ["win32k"], "rootfs": {}}"""
    assert config_platform(raw) == Platform("windows", "amd64", os_version="10.0.17763.1", os_features=("win32k",))


@pytest.mark.parametrize("raw", [b"[]", b"nonsense", b'{"os": 1}', b'{"os": "a", "os": "b"}'])
def test_a_config_that_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        config_platform(raw)


@pytest.mark.parametrize(
    ("stated", "from_entry", "from_config", "settled"),
    [
        (None, None, AMD64, AMD64),
        (None, ARM64_V8, AMD64, ARM64_V8),
        (None, None, WINDOWS, WINDOWS),
        (ARM64, None, ARM64_V8, ARM64_V8),
        (ARM64_V8, None, ARM64, ARM64_V8),
        (ARM_V6, None, Platform("linux", "arm"), ARM_V6),
        (Platform(variant="v6"), None, Platform("linux", "arm"), ARM_V6),
        (Platform("windows", "amd64"), None, WINDOWS, WINDOWS),
        (None, None, None, None),
        (AMD64, None, None, AMD64),
        (None, Platform("linux", "amd64", "v2"), Platform("linux", "amd64"), Platform("linux", "amd64", "v2")),
    ],
)
def test_the_spec_wins_over_the_index_and_that_over_the_config(
    stated: Platform | None, from_entry: Platform | None, from_config: Platform | None, settled: Platform | None
) -> None:
    assert settle_platform(source(platform=stated), from_entry, from_config, "here") == settled


@pytest.mark.parametrize(
    ("stated", "from_entry", "from_config", "who"),
    [
        (AMD64, None, ARM64, "config"),
        (ARM_V6, None, ARM_V7, "config"),
        (AMD64, ARM64, None, "index"),
        (Platform("windows", "amd64", os_version="10.0.20348.1"), None, WINDOWS, "config"),
    ],
)
def test_a_contradiction_is_an_error_that_names_both_and_can_be_overridden(
    stated: Platform, from_entry: Platform | None, from_config: Platform | None, who: str
) -> None:
    with pytest.raises(ResolveError) as caught:
        settle_platform(source(platform=stated), from_entry, from_config, "here")
    assert who in caught.value.what
    assert str(stated) in caught.value.what
    assert "override: true" in caught.value.hint
    overridden = settle_platform(source(platform=stated, override=True), from_entry, from_config, "here")
    assert overridden == stated


def test_a_platform_nobody_states_in_full_is_an_error() -> None:
    with pytest.raises(ResolveError, match="os and architecture"):
        settle_platform(source(platform=Platform(variant="v7")), None, Platform(os="linux"), "here")
    with pytest.raises(ResolveError, match="os and architecture"):
        settle_platform(source(), None, Platform(), "here")


@pytest.mark.parametrize(
    ("fields", "platform", "several", "wanted"),
    [
        ({}, AMD64, True, True),
        ({}, None, True, True),
        ({"platforms": (AMD64,)}, AMD64, True, True),
        ({"platforms": (AMD64,)}, ARM64, True, False),
        ({"platforms": (AMD64,)}, None, False, False),
        ({"platforms": (ARM64,)}, ARM64_V8, True, True),
        ({"platforms": (Platform("linux", "arm"),)}, ARM_V7, True, True),
        ({"platforms": (Platform("linux", "arm"),)}, ARM_V6, True, False),
        ({"platforms": (Platform("windows", "amd64"),)}, WINDOWS, True, True),
        ({"platform": AMD64}, ARM64, True, False),
        ({"platform": AMD64}, ARM64, False, True),
        ({"platform": Platform(variant="v7")}, ARM_V7, True, True),
        ({"platform": Platform(variant="v7")}, ARM_V6, True, False),
    ],
)
def test_what_is_taken_from_a_source(
    fields: dict[str, Any], platform: Platform | None, several: bool, wanted: bool
) -> None:
    assert is_wanted(source(**fields), platform, several=several) is wanted


def test_a_platform_that_is_not_found_is_an_error_with_what_there_is() -> None:
    check_found(source(platforms=(AMD64,)), [AMD64], [AMD64, ARM64])
    with pytest.raises(ResolveError) as caught:
        check_found(source(platforms=(AMD64, ARM_V7)), [AMD64], [AMD64, ARM64, None])
    assert "linux/arm/v7" in caught.value.what
    assert caught.value.why == "its platforms are linux/amd64, linux/arm64"
    with pytest.raises(ResolveError, match="none that is known"):
        check_found(source(platform=AMD64), [], [None])
