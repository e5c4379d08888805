"""Finding and reading the signature policy of this run, and the files that say where signatures are."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from manifest_action.adapters.document import SIZE_LIMIT, read_documents
from manifest_action.errors import ConfigError, Mark, Problem
from manifest_action.plan import node
from manifest_action.plan.node import Node

if TYPE_CHECKING:
    from manifest_action.ops.rules import Rules
    from manifest_action.signing.registriesd import Registries

SYSTEM = Path("/etc/containers")


def read_rules(given: str, environment: Mapping[str, str], system: Path = SYSTEM) -> "Rules | None":
    """The policy in the file `given`, else in the user's, else in the system's; None where there is no such file.

    given:  path of a file that must be there, empty when none was given
    system: the folder of the system's files

    registries.d is the user's, else the system's; beside a given policy it is looked for first. Raises ConfigError.
    """
    folders = _folders(given, environment, system)
    files = [Path(given)] if given else [folder / "policy.json" for folder in folders]
    for file in files:
        if (raw := _content(file, required=bool(given))) is not None:
            # Where there is no policy, as in the action's container, nothing of this is loaded.
            from manifest_action.ops.rules import Rules  # noqa: PLC0415
            from manifest_action.signing.policy.shipped import accepts_everything  # noqa: PLC0415

            if accepts_everything(raw):
                return Rules(origin=str(file))
            from manifest_action.signing.policy.reading import read_policy  # noqa: PLC0415

            return Rules(read_policy(raw, str(file)), str(file), read_places(given, environment, system))
    return None


def read_places(given: str, environment: Mapping[str, str], system: Path = SYSTEM) -> "Registries":
    """What registries.d says, by itself; see `read_rules`."""
    from manifest_action.signing.registriesd import read_registries  # noqa: PLC0415

    home = environment.get("HOME", "")
    folders = _folders(given, environment, system)
    found = next((place for folder in folders if (place := folder / "registries.d").is_dir()), None)
    root = Path("/var/lib") if os.geteuid() == 0 or not home else Path(home, ".local/share")
    return read_registries(_documents(found) if found else (), (root / "containers/sigstore").as_uri())


def _folders(given: str, environment: Mapping[str, str], system: Path) -> list[Path]:
    home = environment.get("HOME", "")
    folders = [Path(home, ".config/containers"), system] if home else [system]
    return [Path(given).parent, *folders] if given else folders


def _documents(folder: Path) -> Iterator[tuple[str, object]]:
    for file in sorted(folder.glob("*.yaml")):
        raw = _content(file, required=True) or b""
        for document in read_documents(raw.decode("utf-8", "surrogateescape"), str(file)):
            yield str(file), _plain(document)


def _plain(value: Node) -> object:
    """A document without the places of its parts."""
    if isinstance(value, node.Scalar):
        return value.text
    if isinstance(value, node.Sequence):
        return [_plain(item) for item in value.items]
    return {key.text: _plain(item) for key, item in value.entries}


def _content(file: Path, *, required: bool) -> bytes | None:
    try:
        with file.open("rb") as opened:
            raw = opened.read(SIZE_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        if required:
            raise _refused(file, "the file does not exist") from None
        return None
    except (OSError, ValueError) as error:
        raise _refused(file, f"the file cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(raw) > SIZE_LIMIT:
        raise _refused(file, f"the file is over {SIZE_LIMIT // 1024} KiB")
    return raw


def _refused(file: Path, what: str) -> ConfigError:
    return ConfigError([Problem(what, Mark(str(file), 1, 1), "policy")])
