"""Letting in only what the signature policy allows: every source instance, before its content is used.

As containers/image does it, an image is checked under the name that the user gave for it, and each instance of an
index on its own: signatures of the index itself say nothing about what it lists.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from manifest_action.events import Reporter, SourcesAdmitted
from manifest_action.model.reference import Reference
from manifest_action.ops.instance import Instance, ResolvedIndex
from manifest_action.ops.rules import Image, Rules
from manifest_action.ops.waves import Waves
from manifest_action.transport.base import Transport


def admit(
    indexes: Sequence[ResolvedIndex], rules: Rules, transport: Transport, waves: Waves, reporter: Reporter
) -> None:
    """Check every image that the indexes take in, in one wave.

    Raises PolicyError that names the first image that is refused, the requirement and why; further ones are in its
    `others`. What finding signatures raises is raised too: what cannot be checked is not used.
    """
    images = list(dict.fromkeys(image for index in indexes for image in _images(index)))
    if rules.policy is not None and not rules.policy.is_open:
        # What reads signatures is heavy, and the policy that most systems come with asks for none.
        from manifest_action.ops.judge import judge  # noqa: PLC0415

        judge(images, rules.policy, rules, transport, waves)
    reporter.emit(SourcesAdmitted(rules.origin, len(images)))


def _images(index: ResolvedIndex) -> Iterator[Image]:
    for instance in index.instances:
        # What was converted has a digest of its own; signatures are about what was read.
        read = instance.source.digest if instance.converted else None
        digest = read or instance.descriptor.digest
        whole = digest == instance.source.digest
        for asked in _asked(index, instance):
            yield Image(asked, digest, whole, instance.is_attestation, instance.mark)


def _asked(index: ResolvedIndex, instance: Instance) -> Sequence[Reference]:
    """The references under which the user asked for an instance; for what is there already, the destination."""
    for named in ([source.reference for source in index.spec.sources], [index.spec.main]):
        if found := [name for name in named if _leads_to(name, instance.source)]:
            return list(dict.fromkeys(found))
    return [instance.source]


def _leads_to(name: Reference, pinned: Reference) -> bool:
    return name.digest in (None, pinned.digest) and replace(name, digest=pinned.digest) == pinned
