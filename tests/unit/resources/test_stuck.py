"""Volumes that hang between two states: told as such, with the way out, instead of waited for in vain."""

from __future__ import annotations

from typing import Any, cast

import pytest

from chiops.cloud.base import Attachment, Cloud, SiteFacts, State, Volume
from chiops.errors import Conflict, ResourceFailed, Stuck
from chiops.resources import volume as volumes
from chiops.resources.kind import Seen, Workbench
from chiops.resources.volume import AttachmentKind, AttachmentWanted, VolumeKind, require_sound, until_free
from tests.support.memory import Memory
from tests.support.things import ME, MINE, server, volume

FAULT = "it has been reserved since 2026-01-01 11:45 UTC and does not come out by itself"
HANGS: dict[str, Any] = {"state": State.FAILED, "status": "reserved", "fault": FAULT}
AT = (Attachment(volume_id="id-v", server_id="id-n", device="/dev/vdb"),)


def bench(*there: Volume, seen: Volume | None = None) -> Workbench:
    """A site that has those volumes, seen so earlier."""
    cloud = Memory(things={"volume": {one.id: one for one in there}})
    shown = Seen(ME, volumes=[seen] if seen else list(there), servers=[server()])
    return Workbench(cast(Cloud, cloud), SiteFacts(name="memory", cloud="openstack"), MINE, shown)


@pytest.mark.parametrize("earlier", [HANGS, {"state": State.PENDING, "status": "reserved"}])
def test_it_is_neither_attached_nor_deleted_but_told_with_the_way_out(earlier: dict[str, Any]) -> None:
    at, found = bench(volume(**HANGS)), volume(**earlier)
    at.put("volume", "v", found)
    at.put("server", "n", server())
    with pytest.raises(Stuck, match="the volume v is reserved: it has been reserved since") as caught:
        AttachmentKind().make(AttachmentWanted("v", "n"), at)
    assert "`openstack volume attachment list`" in caught.value.sentence()
    with pytest.raises(Stuck):
        VolumeKind().take(found, at)
    assert "volumes.attach" not in cast(Memory, at.cloud).requests
    assert "volumes.delete" not in cast(Memory, at.cloud).requests


def test_one_that_only_comes_and_goes_is_waited_for_and_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "BETWEEN_TIMEOUT_S", 0)
    moving = volume(state=State.PENDING, status="attaching")
    with pytest.raises(Stuck, match="the volume v is attaching: it has been so for 0 s"):
        until_free(moving, bench(moving))
    assert until_free(moving, bench(volume(status="available"))).state is State.READY


def test_one_that_is_not_let_go_of_is_told_too() -> None:
    detaching = volume(state=State.FAILED, status="detaching", attachments=AT)
    at = bench(detaching, seen=volume(state=State.IN_USE, status="in-use", attachments=AT))
    cast(Memory, at.cloud).after = lambda _: cast(Memory, at.cloud).of("volume").update({"id-v": detaching})
    with pytest.raises(Stuck, match="is detaching"):
        AttachmentKind().take(AT[0], at)
    broken = volume(state=State.FAILED, status="error", attachments=AT)
    cast(Memory, at.cloud).after = lambda _: cast(Memory, at.cloud).of("volume").update({"id-v": broken})
    with pytest.raises(ResourceFailed, match=r"was not detached \(error\)"):
        AttachmentKind().take(AT[0], at)


def test_what_can_be_used_is_told_from_what_is_broken() -> None:
    require_sound(volume(state=State.PENDING, status="reserved"))
    with pytest.raises(Stuck):
        require_sound(volume(**HANGS))
    with pytest.raises(Conflict, match=r"is in error_extending: .* `chiops volume delete v`") as caught:
        require_sound(volume(state=State.FAILED, status="error_extending", fault="Cinder reports error extending"))
    assert type(caught.value) is Conflict
