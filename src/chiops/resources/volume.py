"""Volumes, which hold data and therefore go only by explicit flag, and their attachments."""

from __future__ import annotations

from dataclasses import dataclass

from chiops.cloud.base import Attachment, Server, State, Volume
from chiops.cloud.values import BETWEEN
from chiops.errors import Conflict, NotFound, ResourceFailed, Stuck, Timeout
from chiops.resources import waiting
from chiops.resources.kind import Difference, Op, Verdict, Workbench, expect, ours

READY_TIMEOUT_S = 600
GONE_TIMEOUT_S = 600
BETWEEN_TIMEOUT_S = 180
"""Attaching and detaching take seconds."""


@dataclass(frozen=True)
class VolumeWanted:
    """A block volume of so many GiB; one to boot from if ``image`` names what it is made from."""

    name: str
    size_gib: int
    image: str = ""


class VolumeKind:
    noun = "volume"

    def judge(self, wanted: VolumeWanted, bench: Workbench) -> Verdict:
        found = ours(bench.seen.volumes, wanted.name, bench, self.noun)
        if found is None:
            return Verdict(Op.CREATE, f"{wanted.size_gib} GiB" + (f" from {wanted.image}" if wanted.image else ""))
        if wanted.image and found.state in (State.READY, State.IN_USE) and not found.bootable:
            raise Conflict(
                f"the volume {wanted.name} exists and can't be booted from",
                why="it was not made from an image",
                todo="give the boot volume another name",
            )
        if found.state is State.FAILED:
            # Never replaced by ourselves: what is on it may be all there is.
            reason = (
                f"it is in {found.status}: {found.fault or 'no reason given'}; kept, as its data may be all there is"
            )
            return Verdict(Op.KEEP, reason, found, (Difference("status", found.status, "available"),))
        if wanted.size_gib == found.size_gib:
            return Verdict(Op.KEEP, f"{found.size_gib} GiB", found)
        differs = (Difference("size", f"{found.size_gib} GiB", f"{wanted.size_gib} GiB"),)
        if wanted.size_gib > found.size_gib:
            return Verdict(Op.UPDATE, f"grow from {found.size_gib} to {wanted.size_gib} GiB", found, differs)
        told = f"{found.size_gib} GiB, the lab says {wanted.size_gib}: a volume never shrinks"
        return Verdict(Op.KEEP, told, found, differs)

    def make(self, wanted: VolumeWanted, bench: Workbench) -> Volume:
        image_id = next((image.id for image in bench.seen.images if image.name == wanted.image), "")
        if wanted.image and not image_id:
            raise NotFound(f"{bench.cloud.site} has no image {wanted.image!r}")
        volume = bench.cloud.volumes.create(wanted.name, size_gib=wanted.size_gib, mark=bench.mark, image_id=image_id)
        return self.settle(wanted, volume, bench)

    def settle(self, wanted: VolumeWanted, found: object, bench: Workbench) -> Volume:  # noqa: ARG002
        found = expect(Volume, found)
        # Whether it ever held anything is not known, so it is a person who deletes it
        todo = f"if nothing was ever written to it, `chiops volume delete {found.name}`, then `up` makes another"
        return waiting.until_ready(bench.cloud.volumes.get, found, noun=self.noun, timeout_s=READY_TIMEOUT_S, todo=todo)

    def mend(self, wanted: VolumeWanted, found: object, bench: Workbench) -> Volume:
        found = expect(Volume, found)
        return self.settle(wanted, bench.cloud.volumes.extend(found.id, wanted.size_gib), bench)

    def take(self, found: object, bench: Workbench) -> None:
        found = expect(Volume, found)
        try:
            found = until_free(found, bench)
            if found.state is not State.DELETING:
                bench.cloud.volumes.delete(found.id)
        except NotFound:
            return
        waiting.until_gone(bench.cloud.volumes.get, found.id, what=f"volume {found.name}", timeout_s=GONE_TIMEOUT_S)


@dataclass(frozen=True)
class AttachmentWanted:
    """That volume at that server, by names."""

    volume: str
    server: str


