"""Reading what the command line says about an instance of an index: platform, annotations, URLs."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from manifest_action.errors import ConfigError, Problem
from manifest_action.model.instances import Change
from manifest_action.model.platform import Platform

Value = TypeVar("Value")


def read_change(arguments: argparse.Namespace) -> Change:
    """Everything that was said. ConfigError names the argument that is wrong."""
    platform = replace(
        stated_platform(arguments), os_features=_words(arguments.os_features), features=_words(arguments.features)
    )
    return Change(platform, read_annotations(arguments), tuple(arguments.url) if arguments.url else None)


def stated_platform(arguments: argparse.Namespace) -> Platform:
    """The platform fields that were given, with common spellings folded; the others empty."""
    version = getattr(arguments, "os_version", None) or ""
    try:
        whole = Platform.of(arguments.os or "any", arguments.arch or "any", arguments.variant or "", os_version=version)
    except ValueError as error:
        raise refused("--os, --arch, --variant, --os-version", str(error)) from None
    return replace(
        whole, os=whole.os if arguments.os else "", architecture=whole.architecture if arguments.arch else ""
    )


def read_annotations(arguments: argparse.Namespace) -> dict[str, str] | None:
    """The annotations by key, None when there are none."""
    annotations = {}
    for text in arguments.annotation or ():
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise refused("--annotation", f"an annotation looks like KEY=VALUE, not {text[:80]!r}")
        annotations[key] = value
    return annotations or None


def read_value(text: str, parse: Callable[[str], Value]) -> Value:
    """What `parse` makes of an argument; its ValueError as a ConfigError."""
    try:
        return parse(text)
    except ValueError as error:
        raise refused(text[:200], str(error)) from None


def refused(argument: str, what: str, hint: str = "") -> ConfigError:
    """The error for an argument that is wrong."""
    return ConfigError([Problem(what, path=argument, hint=hint)])


def _words(given: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(word for text in given or () for word in text.split(",") if word)
