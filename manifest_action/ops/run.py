"""The whole run, step after step (design section 1): the only place that sees all of them.

Nothing is written before every index is assembled; no tag moves before every index is in place.
Steps that only some runs take are imported where they begin, as starting is a part of every run's time.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from manifest_action.errors import ManifestActionError, SigningError
from manifest_action.events import IndexAssembled, Reporter, Stage, StageStarted
from manifest_action.ops.account import Account
from manifest_action.ops.assembly import assemble_sources
from manifest_action.ops.copy import copy
from manifest_action.ops.instance import AssembledIndex
from manifest_action.ops.outcome import Outcome
from manifest_action.ops.push import goes_with_its_tags
from manifest_action.ops.push import push as push_indexes
from manifest_action.ops.tag import check_tags, tag
from manifest_action.ops.waves import Waves
from manifest_action.plan.plan import Plan
from manifest_action.plan.spec import Protection, Referrers, SignerSpec
from manifest_action.transport.base import Transport

if TYPE_CHECKING:
    from manifest_action.ops.attached import Delivery
    from manifest_action.ops.sign import Preparation
    from manifest_action.signing.base import Signer
    from manifest_action.signing.provenance import Build
    from manifest_action.signing.registriesd import Registries

Signers = Mapping[SignerSpec, "Signer"]
Assembly = Callable[[Plan, Transport, Waves, Reporter], tuple[AssembledIndex, ...]]


class _Run:
    """One run: the steps in their order, and the account of what they did."""

    def __init__(self, plan: Plan, transport: Transport, waves: Waves, reporter: Reporter, account: Account) -> None:
        self._plan = plan
        self._transport = transport
        self._waves = waves
        self._reporter = reporter
        self._account = account
        self._attachments: list[Delivery] = []

    def prepare(self, assembly: Assembly, readers: Waves) -> tuple[AssembledIndex, ...]:
        """Read everything and compute every index; no write happens."""
        self._transport.prepare(self._plan.accesses)
        assembled = assembly(self._plan, self._transport, readers, self._reporter)
        self._account.assembled(assembled)
        self._attachments = _attachments(assembled)
        for index in assembled:
            manifest = index.manifest
            size = len(manifest.raw)
            self._reporter.emit(IndexAssembled(str(index.spec.main), manifest.digest, manifest.media_type, size))
        return assembled

    def publish(
        self,
        assembled: tuple[AssembledIndex, ...],
        signers: Signers,
        registries: "Registries | None",
        build: "Build | None",
    ) -> None:
        """Write children, then indexes, then what is attached to them, then signatures, then tags."""
        place = (self._transport, self._waves, self._reporter, self._account)
        found = self._look_for_attached(assembled)
        signing = self._begin_to_sign(assembled, signers, found)
        self._begin(Stage.COPY, sum(len(index.instances) for index in assembled), "child", "children")
        copy(assembled, *place)
        carrying = goes_with_its_tags(assembled, self._transport)
        if not carrying:
            self._begin(Stage.PUSH, len(assembled), "index", "indexes")
            push_indexes(assembled, *place)
        self._attach(found())
        if signing:
            self._sign(assembled, signing, registries)
            self._attest([index for index in assembled if index.spec.provenance], signers, build)
            self._verify([index for index in assembled if index.spec.verify and index.spec.sign], signers, registries)
        if any(index.spec.protect is not Protection.NO for index in assembled):
            from manifest_action.ops.protect import protect  # noqa: PLC0415

            self._begin(Stage.PROTECT, len(assembled), "index", "indexes")
            protect(assembled, *place)
        self._begin(Stage.TAG, sum(len(index.spec.tags) for index in assembled), "tag", "tags")
        tag(assembled, *place, carrying=carrying)
        check_tags([tag for report in self._account.reports for tag in report.tags])
        if temporary := sum(len(index.spec.cleanup) for index in assembled):
            from manifest_action.ops.cleanup import cleanup  # noqa: PLC0415

            self._begin(Stage.CLEAN_UP, temporary, "tag", "tags")
            cleanup(assembled, *place)

    def _look_for_attached(self, assembled: tuple[AssembledIndex, ...]) -> "Callable[[], list[Delivery]]":
        """Begin to look for what is attached to that which goes elsewhere, while it is on its way."""
        if not any(map(_goes_elsewhere, assembled)):
            return list
        from manifest_action.ops.attached import find, trips  # noqa: PLC0415

        wanted = trips(assembled, self._transport)

        def look() -> "list[Delivery]":
            with self._waves.half() as waves:
                return find(wanted, self._transport, waves, self._reporter)

        return self._waves.aside(look) if wanted else list

    def _attach(self, found: "list[Delivery]") -> None:
        deliveries = [*found, *self._attachments]
        if not deliveries:
            return
        from manifest_action.ops.deliver import deliver  # noqa: PLC0415

        self._begin(Stage.ATTACH, len(deliveries), "artifact", "artifacts")
        deliver(deliveries, self._transport, self._waves, self._reporter, self._account)

    def _begin_to_sign(
        self, assembled: tuple[AssembledIndex, ...], signers: Signers, found: "Callable[[], list[Delivery]]"
    ) -> "Preparation | None":
        """Begin to sign what is on its way, unless it brings signatures along."""
        if not signers:
            return None
        from manifest_action.ops.sign import Preparation  # noqa: PLC0415

        preparation = Preparation(assembled, signers, self._transport, self._waves)
        preparation.begin(found)
        return preparation

    def _sign(
        self, assembled: tuple[AssembledIndex, ...], preparation: "Preparation", registries: "Registries | None"
    ) -> None:
        from manifest_action.ops.sign import sign  # noqa: PLC0415
        from manifest_action.ops.signatures import signed_digests  # noqa: PLC0415
        from manifest_action.signing.registriesd import NOWHERE  # noqa: PLC0415

        subjects = {digest for index in assembled for digest in signed_digests(index)}
        self._begin(Stage.SIGN, len(subjects), "manifest", "manifests")
        place = (self._transport, self._waves, self._reporter)
        sign(preparation.finish(), *place, record=self._account.signed, registries=registries or NOWHERE)

    def _attest(self, stated: list[AssembledIndex], signers: Signers, build: "Build | None") -> None:
        if not stated:
            return
        from manifest_action.ops.attest import attest  # noqa: PLC0415

        self._begin(Stage.ATTEST, len(stated), "index", "indexes")
        attest(
            stated,
            signers,
            build,
            transport=self._transport,
            waves=self._waves,
            reporter=self._reporter,
            account=self._account,
        )

    def _verify(self, checked: list[AssembledIndex], signers: Signers, registries: "Registries | None") -> None:
        if not checked:
            return
        from manifest_action.ops.verify import verify_signed  # noqa: PLC0415
        from manifest_action.signing.registriesd import NOWHERE  # noqa: PLC0415

        self._begin(Stage.VERIFY, len(checked), "index", "indexes")
        verify_signed(checked, signers, self._transport, self._waves, registries or NOWHERE)

    def _begin(self, stage: Stage, number: int, one: str, many: str) -> None:
        self._reporter.emit(StageStarted.with_number(stage, number, one, many))


def _opened_signers(plan: Plan, opening: "Callable[[SignerSpec], Signer]") -> Signers:
    if not any(spec.sign for spec in plan.indexes):
        return {}
    from manifest_action.ops.sign import open_signers  # noqa: PLC0415

    return open_signers(plan, opening)


def _refuse_to_sign(wanted: SignerSpec) -> "Signer":
    raise SigningError(f"nothing is signed here, and {wanted.name} was asked for")


def run(
    plan: Plan,
    transport: Transport,
    reporter: Reporter,
    *,
    jobs: int,
    push: bool,
    assembly: Assembly = assemble_sources,
    opening: "Callable[[SignerSpec], Signer]" = _refuse_to_sign,
    registries: "Registries | None" = None,
    build: "Build | None" = None,
) -> Outcome:
    """Carry out a plan.

    jobs:     how many requests are under way at once, 1 to 64
    push:     False stops after assembling; nothing is written then
    assembly: gives the indexes of the plan, in its order, without writing anything
    opening:  gives the signer of a spec with its key read, which happens before anything else
    registries: where lookasides are; None is nowhere
    build:    on whose behalf this is done, for statements about it; None when nobody says

    An expected failure ends up in `Outcome.error`, with the reports as far as the run got.
    """
    account = Account(plan.indexes)
    try:
        with Waves(jobs) as waves:
            signers = _opened_signers(plan, opening) if push else {}
            running = _Run(plan, transport, waves, reporter, account)
            with Waves(jobs * plan.places) as readers:
                assembled = running.prepare(assembly, readers)
            if push:
                running.publish(assembled, signers, registries, build)
    except ManifestActionError as error:
        return Outcome(account.reports, error, dry_run=not push)
    return Outcome(account.reports, dry_run=not push)


def _attachments(assembled: tuple[AssembledIndex, ...]) -> "list[Delivery]":
    """The files to attach; AssembleError as `attach.attachments`."""
    if not any(index.spec.attach for index in assembled):
        return []
    from manifest_action.ops.attach import attachments  # noqa: PLC0415

    return attachments(assembled)


def _goes_elsewhere(index: AssembledIndex) -> bool:
    """Whether something of an index goes to another repository, and what is attached to it shall follow."""
    homes = {instance.origin for instance in index.instances}
    return index.spec.referrers is Referrers.COPY and any(homes - {place} for place in index.spec.repositories)
