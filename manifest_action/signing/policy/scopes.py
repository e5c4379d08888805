"""Which scopes of a policy (containers-policy.json(5)) and of registries.d an image is in, narrowest first. Pure."""

from collections.abc import Iterator

from manifest_action.model.reference import DIRECTORY, DOCKER, DOCKER_DAEMON, OCI, OCI_ARCHIVE, Reference
from manifest_action.signing.policy.identity import image_identity

_PATHS = frozenset({DIRECTORY, OCI, OCI_ARCHIVE})


def scopes(image: Reference, path: str = "") -> tuple[str, ...]:
    """Every scope of an image's transport that holds it, but for the transport's default.

    image: as the user named it
    path:  for images in files, the absolute path that their links lead to

    - `docker`: the reference, its repository, every namespace above it, the host, `*.` wildcards of the host
    - `dir`, `oci`, `oci-archive`: the path, every directory above it but `/`
    - `docker-daemon`: as `docker` for images known by name
    - others have no scopes
    """
    if image.repository.transport in _PATHS:
        return tuple(_directories(path))
    name = image_identity(image) if image.repository.transport in (DOCKER, DOCKER_DAEMON) else None
    return tuple(_names(name)) if name else ()


def _directories(path: str) -> Iterator[str]:
    while path and path != "/":
        yield path
        path = path.rpartition("/")[0]


def _names(image: Reference) -> Iterator[str]:
    yield str(image)
    name = str(image.repository)
    while name:
        yield name
        name = name.rpartition("/")[0]
    host = image.repository.registry.partition(":")[0]
    while "." in host:
        host = host.partition(".")[2]
        yield f"*.{host}"
