"""The rules of `signedIdentity`: whether a signature made for one name is good for an image of another. Pure."""

from dataclasses import dataclass, replace
from typing import Protocol

from manifest_action.model.reference import DOCKER, Reference, Repository
from manifest_action.signing.simplesigning import docker_reference


class IdentityRule(Protocol):
    """One rule of containers-policy.json(5), `signedIdentity`."""

    def accepts(self, image: Reference | None, signed: Reference, /) -> bool:
        """Whether a signature for `signed` is good for `image`.

        image: as the user named it, with a tag or a digest; None for images that have no name at a registry
        """


@dataclass(frozen=True, slots=True)
class MatchExact:
    """The very same reference."""

    def accepts(self, image: Reference | None, signed: Reference, /) -> bool:
        """See `IdentityRule`."""
        return image is not None and _is_exact(signed) and image == signed


@dataclass(frozen=True, slots=True)
class MatchRepoDigestOrExact:
    """The same reference; the same repository for images that are named by digest. This is the default."""

    def accepts(self, image: Reference | None, signed: Reference, /) -> bool:
        """See `IdentityRule`."""
        if image is None or not _is_exact(signed):
            return False
        return image == signed if image.tag else image.repository == signed.repository


@dataclass(frozen=True, slots=True)
class MatchRepository:
    """The same repository, whatever the tag."""

    def accepts(self, image: Reference | None, signed: Reference, /) -> bool:
        """See `IdentityRule`."""
        return image is not None and image.repository == signed.repository


@dataclass(frozen=True, slots=True)
class ExactReference:
    """One reference that the policy names, whatever the image is called."""

    reference: Reference

    def accepts(self, image: Reference | None, signed: Reference, /) -> bool:  # noqa: ARG002 - that is its point
        """See `IdentityRule`."""
        return _is_exact(signed) and signed == self.reference


@dataclass(frozen=True, slots=True)
class ExactRepository:
    """One repository that the policy names, whatever the image is called."""

    repository: Repository

    def accepts(self, image: Reference | None, signed: Reference, /) -> bool:  # noqa: ARG002 - that is its point
        """See `IdentityRule`."""
        return signed.repository == self.repository


@dataclass(frozen=True, slots=True)
class RemapIdentity:
    """As the default, after `prefix` at the beginning of the image's name was replaced by `signed_prefix`."""

    prefix: str
    signed_prefix: str

    def accepts(self, image: Reference | None, signed: Reference, /) -> bool:
        """See `IdentityRule`."""
        if image is None:
            return False
        try:
            return MatchRepoDigestOrExact().accepts(self._remapped(image), signed)
        except ValueError:
            return False

    def _remapped(self, image: Reference) -> Reference:
        name = str(image.repository)
        if name != self.prefix and not name.startswith(f"{self.prefix}/"):
            return image
        text = self.signed_prefix + str(image)[len(self.prefix) :]
        remapped = docker_reference(text)
        if str(remapped) != text:
            raise ValueError("the prefix does not make a reference in full")
        return remapped


def image_identity(asked: Reference) -> Reference | None:
    """The name of an image for these rules: what was asked for, in full; None when no registry's name was.

    Where both a tag and a digest are given, the digest decides, so the image goes by that.
    """
    repository = asked.repository
    try:
        if repository.transport != DOCKER:
            return _local_name(asked)
    except ValueError:
        return None
    if asked.digest:
        return replace(asked, tag="")
    return asked if asked.tag else asked.with_tag("latest")


def _local_name(asked: Reference) -> Reference | None:
    """The name by which an engine or a Docker archive knows an image."""
    name = asked.repository.name
    match asked.repository.transport:
        case "docker-daemon" if not name.startswith(("sha256:", "sha512:")):
            return image_identity(replace(docker_reference(name), tag=asked.tag, digest=asked.digest))
        case "docker-archive" if asked.tag and not asked.tag.startswith("@"):
            return image_identity(docker_reference(asked.tag))
    return None


def _is_exact(reference: Reference) -> bool:
    return bool(reference.tag or reference.digest)
