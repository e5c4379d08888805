"""What the job summary says of signatures: how to verify them with cosign, and what Podman needs to insist on them."""

import base64
import json
from collections.abc import Sequence
from shlex import quote

from manifest_action.adapters.report import images
from manifest_action.adapters.text import count, printable
from manifest_action.ops.outcome import IndexReport, SignatureReport
from manifest_action.signing.base import Author, Kind

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
    authors = (each.author for each in report.signatures if each.kind == Kind.KEYLESS)
    for author in dict.fromkeys(authors):
        lines += _certified(report, author)
    return lines


def _cosign(report: IndexReport, signatures: Sequence[SignatureReport]) -> list[str]:
    """The command for cosign. Nothing is written into the public log, so it is told not to look there."""
    old = "" if any(each.kind == Kind.COSIGN_BUNDLE for each in signatures) else " --new-bundle-format=false"
    option = f"--key cosign.pub --insecure-ignore-tlog=true{old}"
    return _block("sh", "\n".join(f"cosign verify {option} {image}" for image in images(report)))


def _certified(report: IndexReport, author: Author) -> list[str]:
    """Who signed without a key, and the command for cosign; a private Sigstore has to be trusted by a file."""
    private = any(signer.options.get("trust-config") for signer in report.spec.sign if signer.name == Kind.KEYLESS)
    root = " --trusted-root trusted_root.json" if private else ""
    subject, issuer = (printable(name) for name in (author.subject, author.issuer))
    names = f"--certificate-identity {quote(subject)} --certificate-oidc-issuer {quote(issuer)}"
    lines = [f"Signed by `{subject}`, for whom `{issuer}` vouched.", ""]
    if private:
        lines += ["`trusted_root.json` is what `trustedRoot` has in the trust configuration.", ""]
    return lines + _block("sh", "\n".join(f"cosign verify {names}{root} {image}" for image in images(report)))


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
