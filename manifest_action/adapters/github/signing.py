"""What the job summary says of signatures: how to verify them, and what Podman and notation need to insist on them."""

import base64
import json
from collections.abc import Mapping, Sequence
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
            attachments = {
                str(repository): {"use-sigstore-attachments": True} for repository in report.spec.repositories
            }
            lines += _containers(report, {"type": "sigstoreSigned"}, key, attachments)
    for signature in _one_by_author(report, Kind.GPG):
        lines += _simple(report, signature)
    for signature in _one_by_author(report, Kind.NOTATION):
        lines += _notation(report, signature.author)
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


def _one_by_author(report: IndexReport, kind: Kind) -> list[SignatureReport]:
    """A signature of a kind for each of those who made any."""
    return list({each.author: each for each in report.signatures if each.kind == kind}.values())


def _simple(report: IndexReport, signature: SignatureReport) -> list[str]:
    """Who signed with GPG, and the files of Podman, skopeo and CRI-O; none says where signatures a registry keeps."""
    places = {
        str(each.location.repository): each.address.rpartition(f"/{each.location.repository.name}@")[0]
        for each in report.signatures
        if each.kind == Kind.GPG and each.author == signature.author and each.address
    }
    lines = [f"Signed by the GPG key `{signature.author.subject}`.", ""]
    section = {scope: {"lookaside": place} for scope, place in places.items()}
    lines += _containers(report, {"type": "signedBy", "keyType": "GPGKeys"}, signature.author.public_key, section)
    if places:
        lines += [
            "`lookaside` is where the signatures were written: put the address there at which you publish it.",
            "",
        ]
    return lines


def _notation(report: IndexReport, author: Author) -> list[str]:
    """What notation needs: the root certificate, a trust policy, and the command."""
    statement = {
        "name": "images",
        "registryScopes": [str(repository) for repository in report.spec.repositories],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:images"],
        "trustedIdentities": [f"x509.subject: {author.subject}"],
    }
    commands = ["notation cert add --type ca --store images root.pem", "notation policy import trustpolicy.json"]
    commands += [f"notation verify {image}" for image in images(report)]
    return [
        f"Signed by `{author.subject}`. The root certificate, `root.pem`:",
        "",
        *_block("", author.public_key.strip()),
        "For notation, `trustpolicy.json`:",
        "",
        *_block("json", json.dumps({"version": "1.0", "trustPolicies": [statement]}, indent=2)),
        *_block("sh", "\n".join(commands)),
    ]


def _containers(
    report: IndexReport, rule: Mapping[str, str], key: str, sections: Mapping[str, Mapping[str, object]]
) -> list[str]:
    """The two files of Podman, skopeo and CRI-O. sections: of registries.d by scope; without any it is left out."""
    encoded = base64.b64encode(key.encode()).decode()
    scopes = {str(repository): [{**rule, "keyData": encoded}] for repository in report.spec.repositories}
    policy = {"default": [{"type": "reject"}], "transports": {"docker": scopes}}
    lines = [
        "For Podman, skopeo and CRI-O, in `/etc/containers/policy.json`:",
        "",
        *_block("json", json.dumps(policy, indent=2)),
    ]
    if not sections:
        return lines
    return [
        *lines,
        "and in `/etc/containers/registries.d/signatures.yaml`:",
        "",
        *_block("yaml", json.dumps({"docker": sections}, indent=2)),
    ]


def _block(language: str, text: str) -> list[str]:
    return [f"```{language}", text, "```", ""]
