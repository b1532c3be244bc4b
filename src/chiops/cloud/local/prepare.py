"""Brings up what the site needs, and says what is missing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from chiops.cloud.base import Check
from chiops.cloud.local import flavors, image, packages
from chiops.cloud.local.recipe import NODE
from chiops.errors import ChiopsError, PrerequisiteMissing

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite

_DEVICES = {"/dev/loop-control": "loop", "/dev/fuse": "fuse"}
_ROOM = 8 << 30


def prepare(site: LocalSite) -> None:
    """Docker, network and images, with progress. Quick when all is there.

    Raises:
        PrerequisiteMissing, Capacity, CloudError: something is missing and cannot be had; the sentence says what to do.
    """
    for device, module in _DEVICES.items():
        _have_device(device, module)
    site.engine.client()
    site.subnet()
    with ThreadPoolExecutor(2) as pool:
        bench_base = pool.submit(image.ensure_bench_base, site)
        pool.submit(image.ensure, site).result()
        bench_base.result()


def check(site: LocalSite) -> list[Check]:
    """One finding per prerequisite; starts and changes nothing."""
    return [*_docker(site), *_devices(), *_room(site), *_size(), *_images(site)]


def _have_device(device: str, module: str) -> None:
    if Path(device).exists():
        return
    if os.geteuid() == 0 and packages.find("modprobe"):
        subprocess.run([packages.find("modprobe") or "modprobe", module], capture_output=True, check=False)
    if not Path(device).exists():
        raise PrerequisiteMissing(
            f"This machine has no {device}, which the local site's nodes need", todo=f"load the kernel module {module}"
        )


def _docker(site: LocalSite) -> Iterator[Check]:
    try:
        client = site.engine.running()
    except ChiopsError as error:
        yield Check("docker", "failed", error.what, error.todo)
        return
    if client is not None:
        whose = "the site's own" if site.engine.own else "this machine's"
        version = "unknown"
        with suppress(Exception):
            version = str(client.api.version()["Version"])
        yield Check("docker", "ok", f"{whose}, version {version}")
    elif packages.find("dockerd") and os.geteuid() == 0:
        yield Check("docker", "ok", "installed; the site starts its own when it needs one")
    elif packages.may_install():
        yield Check("docker", "ok", "not installed; the site installs it when it needs it")
    else:
        yield Check(
            "docker",
            "failed",
            "none answers here",
            "install and start Docker, or run chiops as root on Debian or Ubuntu",
        )


def _devices() -> Iterator[Check]:
    for device, module in _DEVICES.items():
        if Path(device).exists():
            yield Check(device, "ok")
        elif os.geteuid() == 0:
            yield Check(
                device, "warning", "not there yet", f"load the kernel module {module}; chiops tries to when it needs it"
            )
        else:
            yield Check(device, "failed", "not there", f"load the kernel module {module}")


def _room(site: LocalSite) -> Iterator[Check]:
    free = image.disk_free(site)
    detail = f"{free >> 30} GiB free at {site.root}"
    if free < _ROOM:
        yield Check("disk", "warning", detail, f"images, nodes and volumes want {_ROOM >> 30} GiB: free some space")
    else:
        yield Check("disk", "ok", detail)


def _size() -> Iterator[Check]:
    yield Check("machine", "ok", flavors.shortfall(flavors.machine()) or "can give every flavor in full")


def _images(site: LocalSite) -> Iterator[Check]:
    built = any(site.cache.glob(f"{NODE.name}-{NODE.tag}.tar"))
    yield Check(
        "images", "ok", f"{', '.join(image.NAMES)}: {image.NOTE}" + ("" if built else "; built when first needed")
    )
