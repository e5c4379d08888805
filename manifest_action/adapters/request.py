"""Reading what a run was asked for: inputs by name, and the files that they point to (design section 4.2)."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from manifest_action.adapters.document import SIZE_LIMIT, read_documents
from manifest_action.adapters.textfile import read_bytes, read_text
from manifest_action.errors import ConfigError, Mark
from manifest_action.model.reference import DOCKER, Reference
from manifest_action.plan import node, options
from manifest_action.plan.attach import with_content
from manifest_action.plan.digests import digests_within, named_digests
from manifest_action.plan.inputs import Input, Request, given_inputs, index_inputs
from manifest_action.plan.keys import INDEX_KEYS
from manifest_action.plan.node import Node, Scalar
from manifest_action.plan.part import Part
from manifest_action.plan.problems import Problems
from manifest_action.plan.reader import read_specs
from manifest_action.plan.settings import DEFAULT_JOBS, SIGNING_JOBS, Settings
from manifest_action.plan.spec import AttachSpec, IndexSpec

ATTACHMENT_LIMIT = 64 * 1024 * 1024
"""Bytes of a file that is attached."""
_SECRETS = frozenset({"registries", "username", "password", "github-token"})
_METADATA_HINT = "write ${{ steps.ID.outputs.json }}, or env for what it left in the job's environment"
_PLACE_HINT = "a container action sees the workspace; what lies elsewhere on the runner is not visible in it"


def read_request(values: Mapping[str, str], directory: Path, *, root: Path | None = None) -> Request:
    """Read what `values`, from input ids such as `index-annotations` to their raw text, ask for.

    directory: where relative paths begin, unless the input `working-directory` says otherwise
    root:      files outside of it are not read; `directory` when None

    Blank values count as not given. Files are at most 256 KiB. Raises ConfigError with every problem of every
    input and file; secrets are never quoted.
    """
    return _Reader(values, directory, root or directory).request()


def read_settings(
    values: Mapping[str, str], directory: Path, references: Sequence[Reference] = (), *, root: Path | None = None
) -> Settings:
    """Read only how a run behaves, as `read_request` does it.

    references: what the inputs `username` and `password` are for
    """
    return _Reader(values, directory, root or directory).settings(references)


class _Reader:
    """One reading of inputs; what is wrong gathers until the end."""

    def __init__(self, values: Mapping[str, str], directory: Path, root: Path) -> None:
        self._problems = Problems()
        self._inputs = given_inputs(values, self._problems)
        self._directory = directory.absolute()
        self._root = root
        self._base = self._working_directory()
        self._is_complete = True
        """Whether everything could be read, so that what is missing was never given."""

    def request(self) -> Request:
        """Everything: specs and settings."""
        documents = self._documents()
        nodes = self._nodes(key.name for key in INDEX_KEYS)
        inputs = index_inputs(self._metadata() | nodes | self._digests())
        specs: tuple[IndexSpec, ...] = ()
        if self._is_complete:
            try:
                specs = read_specs(documents, inputs)
            except ConfigError as error:
                self._problems.absorb(error)
        specs = tuple(replace(spec, attach=tuple(map(self._attachment, spec.attach))) for spec in specs)
        jobs = SIGNING_JOBS if any(spec.sign for spec in specs) else DEFAULT_JOBS
        settings = self._settings(_login_references(specs), jobs)
        self._problems.raise_all()
        return Request(specs, settings, str(self._base))

    def settings(self, references: Sequence[Reference]) -> Settings:
        """The settings alone."""
        settings = self._settings(references)
        self._problems.raise_all()
        return settings

    def _settings(self, references: Sequence[Reference], jobs: int = DEFAULT_JOBS) -> Settings:
        parts = {
            name: Part(node, name, self._problems, secret=name in _SECRETS)
            for name, node in self._nodes(options.OPTIONS).items()
        }
        settings = options.read_settings(parts, references, jobs=jobs)
        return replace(
            settings,
            auth_file=self._path(settings.auth_file),
            ca_certificates=self._path(settings.ca_certificates),
            policy=self._path(settings.policy),
        )

    def _path(self, text: str) -> str:
        return str(self._base / os.path.expanduser(text)) if text else ""  # noqa: PTH111 - leaves an unknown ~ alone

    def _nodes(self, names: Iterable[str]) -> dict[str, Node]:
        """The inputs of these names, each as a node."""
        nodes: dict[str, Node] = {}
        for name in names:
            if given := self._inputs.get(name):
                documents = self._parsed(given) if given.is_yaml else (given.scalar(),)
                if len(documents) == 1:
                    nodes[name] = documents[0]
                elif documents:
                    self._refuse("holds several documents", given.mark, name)
        return nodes

    def _parsed(self, given: Input) -> Sequence[Node]:
        """The documents of an input that is YAML."""
        return self._read(given.text, given.mark.file, secret=given.name in _SECRETS)

    def _read(self, text: str, file: str, *, secret: bool = False) -> Sequence[Node]:
        try:
            documents = read_documents(text, file, secret=secret, problems=self._problems)
        except ConfigError as error:
            self._problems.absorb(error)
            self._is_complete = False
            return ()
        if not documents:
            self._refuse("holds no document", Mark(file, 1, 1))
        return documents

    def _refuse(self, what: str, mark: Mark, path: str = "", hint: str = "") -> None:
        self._problems.add(what, mark, path=path, hint=hint)
        self._is_complete = False

    def _documents(self) -> Sequence[Node]:
        """The documents of the spec: of its text, or of the files that it names."""
        given = self._inputs.get("spec")
        if given is None:
            return ()
        if given.is_yaml:
            return self._parsed(given)
        return [document for line in given.scalar().pieces(commas=False) for document in self._file(line)]

    def _file(self, line: Scalar, name: str = "spec") -> Sequence[Node]:
        path = self._base / line.text
        try:
            text = read_text(path, self._root, SIZE_LIMIT)
        except ValueError as error:
            self._refuse(f"file {line.text[:200]!r} {error}", line.mark, name)
            return ()
        return self._read(text, os.path.relpath(path, self._directory))

    def _attachment(self, wanted: AttachSpec) -> AttachSpec:
        """What is to be attached, with the bytes of its file."""
        try:
            return with_content(wanted, read_bytes(self._base / wanted.file, self._root, ATTACHMENT_LIMIT))
        except ValueError as error:
            what = f"file {wanted.file[:200]!r} {error}"
            self._problems.add(what, wanted.mark, path=wanted.path)
            return wanted

    def _digests(self) -> dict[str, Node]:
        """The sources that the input `digests` names, in the repository of the main destination."""
        given = self._inputs.get("digests")
        if given is None:
            return {}
        if "sources" in self._inputs:
            self._refuse("sources and digests are both given", given.mark, "digests", "give one of them")
        found = self._found_digests(given)
        if not found:
            self._refuse("holds no digest", given.mark, "digests", "a digest looks like sha256:<64 hex digits>")
        return {"sources": node.Sequence(tuple({digest.text: digest for digest in found}.values()), given.mark)}

    def _found_digests(self, given: Input) -> Sequence[Scalar]:
        if given.is_yaml:
            return [digest for document in self._parsed(given) for digest in digests_within(document)]
        if given.text.lstrip().startswith("sha256:"):
            return list(given.scalar().pieces(commas=True))
        path = given.text.strip()
        if path.endswith(".json"):
            return self._digests_in_file(Scalar(path, given.mark))
        try:
            names = [entry.name for entry in (self._base / path).iterdir()]
        except (OSError, ValueError):
            what = f"{path[:200]!r} is neither a directory that can be read nor JSON"
            self._refuse(what, given.mark, "digests", _PLACE_HINT)
            return ()
        files = [Scalar(f"{path}/{name}", given.mark) for name in sorted(names) if name.endswith(".json")]
        written = [digest for file in files for digest in self._digests_in_file(file)]
        return written + list(
            named_digests([name for name in names if not name.endswith(".json")], given.mark, self._problems)
        )

    def _digests_in_file(self, line: Scalar) -> Sequence[Scalar]:
        """Those in a JSON file, such as what `docker buildx bake --metadata-file` writes."""
        return [digest for document in self._file(line, "digests") for digest in digests_within(document)]

    def _metadata(self) -> dict[str, Node]:
        """The tags and annotations that docker/metadata-action has worked out; inputs that say the same win."""
        given = self._inputs.get("metadata")
        if given is None:
            return {}
        documents = self._parsed(given) if given.is_yaml else ()
        if len(documents) != 1 or not isinstance(documents[0], node.Mapping):
            if self._is_complete:
                self._refuse("is not the JSON of docker/metadata-action", given.mark, "metadata", _METADATA_HINT)
            return {}
        fields = {key.text: value for key, value in documents[0].entries}
        annotations = next((found for name in ("annotations", "labels") if _is_filled(found := fields.get(name))), None)
        nodes = {"tags": fields.get("tags"), "annotations": annotations}
        return {name: found for name, found in nodes.items() if found is not None and _is_filled(found)}

    def _working_directory(self) -> Path:
        given = self._inputs.get("working-directory")
        if given is None:
            return self._directory
        text = given.text.strip()
        directory = self._directory / text
        if "\0" in text or not directory.is_dir() or not directory.resolve().is_relative_to(self._root.resolve()):
            self._problems.fail(
                f"{text[:200]!r} is no directory of the workspace", given.mark, path="working-directory"
            )
        return directory


def _is_filled(found: Node | None) -> bool:
    return bool(
        (isinstance(found, node.Sequence) and found.items) or (isinstance(found, node.Mapping) and found.entries)
    )


def _login_references(specs: Sequence[IndexSpec]) -> list[Reference]:
    """The main destinations at registries, or when there is none, everything else that is at one."""
    mains = [spec.main for spec in specs]
    others = [spec.destinations + tuple(source.reference for source in spec.sources) for spec in specs]
    found = [reference for reference in mains if reference.repository.transport == DOCKER]
    return found or [each for references in others for each in references if each.repository.transport == DOCKER]
