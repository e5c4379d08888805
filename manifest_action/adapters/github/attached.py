"""What the job summary says of attached things: how many there are of what kind, and how to look at them."""

import re
from collections import Counter

from manifest_action.adapters.report import images
from manifest_action.adapters.text import count
from manifest_action.model.reference import DOCKER
from manifest_action.ops.outcome import IndexReport, SignatureReport
from manifest_action.signing.base import Kind

_GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
_WORKFLOW = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)/\.github/workflows/[^@\s]+@\S+")
_PLAIN = re.compile(r"[\w.+/-]{1,255}")


def attached_lines(report: IndexReport) -> list[str]:
    """Markdown lines about what came along with an index's images or was attached; none when there is nothing."""
    if not report.attached:
        return []
    kinds = Counter(each.type for each in report.attached)
    came = sum(each.source is not None for each in report.attached)
    new = sum(each.added for each in report.attached)
    total = count(len(report.attached), "artifact")
    lines = [
        f"{total} attached, {new} new: {came} came along with images, {len(report.attached) - came} from files.",
        "",
        *(f"- {number} × `{kind}`" for kind, number in sorted(kinds.items()) if _PLAIN.fullmatch(kind)),
        "",
    ]
    if report.spec.main.repository.transport == DOCKER:
        lines += ["```sh", f"oras discover {images(report)[0]}", "```", ""]
    return lines


def provenance_lines(report: IndexReport) -> list[str]:
    """How to verify the statements of how the index was made; none when there is none."""
    made = [each for each in report.signatures if each.kind == Kind.PROVENANCE]
    commands = dict.fromkeys(command for each in made for command in _commands(each))
    return ["How it was made:", "", "```sh", *commands, "```", ""] if commands else []


def _commands(statement: SignatureReport) -> list[str]:
    """Those that hold for this statement. GitHub's own program takes what GitHub's workflows have signed only."""
    author = statement.author
    image = f"{statement.location.repository}@{statement.subject}"
    verify = "cosign verify-attestation --type slsaprovenance1"
    if author.public_key:
        return [f"{verify} --key cosign.pub --insecure-ignore-tlog=true {image}"]
    said = f"--certificate-identity {_quoted(author.subject)} --certificate-oidc-issuer {_quoted(author.issuer)}"
    lines = [f"{verify} {said} {image}"]
    workflow = _WORKFLOW.fullmatch(author.subject) if author.issuer == _GITHUB_ISSUER else None
    if workflow:
        lines.append(f"gh attestation verify oci://{image} --repo {workflow[1]} --bundle-from-oci")
    return lines


def _quoted(text: str) -> str:
    """One word for a shell; only what identities are made of is left in it."""
    return "'" + re.sub(r"[^\w:/@.+=,~*-]", "", text) + "'"
