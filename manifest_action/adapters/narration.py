"""Events in plain words, the same for every place they are shown."""

from manifest_action.adapters.text import bytes_text, count, printable
from manifest_action.events import (
    ArtifactStored,
    BlobProgress,
    BlobTransferred,
    Event,
    IndexAssembled,
    InstanceCompressed,
    InstanceConverted,
    ManifestPushed,
    Retrying,
    SecretLearned,
    SignatureStored,
    SourceResolved,
    SourcesAdmitted,
    StageStarted,
    TagRemoved,
    TagSettled,
    TagState,
    Transfer,
    Warned,
)


def narrate(event: Event) -> str:
    """One printable line about an event; empty for secrets, and for what only totals or terminals show."""
    line = ""
    match event:
        case SecretLearned() | BlobProgress():
            pass
        case StageStarted():
            line = f"{event.stage.capitalize()} {event.subject}"
        case SourceResolved() | SourcesAdmitted() | InstanceConverted() | InstanceCompressed():
            line = _source_words(event)
        case IndexAssembled():
            line = f"{event.label} becomes {event.digest}, {bytes_text(event.size)}, {event.media_type}"
        case BlobTransferred() | ManifestPushed() | SignatureStored() | ArtifactStored():
            line = _content_words(event)
        case TagSettled():
            line = f"{event.reference} {_tag_words(event)}"
        case TagRemoved():
            line = f"{event.reference} {event.state}"
        case Retrying():
            line = f"{event.host}: try {event.attempt} failed, again in {event.delay:.1f} s: {event.reason}"
        case Warned():
            line = f"{event.mark}: {event.text}" if event.mark else event.text
    return printable(line)


def _source_words(event: SourceResolved | SourcesAdmitted | InstanceConverted | InstanceCompressed) -> str:
    match event:
        case SourceResolved():
            return f"{event.reference} is {event.digest}: {', '.join(map(str, event.platforms)) or 'no platform'}"
        case SourcesAdmitted(policy=""):
            return "no signature policy is given or installed; sources are accepted as they are"
        case SourcesAdmitted():
            return f"{count(event.images, 'image')} of the sources allowed by {event.policy}"
        case InstanceConverted():
            return f"{event.source}: {event.original} converted to {event.format}, now {event.digest}"
        case InstanceCompressed():
            return f"{event.source}: {event.original} is there with {event.compression} too, as {event.digest}"


def _content_words(event: BlobTransferred | ManifestPushed | SignatureStored | ArtifactStored) -> str:
    match event:
        case BlobTransferred(transfer=Transfer.PRESENT) | ManifestPushed(present=True):
            return ""
        case SignatureStored(present=True) | ArtifactStored(present=True):
            return ""
        case BlobTransferred():
            return f"{event.transfer} {event.digest} ({bytes_text(event.size)}) to {event.repository}"
        case ManifestPushed():
            return f"pushed {event.digest} to {event.repository}"
        case SignatureStored():
            return f"signed {event.subject}, {event.kind} at {event.address or event.location}"
        case ArtifactStored():
            return f"attached {event.type} to {event.subject}, at {event.location}"


def _tag_words(event: TagSettled) -> str:
    if event.state is TagState.MOVED and event.previous is not None:
        return f"moved from {event.previous}"
    return event.state.value
