"""What the verbs of `manifest-action list` do."""

import argparse
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from manifest_action.adapters.console import Console
from manifest_action.adapters.instance_options import (
    read_annotations,
    read_change,
    read_value,
    refused,
    stated_platform,
)
from manifest_action.adapters.list_report import list_document, list_lines, store_document, store_lines
from manifest_action.adapters.policyfiles import read_rules
from manifest_action.adapters.program import opened
from manifest_action.errors import StoreError
from manifest_action.events import Reporter
from manifest_action.model.digest import Digest
from manifest_action.model.instances import Change
from manifest_action.model.platform import Platform
from manifest_action.model.reference import Reference, parse_reference
from manifest_action.ops.lists.edit import (
    add_to_list,
    annotate_list,
    change_instance,
    create_list,
    remove_instances,
)
from manifest_action.ops.lists.find import Addition
from manifest_action.ops.lists.push import ListPush, Selection, push_list
from manifest_action.ops.outcome import Outcome
from manifest_action.plan.keys import COMPRESSIONS
from manifest_action.plan.settings import Settings
from manifest_action.plan.spec import Format
from manifest_action.store import SavedList, Store
from manifest_action.transport.base import Transport

_FORMATS = {None: Format.AUTO, "oci": Format.OCI, "v2s2": Format.DOCKER, "v2s1": Format.SCHEMA1}

ReadSettings = Callable[[Sequence[Reference]], Settings]


def store_path(given: str | None, environment: Mapping[str, str]) -> Path:
    """Where lists are saved: the place that was given, a CI job's own temporary place, or the user's data directory.

    A container action sees RUNNER_TEMP too, so all steps of a job share their lists. StoreError without a home.
    """
    if given:
        return Path(given)
    if temporary := environment.get("RUNNER_TEMP"):
        return Path(temporary) / "manifest-action"
    data, home = environment.get("XDG_DATA_HOME", ""), environment.get("HOME", "")
    if data.startswith("/"):
        return Path(data) / "manifest-action"
    if not home:
        raise StoreError("there is no home directory to save lists in", hint="say where with --store")
    return Path(home) / ".local" / "share" / "manifest-action"


class ListCommand:
    """One run of a verb.

    settings: reads how to deal with registries; its argument is what a user name and password are for
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        environment: Mapping[str, str],
        console: Console,
        reporter: Reporter,
        settings: ReadSettings,
    ) -> None:
        self._arguments = arguments
        self._environment = environment
        self._console = console
        self._reporter = reporter
        self._settings = settings

    def run(self) -> Outcome:
        """Do what the verb says and print the result; what a push did is in the outcome alone."""
        verbs: Mapping[str, Callable[[Store], Outcome | None]] = {
            "create": self._create,
            "add": self._add,
            "annotate": self._annotate,
            "remove": self._remove,
            "inspect": self._inspect,
            "push": self._push,
            "rm": self._rm,
            "ls": self._ls,
        }
        return verbs[self._arguments.verb](self._store()) or Outcome(())

    def _store(self) -> Store:
        timeout = self._arguments.lock_timeout
        if not (math.isfinite(timeout) and timeout >= 0):
            raise refused("--lock-timeout", "seconds to wait must be a number from 0 on")
        path = store_path(self._arguments.store, self._environment)
        return Store(path, lock_timeout=timeout, command=f"manifest-action list {self._arguments.verb}")

    def _create(self, store: Store) -> None:
        arguments = self._arguments
        additions = self._additions(Change())
        with self._transport(additions) as (transport, jobs):
            saved = create_list(
                store,
                (arguments.name, *(arguments.more_names or ())),
                additions,
                transport,
                jobs=jobs,
                annotations=read_annotations(arguments),
                amend=arguments.amend,
            )
        self._show_digest(saved)

    def _add(self, store: Store) -> None:
        additions = self._additions(read_change(self._arguments))
        with self._transport(additions) as (transport, jobs):
            saved = add_to_list(store, self._arguments.name, additions, transport, jobs=jobs)
        self._show_digest(saved)

    def _annotate(self, store: Store) -> None:
        arguments = self._arguments
        change = read_change(arguments)
        if arguments.index:
            if arguments.digest or change.annotations is None or change != Change(annotations=change.annotations):
                raise refused("--index", "takes annotations, and nothing else")
            self._show_digest(annotate_list(store, arguments.name, change.annotations))
            return
        if not arguments.digest:
            raise refused("DIGEST", "say which instance, or --index for the list itself")
        self._show_digest(change_instance(store, arguments.name, read_value(arguments.digest, Digest.parse), change))

    def _remove(self, store: Store) -> None:
        digests = [read_value(text, Digest.parse) for text in self._arguments.digests]
        self._show_digest(remove_instances(store, self._arguments.name, digests))

    def _inspect(self, store: Store) -> None:
        saved = store.load(self._arguments.name)
        self._print(list_document(saved), list_lines(saved))

    def _push(self, store: Store) -> Outcome:
        arguments = self._arguments
        saved = store.load(arguments.name)
        wanted = _wanted_push(arguments)
        settings = self._settings(wanted.destinations)
        with opened(settings, self._environment, self._reporter) as transport:
            outcome = push_list(
                saved,
                store.repository,
                wanted,
                transport,
                self._reporter,
                jobs=settings.jobs,
                push=not arguments.dry_run,
                rules=read_rules(settings.policy, self._environment),
            )
        if arguments.rm and outcome.error is None and not arguments.dry_run:
            store.remove(arguments.name, saved.manifest.digest if saved.manifest else None)
        return outcome

    def _rm(self, store: Store) -> None:
        gone = [store.remove(name) for name in self._arguments.names]
        self._print(store_document(gone), [name for saved in gone for name in saved.names])

    def _ls(self, store: Store) -> None:
        lists = store.lists()
        self._print(store_document(lists), store_lines(lists) if lists else [])

    def _additions(self, change: Change) -> list[Addition]:
        references = [read_value(text, parse_reference) for text in self._arguments.images]
        return [Addition(reference, self._arguments.all, change) for reference in references]

    @contextmanager
    def _transport(self, additions: Iterable[Addition]) -> Iterator[tuple[Transport, int]]:
        settings = self._settings([addition.reference for addition in additions])
        with opened(settings, self._environment, self._reporter) as transport:
            yield transport, settings.jobs

    def _show_digest(self, saved: SavedList) -> None:
        self._print(list_document(saved), [str(saved.manifest.digest)] if saved.manifest else [])

    def _print(self, document: Mapping[str, object], lines: Iterable[str]) -> None:
        text = json.dumps(document, indent=2, ensure_ascii=False) if self._arguments.json else "\n".join(lines)
        self._console.result(text)


def _wanted_push(arguments: argparse.Namespace) -> ListPush:
    selection = Selection.LISTED if arguments.instances or arguments.list_only else Selection.ALL
    system = stated_platform(arguments)
    if system != Platform() and not arguments.system:
        raise refused("--os, --arch, --variant", "say which system --system means, which is not given")
    if arguments.added and (arguments.system or selection is Selection.LISTED):
        raise refused("--add-compression", "needs the list and all of its instances to be pushed")
    return ListPush(
        destinations=tuple(read_value(text, parse_reference) for text in arguments.destinations),
        selection=Selection.SYSTEM if arguments.system else selection,
        instances=tuple(read_value(text, Digest.parse) for text in arguments.instances or ()),
        system=system,
        format=_FORMATS[arguments.kind],
        lossy=arguments.may_lose,
        remove_signatures=arguments.leave_signatures,
        compression=COMPRESSIONS[arguments.added or "keep"],
    )