class AttachmentKind:
    noun = "attachment"

    def judge(self, wanted: AttachmentWanted, bench: Workbench) -> Verdict:
        servers = {server.id: server.name for server in bench.seen.servers if server.mark == bench.mark}
        for volume in bench.seen.volumes:
            if volume.name == wanted.volume and volume.mark == bench.mark:
                for attachment in volume.attachments:
                    if servers.get(attachment.server_id) == wanted.server:
                        if volume.state is State.PENDING:
                            # Whether it comes or goes is not said; a `down` that was killed may have begun to detach it.
                            return Verdict(Op.UPDATE, f"it is {volume.status}", attachment)
                        return Verdict(Op.KEEP, f"{attachment.device} on {wanted.server}", attachment)
                live = {server.id for server in bench.seen.servers if server.state not in (State.DELETING, State.ENDED)}
                if any(attachment.server_id in live for attachment in volume.attachments):
                    raise _elsewhere(wanted, volume, bench)
        return Verdict(Op.CREATE, f"to {wanted.server}")

    def make(self, wanted: AttachmentWanted, bench: Workbench) -> Volume:
        volume = bench.get("volume", wanted.volume, Volume)
        server = bench.get("server", wanted.server, Server)
        if attached := _attached(volume, server.id):
            return attached
        until_free(volume, bench)
        bench.cloud.volumes.attach(volume.id, server.id)
        return waiting.until(
            lambda: _attached(bench.cloud.volumes.get(volume.id), server.id),
            what=f"volume {volume.name} being attached to {server.name}",
            timeout_s=READY_TIMEOUT_S,
        )

    def settle(self, wanted: AttachmentWanted, found: object, bench: Workbench) -> object:  # noqa: ARG002
        return found

    def mend(self, wanted: AttachmentWanted, found: object, bench: Workbench) -> Volume:  # noqa: ARG002
        return self.make(wanted, bench)

    def take(self, found: object, bench: Workbench) -> None:
        found = expect(Attachment, found)
        try:
            if not _comes_and_stays(found, bench):
                return
            bench.cloud.volumes.detach(found.volume_id, found.server_id)
        except NotFound:
            return
        except Conflict:
            # Its server may have begun to go since it was looked at, and lets go of it by itself.
            if _stays(found, bench):
                raise
        waiting.until(
            lambda: _detached(bench.cloud.volumes.get(found.volume_id), found.server_id),
            what="the volume being detached",
            timeout_s=GONE_TIMEOUT_S,
        )


def until_free(found: Volume, bench: Workbench) -> Volume:
    """Wait for one that was attached or between two states when it was looked at; returns it as it is then.

    A server that has gone lets go of it a moment later.

    Raises:
        Stuck: it does not come out of the states between.
    """
    last = found

    def look() -> Volume | None:
        nonlocal last
        last = bench.cloud.volumes.get(found.id)
        _require_moving(last)
        return None if last.attachments or last.state is State.PENDING else last

    _require_moving(found)
    if not found.attachments and found.state is not State.PENDING:
        return found
    soon = found.status in BETWEEN and not found.attachments
    timeout_s = BETWEEN_TIMEOUT_S if soon else GONE_TIMEOUT_S
    try:
        return waiting.until(look, what=f"volume {found.name} coming free", timeout_s=timeout_s)
    except Timeout as late:
        if last.status in BETWEEN and not waiting.cancel.is_set():
            raise _stuck(last, f"it has been so for {timeout_s} s") from late
        raise


def require_sound(volume: Volume) -> None:
    """Refuse what can't be used.

    Raises:
        Stuck: it hangs between two states.
        Conflict: it is in error.
    """
    _require_moving(volume)
    if volume.state is State.FAILED:
        raise Conflict(
            f"the volume {volume.name} is in {volume.status}",
            why=volume.fault,
            todo=f"if nothing on it is needed, `chiops volume delete {volume.name}`; else ask the site's help desk",
        )


def _require_moving(volume: Volume) -> None:
    if volume.state is State.FAILED and volume.status in BETWEEN:
        raise _stuck(volume, volume.fault)


def _stuck(volume: Volume, why: str) -> Stuck:
    return Stuck(f"the volume {volume.name} is {volume.status}", why=why, todo=Stuck.WAY_OUT)


def _comes_and_stays(attachment: Attachment, bench: Workbench) -> bool:
    """Whether it is there once the volume is between two states no more."""
    seen = next((volume for volume in bench.seen.volumes if volume.id == attachment.volume_id), None)
    if seen is None or seen.state is not State.PENDING:
        return True

    def look() -> Volume | None:
        volume = bench.cloud.volumes.get(seen.id)
        return None if volume.state is State.PENDING else volume

    settled = waiting.until(look, what=f"volume {seen.name} being attached or free", timeout_s=READY_TIMEOUT_S)
    return any(at.server_id == attachment.server_id for at in settled.attachments)


def _stays(attachment: Attachment, bench: Workbench) -> bool:
    """Whether neither the volume is on its way from the server nor the server on its way out."""
    volume = bench.cloud.volumes.get(attachment.volume_id)
    if volume.state is not State.IN_USE:
        return False
    try:
        return bench.cloud.compute.get(attachment.server_id).state is not State.DELETING
    except NotFound:
        return False


def _elsewhere(wanted: AttachmentWanted, volume: Volume, bench: Workbench) -> Conflict:
    """Taken from under whoever uses it there it would lose what was being written."""
    names = {server.id: server.name for server in bench.seen.servers}
    at = names.get(volume.attachments[0].server_id, volume.attachments[0].server_id)
    return Conflict(
        f"the volume {volume.name} is attached to {at}, the lab wants it at {wanted.server}",
        todo=f"free it with `chiops volume detach {volume.name}`",
    )


def _detached(volume: Volume, server_id: str) -> Volume | None:
    _require_moving(volume)
    if volume.state is State.FAILED:
        raise ResourceFailed(f"the volume {volume.name} was not detached ({volume.status})", why=volume.fault)
    there = volume.state is State.PENDING or any(at.server_id == server_id for at in volume.attachments)
    return None if there else volume


def _attached(volume: Volume, server_id: str) -> Volume | None:
    there = volume.state is State.IN_USE and any(at.server_id == server_id for at in volume.attachments)
    return volume if there else None
