"""The arguments of the `manifest-action` command, and nothing heavier, so that help and version are instant."""

import argparse
from collections.abc import Callable, Mapping

from manifest_action import __version__
from manifest_action.adapters.shared_arguments import POLICY_HELP, SETTINGS, add_output, add_settings

_EPILOG = """\
exit codes: 0 success, 2 spec or arguments, 3 a source, 4 the resulting index, 5 a registry's refusal, 6 login,
7 network, 8 rate limit, 9 content does not match its digest, 10 local files, 11 signing, 12 signature policy,
13 some tags did not move, 70 a bug, 130 and 143 stopped"""

_INDEX_OPTIONS = {
    "image": ("REFERENCE", "main destination, such as ghcr.io/acme/app:1.4.2 or oci:./out:1.4.2"),
    "digests": ("DIRECTORY|FILE", "take the sources from files named by digest, or from JSON that buildx wrote"),
    "metadata": ("JSON|env", "take tags and annotations from docker/metadata-action's JSON"),
    "expect": ("PLATFORM[,…]", "exactly these platforms must result, else nothing is written"),
    "format": ("auto|oci|docker|v2s1", "convert to this kind (default auto: as they are, docker only if all are)"),
    "lossy": ("true|false", "leave out what the format cannot hold instead of failing (default false)"),
    "attestations": ("keep|drop", "what happens to buildx attestation entries (default keep)"),
    "existing": ("replace|append|keep-equal", "what happens to tags that exist (default replace)"),
    "artifact-type": ("TYPE", "artifactType of the index (OCI only)"),
    "subject": ("REFERENCE", "what the index is about, in the same repository (OCI only)"),
    "protect-children": ("digest|platform", "give the images of the index tags, so that nothing prunes them"),
    "referrers": ("copy|skip", "signatures, SBOMs and the like of images from elsewhere come along (default copy)"),
    "remove-signatures": ("true|false", "leave the signatures among them behind (default false)"),
    "provenance": ("true|false", "attach a signed SLSA statement of how the index was made (default false)"),
    "verify": ("true|false", "read signatures back before any tag moves (default false)"),
}
_REPEATED_OPTIONS = {
    "tag": ("tags", "TAG", "a further tag, or a full reference to anywhere; repeatable"),
    "source": ("sources", "REFERENCE", "an image or index to take in; repeatable"),
    "sign": (
        "sign",
        "SIGNER",
        "sign before any tag moves: cosign (key from COSIGN_PRIVATE_KEY), keyless (identity of the CI job); repeatable",
    ),
    "cleanup-tag": (
        "cleanup-tags",
        "TAG",
        "take a temporary tag away after success (true: the sources' tags)",
    ),
    "attach": ("attach", "FILE", "attach a file about the index, such as an SBOM; repeatable"),
    "annotation": ("annotations", "[LEVEL:]KEY=VALUE", "an annotation, prefixed as buildx does; repeatable"),
}
VALUES = (*_INDEX_OPTIONS, *SETTINGS, "compression", "policy", "shard")
"""Options with one value, named as the action's inputs."""
LISTS = ("tags", "sources", "annotations", "attach", "sign", "cleanup-tags", "insecure-registries")
"""Repeatable options, by the input they make up."""


def parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """What the command understands.

    chosen: the one command whose options are wanted, as adding those of all takes a while; None for all of them
    """
    top = argparse.ArgumentParser(
        prog="manifest-action",
        description="Join per-architecture images into one multi-arch image, push it, and print its digest.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"manifest-action {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, prog=top.prog)
    for name, (text, fill) in _COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        if chosen in (None, name):
            fill(command)
    return top


def _push(command: argparse.ArgumentParser) -> None:
    _add_index(command)
    command.add_argument("--dry-run", action="store_true", help="the same as the command plan")


def _plan(command: argparse.ArgumentParser) -> None:
    _add_index(command)
    text = "ask nobody anything, and print a job matrix of N even parts of the indexes, as JSON"
    command.add_argument("--matrix", metavar="N", help=text)


def _inspect(command: argparse.ArgumentParser) -> None:
    add_output(command)
    add_settings(command)
    command.add_argument("reference", metavar="REFERENCE", help="such as ghcr.io/acme/app:1.4.2 or oci:./out:1.4.2")


def _step(_: argparse.ArgumentParser) -> None:
    """A step has inputs instead of options."""


def _verify(verify: argparse.ArgumentParser) -> None:
    add_output(verify)
    add_settings(verify)
    verify.add_argument("reference", metavar="REFERENCE", help="such as ghcr.io/acme/app:1.4.2")
    verify.add_argument("--key", metavar="KEY", help="the public key: a file, or env://NAME")
    verify.add_argument("--keyring", metavar="FILE", help="public GPG keys, as `gpg --export` writes them")
    verify.add_argument("--lookaside", metavar="URL", help="where GPG signatures are (default: as registries.d says)")
    verify.add_argument("--trust-store", metavar="PATH", help="notation: a PEM file of certificates, or a directory")
    verify.add_argument(
        "--trust-policy", metavar="FILE", help="notation: a trustpolicy.json; the store is truststore/x509"
    )
    verify.add_argument(
        "--trusted-identity", action="append", metavar="SUBJECT", help="notation: who may have signed; repeatable"
    )
    verify.add_argument("--format", choices=("both", "bundle", "tag"), default="both", help="what must be there")
    verify.add_argument("--certificate-identity", metavar="NAME", help="whose keyless signature must be there")
    verify.add_argument(
        "--certificate-identity-regexp", metavar="PATTERN", help="the same as a regular expression, anywhere in it"
    )
    verify.add_argument("--certificate-oidc-issuer", metavar="URL", help="who must have vouched for that identity")
    verify.add_argument(
        "--trusted-root",
        default="",
        metavar="FILE",
        help="trusted root or client trust configuration of a private Sigstore; default is the public instance's",
    )
    verify.add_argument("--recursive", choices=("true", "false"), default="true", help="check every instance too")


def _keygen(keygen: argparse.ArgumentParser) -> None:
    add_output(keygen)
    keygen.add_argument(
        "--output-key-prefix", default="cosign", metavar="PREFIX", help="write PREFIX.key and PREFIX.pub"
    )


def _index(command: argparse.ArgumentParser) -> None:
    from manifest_action.adapters.index_arguments import add_index_verbs  # noqa: PLC0415

    add_index_verbs(command)


def _list(command: argparse.ArgumentParser) -> None:
    from manifest_action.adapters.list_arguments import add_list_verbs  # noqa: PLC0415

    add_list_verbs(command)


def _report(command: argparse.ArgumentParser) -> None:
    verbs = command.add_subparsers(dest="verb", metavar="VERB", required=True)
    text = "join the reports of the shards of one spec; the exit code is that of the first that failed"
    merge = verbs.add_parser("merge", help=text, description=text, allow_abbrev=False)
    add_output(merge)
    merge.add_argument("reports", nargs="+", metavar="REPORT", help="a file that `push --json` printed")


def _add_index(command: argparse.ArgumentParser) -> None:
    add_output(command)
    add_settings(command)
    command.add_argument("spec", nargs="*", metavar="SPEC", help="a YAML file that describes the indexes")
    command.add_argument(
        "--add-compression",
        dest="compression",
        choices=("zstd",),
        help="each image a second time, with its layers compressed in this way (OCI only)",
    )
    command.add_argument("--policy", metavar="FILE", help=POLICY_HELP)
    text = "make only the K-th of N even parts of the indexes; `plan --matrix N` lists them"
    command.add_argument("--shard", metavar="K/N", help=text)
    group = command.add_argument_group("one index without a file, or in addition to what the files say")
    for name, (metavar, text) in _INDEX_OPTIONS.items():
        group.add_argument(f"--{name}", metavar=metavar, help=text)
    for name, (destination, metavar, text) in _REPEATED_OPTIONS.items():
        group.add_argument(f"--{name}", dest=destination, action="append", metavar=metavar, help=text)


_COMMANDS: Mapping[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "push": ("assemble, push and tag; print the digest and a table", _push),
    "plan": ("print the index and what would be written; write nothing", _plan),
    "inspect": ("show the platforms, digests and sizes of an image or index", _inspect),
    "step": (
        "one step of a CI job: inputs from its variables, outputs in the way of the CI system (docs/ci.md)",
        _step,
    ),
    "verify": ("check the signatures of an index and of every instance", _verify),
    "keygen": (
        "write a new pair of keys for `sign: cosign`; the passphrase comes from COSIGN_PASSWORD or a prompt",
        _keygen,
    ),
    "index": ("change an index where it is, without copying its images", _index),
    "list": ("edit lists that are saved on this machine, and push them", _list),
    "report": ("work with the JSON reports of runs", _report),
}
"""What help says of every command, and what adds its options."""
