"""The arguments that several commands of `manifest-action` have."""

import argparse

POLICY_HELP = "signature policy that every source must pass (default: the user's or the system's policy.json)"
SETTINGS = {
    "auth-file": ("FILE", "Docker or containers auth file (default: the usual places)"),
    "username": ("NAME", "user name for the registries; needs --password-stdin"),
    "ca-certificates": ("FILE", "further certificate authorities, PEM"),
    "jobs": ("N", "requests under way at once per host (default 16; 48 where something is signed)"),
    "retry-budget": ("SECONDS", "how long the whole run may wait and retry (default 900)"),
}
"""Options of registries with one value: what stands for it, and what help says."""


def add_output(command: argparse.ArgumentParser) -> None:
    """How results are printed."""
    command.add_argument("--json", action="store_true", help="print the report as JSON instead of tables")
    command.add_argument("-q", "--quiet", action="store_true", help="no progress, only results, warnings and errors")


def add_settings(command: argparse.ArgumentParser) -> None:
    """How registries are spoken to."""
    group = command.add_argument_group("registries")
    for name, (metavar, text) in SETTINGS.items():
        group.add_argument(f"--{name}", metavar=metavar, help=text)
    group.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    group.add_argument(
        "--insecure-registry",
        dest="insecure-registries",
        action="append",
        metavar="HOST",
        help="may speak plain HTTP or have an unverified certificate; repeatable",
    )
