"""The platform of the machine that this program runs on."""

import platform
import sys

from manifest_action.model.platform import Platform

_SYSTEMS = {"win32": "windows", "cygwin": "windows"}
_ARM_VARIANTS = {"armv5": "v5", "armv6": "v6", "armv7": "v7", "armv8": "v8"}


def machine_platform() -> Platform:
    """Os, architecture and, on 32-bit Arm, variant, in the words that image tools use."""
    system = _SYSTEMS.get(sys.platform, sys.platform)
    machine = platform.machine().lower()
    variant = _ARM_VARIANTS.get(machine[:5], "")
    return Platform.of(system, "arm" if variant else machine, variant)
