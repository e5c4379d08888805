"""What the job summary says of signatures: how to verify them with cosign, and what Podman needs to insist on them."""

import base64
import json
from collections.abc import Sequence

from manifest_action.adapters.report import images
from manifest_action.adapters.text import count
from manifest_action.ops.outcome import IndexReport, SignatureReport
from manifest_action.signing.base import Kind

_BY_KEY = (Kind.COSIGN_BUNDLE, Kind.COSIGN_TAG)


def signing_lines(report: IndexReport) -> list[str]:
    """Markdown lines about an index's signatures; none when it has none."""
    if not report.signatures:
        return []
    added = sum(signature.added for signature in report.signatures)
    subjects = len({signature.subject for signature in report.signatures})
    kinds = ", ".join(sorted({signature.kind for signature in report.signatures}))
    lines = [f"{count(subjects, 'manifest')} signed ({kinds}), {added} of {len(report.signatures)} signatures new.", ""]
    keys = (signature.author.public_key for signature in report.signatures if signature.kind in _BY_KEY)
    for key in dict.fromkeys(keys):
        own = [each for each in report.signatures if each.kind in _BY_KEY and each.author.public_key == key]
        lines += ["The public key, `cosign.pub`:", "", *_block("", key.strip()), *_cosign(report, own)]
        if any(signature.kind == Kind.COSIGN_TAG for signature in own):
            lines += _containers(report, key)
    return lines


def _cosign(report: IndexReport, signatures: Sequence[SignatureReport]) -> list[str]:
    """The command for cosign. Nothing is written into the public log, so it is told not to look there."""
    old = "" if any(each.kind == Kind.COSIGN_BUNDLE for each in signatures) else " --new-bundle-format=false"
    option = f"--key cosign.pub --insecure-ignore-tlog=true{old}"
    return _block("sh", "\n".join(f"cosign verify {option} {image}" for image in images(report)))


def _containers(report: IndexReport, key: str) -> list[str]:
    """The two files of Podman, skopeo and CRI-O."""
    encoded = base64.b64encode(key.encode()).decode()
    rule = [{"type": "sigstoreSigned", "keyData": encoded}]
    scopes = {str(repository): rule for repository in report.spec.repositories}
    policy = {"default": [{"type": "reject"}], "transports": {"docker": scopes}}
    attachments = {"docker": {scope: {"use-sigstore-attachments": True} for scope in scopes}}
    return [
        "For Podman, skopeo and CRI-O, in `/etc/containers/policy.json`:",
        "",
        *_block("json", json.dumps(policy, indent=2)),
        "and in `/etc/containers/registries.d/signatures.yaml`:",
        "",
        *_block("yaml", json.dumps(attachments, indent=2)),
    ]


def _block(language: str, text: str) -> list[str]:
    return [f"```{language}", text, "```", ""]
