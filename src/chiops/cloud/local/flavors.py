"""Server sizes, named and sized as at KVM@TACC, and what this machine can give of them."""

from __future__ import annotations

import os
from dataclasses import dataclass

from chiops.cloud.base import Flavor
from chiops.errors import NotFound

_SIZES = (
    ("m1.tiny", 1, 512, 1),
    ("m1.small", 1, 2048, 20),
    ("m1.medium", 2, 4096, 40),
    ("m1.large", 4, 8192, 40),
    ("m1.xlarge", 8, 16384, 40),
    ("m1.xxlarge", 16, 32768, 40),
)
FLAVORS = tuple(Flavor(id=name, name=name, vcpus=cpus, ram_mib=ram, disk_gib=disk) for name, cpus, ram, disk in _SIZES)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a node may use: CPUs, and memory in bytes."""

    cpus: int
    memory: int


def by_name(name: str) -> Flavor:
    """The flavor of this id or name.

    Raises:
        NotFound: there is none.
    """
    for flavor in FLAVORS:
        if flavor.name == name:
            return flavor
    known = ", ".join(flavor.name for flavor in FLAVORS)
    raise NotFound(f"No flavor {name} at the local site", todo=f"choose one of {known}")


def machine() -> Limits:
    """What this machine has."""
    return Limits(os.cpu_count() or 1, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def limits(flavor: Flavor, has: Limits) -> Limits:
    """What a node of this flavor gets on a machine that has ``has``: no more than there is."""
    return Limits(min(flavor.vcpus, has.cpus), min(flavor.ram_mib << 20, has.memory))


def shortfall(has: Limits) -> str:
    """One clause on the flavors of which this machine cannot give all; empty if it can."""
    large = [flavor.name for flavor in FLAVORS if limits(flavor, has) != Limits(flavor.vcpus, flavor.ram_mib << 20)]
    if not large:
        return ""
    return f"{', '.join(large)} get what this machine has: {has.cpus} CPUs and {has.memory >> 30} GiB"
