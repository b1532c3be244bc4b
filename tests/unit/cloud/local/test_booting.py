"""Volumes that servers boot from, as long as no node is involved: what may be booted from, and what goes with its server."""

from __future__ import annotations

from typing import Any

import pytest

from chiops.cloud.base import BootVolume, Mark, State
from chiops.cloud.local import rootfs
from chiops.cloud.local.attaching import Disks
from chiops.cloud.local.booting import BootDisks
from chiops.cloud.local.site import LocalSite
from chiops.cloud.local.slots import Slots
from chiops.cloud.local.steps import Steps
from chiops.cloud.local.volumes import LocalVolumes
from chiops.errors import Conflict, InvalidRequest, NotFound

IMAGE = "CC-Ubuntu24.04"
SERVER = "0f0f0f0f-server"


@pytest.fixture
def volumes(site: LocalSite, monkeypatch: pytest.MonkeyPatch) -> LocalVolumes:
    """The volumes, with a server's slots reserved; no loop device is touched, and no image is written."""
    monkeypatch.setattr(rootfs, "fill", lambda *call: call[2].write_text("root file system"))
    monkeypatch.setattr("chiops.cloud.local.attaching.perform", lambda *_, **__: None)
    monkeypatch.setattr(Disks, "_settle", lambda *_: None)
    Slots(site.store).reserve(SERVER)
    return LocalVolumes(site)


def take(site: LocalSite, **what: Any) -> str:
    return BootDisks(site).take(SERVER, BootVolume(**what), IMAGE)


@pytest.mark.parametrize("goes", [True, False])
def test_a_new_one_goes_with_its_server_or_stays(site: LocalSite, volumes: LocalVolumes, goes: bool) -> None:
    volume_id = take(site, size_gib=4, delete_on_termination=goes)
    made = volumes.get(volume_id)
    assert (made.name, made.mark, made.size_gib, made.bootable) == ("", None, 4, True)
    assert [(at.server_id, at.device) for at in made.attachments] == [(SERVER, "/dev/vda")]
    site.server_gone(SERVER)
    site.server_gone(SERVER)
    assert [volume.state for volume in volumes.list()] == ([] if goes else [State.READY])


def test_one_that_was_kept_is_booted_from_again(site: LocalSite, volumes: LocalVolumes, mark: Mark) -> None:
    made = volumes.create("kept", size_gib=4, mark=mark, image_id=IMAGE)
    assert made.bootable
    for _ in range(2):
        take(site, volume_id=made.id, delete_on_termination=False)
        with pytest.raises(Conflict, match="in-use"):
            take(site, volume_id=made.id)
        with pytest.raises(Conflict, match="boots from"):
            volumes.detach(made.id, SERVER)
        site.server_gone(SERVER)
        assert volumes.get(made.id) == made
    # What is on it is never written anew
    file = site.root / "volumes" / made.id / "disk.img"
    assert file.read_text() == "root file system"


def test_what_cannot_be_booted_from(site: LocalSite, volumes: LocalVolumes, mark: Mark) -> None:
    blank = volumes.create("blank", size_gib=4, mark=mark)
    with pytest.raises(InvalidRequest, match="not made from an image"):
        take(site, volume_id=blank.id)
    with pytest.raises(NotFound):
        take(site, volume_id="no-such-volume")
    with pytest.raises(InvalidRequest, match="2 GiB or more"):
        take(site, size_gib=1)
    assert volumes.list() == [blank]


@pytest.mark.parametrize("goes", [True, False])
def test_a_server_that_was_never_made_leaves_no_volume(
    site: LocalSite, volumes: LocalVolumes, monkeypatch: pytest.MonkeyPatch, goes: bool
) -> None:
    """Killed before the volume is filled; it has neither name nor mark, so nobody could tell later whose it is."""

    def killed(*_: object) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Steps, "finish", killed)
        with pytest.raises(SystemExit):
            take(site, size_gib=4, delete_on_termination=goes)
    site.server_gone(SERVER)
    assert volumes.list() == []
    assert not any((site.root / "volumes").glob("*/disk.img"))
