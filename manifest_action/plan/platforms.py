"""Reading platforms: as text (`linux/arm/v7`) or as a mapping (OCI image-spec 1.1, image-index.md, "platform")."""

from dataclasses import replace

from manifest_action.model.platform import Platform
from manifest_action.plan.keys import PLATFORM_KEYS
from manifest_action.plan.part import Part

PLATFORMS_LIMIT = 1000
_FEATURES_LIMIT = 100


def read_platform(part: Part) -> Platform | None:
    """The platform that is stated, which as a mapping may be a part of one; None after saying what is wrong."""
    if part.is_text:
        return _parsed(part)
    fields = part.fields(PLATFORM_KEYS)
    if fields is None:
        return None
    words = {name: fields[name] for name in ("os", "architecture", "variant", "os.version") if name in fields}
    texts = {name: _checked(name, word) for name, word in words.items()}
    stated = Platform.of(
        texts.get("os") or "any",
        texts.get("architecture") or "any",
        texts.get("variant", ""),
        os_version=texts.get("os.version", ""),
        os_features=_features(fields.get("os.features")),
        features=_features(fields.get("features")),
    )
    return replace(
        stated,
        os=stated.os if texts.get("os") else "",
        architecture=stated.architecture if texts.get("architecture") else "",
    )


def read_platforms(part: Part) -> tuple[Platform, ...]:
    """A list of whole platforms, each once."""
    found: list[Platform] = []
    for item in part.items(PLATFORMS_LIMIT, empty="lists no platform"):
        platform = read_platform(item)
        if platform is None:
            continue
        if not (platform.os and platform.architecture):
            item.refuse("needs os and architecture")
        elif any(platform.same_as(other) for other in found):
            item.refuse(f"{platform} is listed twice")
        else:
            found.append(platform)
    return tuple(found)


def _parsed(part: Part) -> Platform | None:
    try:
        return Platform.parse(part.text() or "")
    except ValueError as error:
        part.refuse(str(error))
        return None


def _checked(name: str, part: Part) -> str:
    """The text of one field, empty when it is none or cannot stand in a platform."""
    text = part.text()
    if text is None:
        return ""
    words = {"os": "any", "architecture": "any", "variant": "", "os.version": "", name: text}
    try:
        Platform.of(words["os"], words["architecture"], words["variant"], os_version=words["os.version"])
    except ValueError as error:
        part.refuse(str(error))
        return ""
    return text


def _features(part: Part | None) -> tuple[str, ...]:
    items = part.items(_FEATURES_LIMIT) if part else []
    return tuple(text for item in items if (text := item.text()))
