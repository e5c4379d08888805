"""Which platform an instance has, and whether it is wanted (pure).

The spec wins over the index entry, that over the image's config (OCI image-spec 1.1, config.md).
"""

from collections.abc import Sequence

from manifest_action.errors import ResolveError
from manifest_action.model.platform import Platform
from manifest_action.model.strictjson import parse_object
from manifest_action.plan.spec import SourceSpec


def config_platform(raw: bytes) -> Platform:
    """The platform an image's config states; ValueError when it is no image config."""
    return Platform.from_document(parse_object(raw))


def settle_platform(
    spec: SourceSpec, from_entry: Platform | None, from_config: Platform | None, what: str
) -> Platform | None:
    """The platform to record for an instance, None for an artifact that has none.

    from_entry, from_config: what the source's index and the image's config say, None when they were not read

    ResolveError when the spec contradicts them without `override`, or when nobody states os and architecture.
    """
    stated = spec.platform
    if stated is not None and not spec.override:
        for said, where in ((from_entry, "the source's index"), (from_config, "the image's config")):
            if said is not None and not said.is_unknown and stated.contradicts(said):
                raise ResolveError(
                    f"the spec says {stated}, but {where} says {said}",
                    where=what,
                    hint="correct the platform, or add `override: true` to this source if the image is mislabelled",
                    mark=spec.mark,
                )
    known = [platform for platform in (stated, from_entry, from_config) if platform is not None]
    if not known:
        return None
    settled = known[0]
    for platform in known[1:]:
        if not (spec.override and settled.contradicts(platform)):
            settled = settled.filled_from(platform)
    if settled.os and settled.architecture:
        return settled
    raise ResolveError(
        "neither the spec nor the image states os and architecture",
        where=what,
        hint="add `platform: os/architecture` to this source",
        mark=spec.mark,
    )


def is_wanted(spec: SourceSpec, platform: Platform | None, *, several: bool) -> bool:
    """Whether an instance of this platform is taken from the source.

    several: the source is an index of more than one image, so that the spec's `platform` picks among them
    """
    if spec.platforms:
        return platform is not None and any(wanted.selects(platform) for wanted in spec.platforms)
    if several and spec.platform is not None:
        return platform is not None and _picks(spec.platform, platform)
    return True


def check_found(spec: SourceSpec, found: Sequence[Platform | None], available: Sequence[Platform | None]) -> None:
    """ResolveError when a platform that the spec asks of this source is not among those found."""
    wanted = spec.platforms or ((spec.platform,) if spec.platform else ())
    for platform in wanted:
        if not any(has is not None and _picks(platform, has) for has in found):
            offered = ", ".join(str(has) for has in available if has is not None) or "none that is known"
            raise ResolveError(
                f"the source has no image for {platform}",
                where=str(spec.reference),
                why=f"its platforms are {offered}",
                hint="correct the platform, or push that image first",
                mark=spec.mark,
            )


def _picks(wanted: Platform, has: Platform) -> bool:
    if wanted.os and wanted.architecture:
        return wanted.selects(has)
    return not wanted.contradicts(has)
