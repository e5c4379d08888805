"""The arguments of `manifest-action index`, which changes an index that exists."""

import argparse

from manifest_action.adapters.list_arguments import instance_options
from manifest_action.adapters.shared_arguments import POLICY_HELP, add_output, add_settings

_INSTANCE = "a digest (sha256:…), or a platform such as linux/arm/v7 for its images"


def add_index_verbs(top: argparse.ArgumentParser) -> None:
    """Add the verbs of `index` with their options."""
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, text in (
        ("remove", "remove instances and the attestations about them"),
        ("filter", "keep these instances and the attestations about them, and no others"),
    ):
        command = verbs.add_parser(verb, help=text, description=text, allow_abbrev=False)
        _add_common(command)
        command.add_argument("instances", nargs="+", metavar="INSTANCE", help=_INSTANCE)
    text = "change what the index says about instances, or about itself"
    annotate = verbs.add_parser("annotate", help=text, description=text, allow_abbrev=False)
    _add_common(annotate)
    annotate.add_argument("instances", nargs="*", metavar="INSTANCE", help=_INSTANCE)
    annotate.add_argument("--index", action="store_true", help="the annotations are for the index itself")
    instance_options(annotate.add_argument_group("what to say"))


def _add_common(command: argparse.ArgumentParser) -> None:
    add_output(command)
    add_settings(command)
    group = command.add_argument_group("the result")
    group.add_argument(
        "--tag",
        dest="destinations",
        action="append",
        metavar="TAG",
        help="put it here instead of back under REFERENCE: a tag, or a full reference to anywhere; repeatable",
    )
    group.add_argument(
        "--expect-digest",
        metavar="DIGEST",
        help="go on only if REFERENCE still points to this",
    )
    group.add_argument("--policy", metavar="FILE", help=POLICY_HELP)
    group.add_argument("--dry-run", action="store_true", help="show what would result; write nothing")
    command.add_argument("reference", metavar="REFERENCE", help="the index, such as ghcr.io/acme/app:1.4.2")
