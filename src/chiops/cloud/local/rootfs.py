"""Fills a volume with the root file system of the nodes' image, so that servers can boot from it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chiops import progress
from chiops.cloud.local import image
from chiops.cloud.local.docker_api import translated
from chiops.cloud.local.space import require_free
from chiops.errors import CloudError, NotFound

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite

_ROOM = 1 << 30
"""What the filled volume takes, generously."""
# A bind of / alone shows the image's own files, and not what Docker mounts over them. No loop device is needed to write a
# file system's image, and no right but to bind.
_SCRIPT = "mount --bind / /mnt && exec mke2fs -q -F -t ext4 -L root -d /mnt /media/{name}"


def fill(site: LocalSite, volume_id: str, file: Path) -> None:
    """Write a new ext4 file system with the image's files into the volume's file; whatever was there is lost. Takes seconds.

    Raises:
        Capacity: the disk is full.
        CloudError: it failed; with what mke2fs said.
    """
    require_free("Making a volume from an image", file.parent, _ROOM)
    image_name = image.ensure(site)
    name = f"chiops-{site.id}-fill-{volume_id}"
    # the generated stubs know no API client
    api: Any = site.engine.client().api
    with progress.task("fill the volume from the image"), translated("Making a volume from an image"):
        # that of a killed process may still write
        _remove(api, name)
        made = api.create_container(
            image_name,
            ["sh", "-c", _SCRIPT.format(name=file.name)],
            name=name,
            labels=site.labels("helper"),
            host_config=api.create_host_config(
                network_mode="none",
                cap_drop=["ALL"],
                cap_add=["SYS_ADMIN", "DAC_OVERRIDE"],
                security_opt=["apparmor=unconfined"],
                binds=[f"{file.parent}:/media"],
            ),
        )
        try:
            api.start(made["Id"])
            status = api.wait(made["Id"])["StatusCode"]
            said = api.logs(made["Id"]).decode(errors="replace").strip()
        finally:
            _remove(api, name)
    if status:
        raise CloudError(
            "Making a volume from an image failed", why=said.splitlines()[-1] if said else f"it ended with {status}"
        )


def _remove(api: Any, name: str) -> None:
    with suppress(NotFound), translated("Making a volume from an image"):
        api.remove_container(name, force=True, v=True)
