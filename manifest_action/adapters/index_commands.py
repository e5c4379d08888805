"""What the verbs of `manifest-action index` do."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from manifest_action.adapters.instance_options import read_change, read_value, refused
from manifest_action.adapters.policyfiles import read_rules
from manifest_action.adapters.program import opened
from manifest_action.events import Reporter
from manifest_action.model.digest import Digest
from manifest_action.model.instances import Change, annotate
from manifest_action.model.reference import DOCKER, Reference, is_tag, parse_reference
from manifest_action.ops.index.choose import changed, only, parse_choice, without
from manifest_action.ops.index.edit import Edit, IndexEdit, edit_index
from manifest_action.ops.outcome import Outcome
from manifest_action.plan.settings import Settings

_DEFAULT_TAG = "latest"


class IndexCommand:
    """One run of a verb.

    settings: reads how to deal with registries; its argument is what a user name and password are for
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        environment: Mapping[str, str],
        reporter: Reporter,
        settings: Callable[[Sequence[Reference]], Settings],
    ) -> None:
        self._arguments = arguments
        self._environment = environment
        self._reporter = reporter
        self._settings = settings

    def run(self) -> Outcome:
        """Do what the verb says. ConfigError when the arguments are wrong."""
        wanted = _wanted(self._arguments)
        settings = self._settings([wanted.reference, *wanted.destinations])
        rules = read_rules(settings.policy, self._environment)
        push = not self._arguments.dry_run
        with opened(settings, self._environment, self._reporter) as transport:
            return edit_index(wanted, transport, self._reporter, jobs=settings.jobs, push=push, rules=rules)


def _wanted(arguments: argparse.Namespace) -> IndexEdit:
    reference = read_value(arguments.reference, parse_reference)
    given = arguments.expect_digest
    return IndexEdit(
        reference,
        _edit(arguments),
        tuple(dict.fromkeys(_destination(text, reference) for text in arguments.destinations or ())),
        None if given is None else read_value(given, Digest.parse),
    )


def _edit(arguments: argparse.Namespace) -> Edit:
    choices = [read_value(text, parse_choice) for text in arguments.instances]
    if arguments.verb == "remove":
        return partial(without, choices=choices)
    if arguments.verb == "filter":
        return partial(only, choices=choices)
    change = read_change(arguments)
    if arguments.index:
        if choices or change.annotations is None or change != Change(annotations=change.annotations):
            raise refused("--index", "takes annotations, and nothing else")
        return partial(annotate, annotations=change.annotations)
    if not choices:
        raise refused("INSTANCE", "say which instances, or --index for the index itself")
    if change == Change():
        raise refused("annotate", "say what to change, such as --os-version or --annotation")
    return partial(changed, choices=choices, change=change)


def _destination(text: str, reference: Reference) -> Reference:
    """A bare tag is one beside the index; a full reference to a registry that has none means `latest`."""
    if is_tag(text):
        return reference.with_tag(text)
    found = read_value(text, parse_reference)
    if found.digest:
        raise refused("--tag", "a destination has no digest", "the digest follows from the content; name a tag")
    return found.with_tag(_DEFAULT_TAG) if found.repository.transport == DOCKER and not found.tag else found
