"""The arguments of `manifest-action list`, named as podman's `manifest` commands name them."""

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from manifest_action.adapters.shared_arguments import POLICY_HELP, add_output, add_settings

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

Adds = Sequence[Callable[[argparse.ArgumentParser], None]]

_LOCK_TIMEOUT = 30.0
_PLATFORM_OPTIONS = {
    "os": ("OS", "operating system, such as linux"),
    "arch": ("ARCHITECTURE", "architecture, such as arm64; without --variant it clears the variant"),
    "variant": ("VARIANT", "variant of the architecture, such as v7"),
}
_INSTANCE_OPTIONS = {
    **_PLATFORM_OPTIONS,
    "os-version": ("VERSION", "version of the operating system"),
}
_REPEATED_OPTIONS = {
    "os-features": ("FEATURE[,…]", "required features of the operating system; repeatable"),
    "features": ("FEATURE[,…]", "required features of the processor (Docker lists only); repeatable"),
    "url": ("URL", "where the image can be downloaded from; repeatable"),
    "annotation": ("KEY=VALUE", "an annotation; repeatable; those given take the place of all that are there"),
}


def add_list_verbs(top: argparse.ArgumentParser) -> None:
    """Add the verbs of `list` with their options."""
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    local, remote = (add_output, _add_store), (add_output, add_settings, _add_store)
    _add_create(verbs, remote)
    _add_add(verbs, remote)
    _add_annotate(verbs, local)
    _add_remove(verbs, local)
    _verb(verbs, "inspect", "show a list, its instances and where they are", local)
    _add_push(verbs, remote)
    rm = _verb(verbs, "rm", "forget lists with all their names", local, name=False)
    rm.add_argument("names", nargs="+", metavar="LIST", help="the name of a saved list")
    _verb(verbs, "ls", "show the saved lists", local, name=False)


def _add_store(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--store",
        metavar="DIRECTORY",
        help="where lists are saved (default: $RUNNER_TEMP in a CI job, else the user's data directory)",
    )
    command.add_argument(
        "--lock-timeout",
        type=float,
        default=_LOCK_TIMEOUT,
        metavar="SECONDS",
        help="how long to wait while another program changes the store (default %(default)g)",
    )


def _verb(verbs: "Commands", verb: str, text: str, common: Adds, *, name: bool = True) -> argparse.ArgumentParser:
    command = verbs.add_parser(verb, help=text, description=text, allow_abbrev=False)
    for add in common:
        add(command)
    if name:
        command.add_argument("name", metavar="LIST", help="the name of a saved list, such as localhost/app:1")
    return command


def _add_create(verbs: "Commands", common: Adds) -> None:
    create = _verb(verbs, "create", "make a list, empty or with images", common)
    create.add_argument("images", nargs="*", metavar="IMAGE", help="an image or index to take in")
    create.add_argument("--name", dest="more_names", action="append", metavar="LIST", help="a further name; repeatable")
    create.add_argument("--all", action="store_true", help="take every instance of an index")
    create.add_argument("-a", "--amend", action="store_true", help="add to the list when there is one of that name")
    create.add_argument("--annotation", action="append", metavar="KEY=VALUE", help="on the list itself; repeatable")


def _add_add(verbs: "Commands", common: Adds) -> None:
    text = "add an image, the instance of an index for one system, or all of its instances"
    add = _verb(verbs, "add", text, common)
    add.add_argument("images", nargs="+", metavar="IMAGE", help="such as ghcr.io/acme/app:1.4.2-arm64 or oci:./out:1")
    add.add_argument("--all", action="store_true", help="take every instance of an index")
    group = add.add_argument_group("what to record; of an index, --os, --arch and --variant choose the instance")
    instance_options(group)


def _add_annotate(verbs: "Commands", common: Adds) -> None:
    annotate = _verb(verbs, "annotate", "change what is recorded about an instance, or about the list", common)
    annotate.add_argument("digest", nargs="?", metavar="DIGEST", help="of the instance, sha256:…")
    annotate.add_argument("--index", action="store_true", help="the annotations are for the list itself")
    instance_options(annotate)


def instance_options(command: "argparse._ActionsContainer") -> None:
    """What can be said about an instance; `instance_options.read_change` reads it."""
    for name, (metavar, text) in _INSTANCE_OPTIONS.items():
        command.add_argument(f"--{name}", metavar=metavar, help=text)
    for name, (metavar, text) in _REPEATED_OPTIONS.items():
        command.add_argument(f"--{name}", action="append", metavar=metavar, help=text)


def _add_remove(verbs: "Commands", common: Adds) -> None:
    remove = _verb(verbs, "remove", "remove instances from a list", common)
    remove.add_argument("digests", nargs="+", metavar="DIGEST", help="of an instance, sha256:…")


def _add_push(verbs: "Commands", common: Adds) -> None:
    push = _verb(verbs, "push", "push a list and its images", common)
    push.add_argument("destinations", nargs="+", metavar="DESTINATION", help="such as ghcr.io/acme/app:1 or oci:out:1")
    what = push.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="the list and every instance (the default)")
    what.add_argument("--system", action="store_true", help="only the image for one system, not the list")
    what.add_argument(
        "--instance",
        dest="instances",
        action="append",
        metavar="DIGEST",
        help="the list and this instance, the others being at the destination already; repeatable",
    )
    what.add_argument(
        "--list-only", action="store_true", help="the list, all instances being at the destination already"
    )
    group = push.add_argument_group("which system --system means, this machine's by default")
    for name, (metavar, text) in _PLATFORM_OPTIONS.items():
        group.add_argument(f"--{name}", metavar=metavar, help=text.partition(";")[0])
    push.add_argument(
        "-f",
        "--format",
        dest="kind",
        choices=("oci", "v2s2", "v2s1"),
        help="convert the list and its images (default: as saved)",
    )
    push.add_argument("--policy", metavar="FILE", help=POLICY_HELP)
    push.add_argument(
        "--add-compression",
        dest="added",
        choices=("zstd",),
        help="push each image a second time, with its layers compressed in this way (OCI only)",
    )
    push.add_argument("--lossy", dest="may_lose", action="store_true", help="leave out what the format cannot hold")
    push.add_argument(
        "--remove-signatures",
        dest="leave_signatures",
        action="store_true",
        help="leave the images' signatures behind; what else is attached to them comes along",
    )
    push.add_argument("--rm", action="store_true", help="forget the list once it is pushed")
    push.add_argument("--dry-run", action="store_true", help="show what would be pushed; write nothing")
