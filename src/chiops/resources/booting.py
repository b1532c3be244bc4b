"""What a lab's server boots from: a disk of its own, a volume that goes with it, or one of the lab's that stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chiops.cloud.base import Attachment, BootVolume, Image, Server, Volume
from chiops.errors import InvalidRequest
from chiops.resources.kind import Difference, Workbench
from chiops.resources.volume import until_free

FIELD = "root disk"
OWN = "its own"
_ROOT_DEVICES = ("vda", "sda")


@dataclass(frozen=True)
class BootWanted:
    """A volume to boot from, of so many GiB; ``volume`` names the lab's own that stays, "" for one that goes with the server."""

    size_gib: int
    volume: str = ""

    def __str__(self) -> str:
        return f"the volume {self.volume}" if self.volume else f"a volume of {self.size_gib} GiB that goes with it"


def is_root_disk(attachment: Attachment) -> bool:
    """Whether a server boots from the volume: it can be neither unmounted nor detached, and goes with the server."""
    return attachment.device.removeprefix("/dev/") in _ROOT_DEVICES


def root_disk(server: Server, volumes: Iterable[Volume]) -> Volume | None:
    """The volume that the server boots from; None if it is none of those."""
    return next(
        (one for one in volumes if any(at.server_id == server.id and is_root_disk(at) for at in one.attachments)), None
    )


def require_fit(wanted: BootWanted, image: Image) -> None:
    """Raise InvalidRequest if the image does not fit into the volume."""
    if wanted.size_gib < image.min_disk_gib:
        raise InvalidRequest(
            f"the image {image.name} does not fit into a boot volume of {wanted.size_gib} GiB",
            todo=f"ask for {image.min_disk_gib} GiB or more",
        )


def difference(wanted: BootWanted | None, server: Server, bench: Workbench) -> Difference | None:
    """How a server boots from something else than is wanted; None if it does not, or nothing can be told."""
    volumes = {volume.id: volume for volume in bench.seen.volumes}
    if not set(server.volumes) <= set(volumes):
        return None
    root = root_disk(server, volumes.values())
    has = OWN if root is None else _told(root, bench)
    return Difference(FIELD, has, str(wanted or OWN)) if has != str(wanted or OWN) else None


def _told(root: Volume, bench: Workbench) -> str:
    """The volume in the words of `BootWanted`: one with our mark was made to stay."""
    return str(BootWanted(root.size_gib, root.name if root.mark == bench.mark else ""))


def request(wanted: BootWanted | None, bench: Workbench) -> BootVolume | None:
    """What the server is made with, once the volume that stays has come free of an earlier server."""
    if wanted is None:
        return None
    if not wanted.volume:
        return BootVolume(size_gib=wanted.size_gib, delete_on_termination=True)
    volume = until_free(bench.get("volume", wanted.volume, Volume), bench)
    return BootVolume(volume_id=volume.id, delete_on_termination=False)
