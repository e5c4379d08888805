"""Putting indexes into their repositories under their digests; no tag is touched here.

One index for one repository may go with its tags instead, which saves a round trip: nothing can differ between them.
"""

from collections.abc import Sequence

from manifest_action.events import ManifestPushed, Reporter
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Repository
from manifest_action.ops.account import Account
from manifest_action.ops.instance import AssembledIndex
from manifest_action.ops.listing import list_referrers
from manifest_action.ops.waves import Waves
from manifest_action.plan.spec import Existing
from manifest_action.transport.base import TaggedPusher, Transport


def goes_with_its_tags(indexes: Sequence[AssembledIndex], transport: Transport) -> bool:
    """Whether the tags may carry the only index: nothing is put beside it, it has one repository, and a tag moves."""
    if len(indexes) != 1 or len(indexes[0].spec.repositories) != 1:
        return False
    (index,) = indexes
    moves = any(digest != index.manifest.digest for digest in map(index.current.get, index.spec.tags))
    alone = not index.spec.sign and not index.spec.attach
    plain = alone and index.spec.existing is Existing.REPLACE and index.manifest.subject is None
    return moves and plain and isinstance(transport.destination(index.spec.repositories[0]), TaggedPusher)


def push(
    indexes: Sequence[AssembledIndex], transport: Transport, waves: Waves, reporter: Reporter, account: Account
) -> None:
    """See that every repository holds its indexes.

    A repository where a tag already points to the digest holds it, so nothing is asked or sent there.
    Raises what the transports raise.
    """
    wanted = {
        (repository, index.manifest.digest): index.manifest
        for index in indexes
        for repository in index.spec.repositories
    }
    tagged = {tag.repository for index in indexes for tag in index.spec.tags}
    known = {
        (tag.repository, digest) for index in indexes for tag, digest in index.current.items() if digest is not None
    }

    def put(place: tuple[Repository, Digest]) -> None:
        repository, digest = place
        destination = transport.destination(repository)
        present = place in known or (repository not in tagged and destination.has_manifest(wanted[place].descriptor))
        if not present:
            destination.push_manifest(wanted[place])
        account.stored(repository, digest, present=present)
        reporter.emit(ManifestPushed(repository, digest, present=present))

    waves.map(put, wanted)
    list_referrers(((repository, manifest) for (repository, _), manifest in wanted.items()), transport, waves)
