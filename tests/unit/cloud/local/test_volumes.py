"""Volumes as long as no node is involved: rows and sparse files."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable

import pytest

from chiops import progress
from chiops.cloud.base import Mark, State
from chiops.cloud.local import loop
from chiops.cloud.local.site import LocalSite
from chiops.cloud.local.volumes import LocalVolumes
from chiops.errors import Capacity, CloudError, Conflict, InvalidRequest, NotFound

GIB = 2**30


@pytest.fixture
def volumes(site: LocalSite) -> LocalVolumes:
    return LocalVolumes(site)


def file_of(site: LocalSite, volume_id: str) -> os.stat_result:
    return (site.root / "volumes" / volume_id / "disk.img").stat()


def fails(number: int) -> Callable[..., None]:
    def call(*args: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


def test_a_volume_takes_no_room_until_it_is_written(site: LocalSite, volumes: LocalVolumes, mark: Mark) -> None:
    made = volumes.create("data", size_gib=3, mark=mark)
    facts = file_of(site, made.id)
    assert (facts.st_size, facts.st_blocks, facts.st_mode & 0o777) == (3 * GIB, 0, 0o600)
    assert (made.state, made.mark, made.size_gib, made.bootable) == (State.READY, mark, 3, False)
    assert volumes.list() == [made] == [volumes.get(made.id)]


def test_another_process_sees_the_same(site: LocalSite, volumes: LocalVolumes, mark: Mark) -> None:
    made = volumes.create("data", size_gib=1, mark=mark)
    assert LocalVolumes(LocalSite(site.root, site.cache)).list() == [made]


@pytest.mark.parametrize("size", [0, -1])
def test_there_is_no_volume_of_nothing(volumes: LocalVolumes, mark: Mark, size: int) -> None:
    with pytest.raises(InvalidRequest, match="1 GiB or more"):
        volumes.create("data", size_gib=size, mark=mark)
    assert volumes.list() == []


def test_what_the_site_cannot_do_is_refused(volumes: LocalVolumes, mark: Mark) -> None:
    with pytest.raises(InvalidRequest, match="2 GiB or more"):
        volumes.create("data", size_gib=1, mark=mark, image_id="CC-Ubuntu24.04")
    with pytest.raises(NotFound, match="No image CC-CentOS7"):
        volumes.create("data", size_gib=4, mark=mark, image_id="CC-CentOS7")
    with pytest.raises(InvalidRequest, match="'ceph-ssd'"):
        volumes.create("data", size_gib=1, mark=mark, volume_type="ceph-ssd")
    assert volumes.list() == []


def test_growing_keeps_what_is_there(site: LocalSite, volumes: LocalVolumes, mark: Mark) -> None:
    made = volumes.create("data", size_gib=1, mark=mark)
    path = site.root / "volumes" / made.id / "disk.img"
    with path.open("r+b") as file:
        file.write(b"kept")
    assert volumes.extend(made.id, 2).size_gib == 2
    assert file_of(site, made.id).st_size == 2 * GIB
    assert path.open("rb").read(4) == b"kept"
    with pytest.raises(InvalidRequest, match="cannot shrink"):
        volumes.extend(made.id, 1)


def test_a_deleted_volume_is_gone_with_its_file(site: LocalSite, volumes: LocalVolumes, mark: Mark) -> None:
    made = volumes.create("data", size_gib=1, mark=mark)
    volumes.delete(made.id)
    assert not (site.root / "volumes" / made.id).exists()
    with pytest.raises(NotFound):
        volumes.get(made.id)
    with pytest.raises(NotFound):
        volumes.delete(made.id)


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, Capacity), (errno.EFBIG, InvalidRequest), (errno.EIO, CloudError)]
)
def test_a_file_that_cannot_be_made_leaves_nothing(
    site: LocalSite,
    volumes: LocalVolumes,
    mark: Mark,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[CloudError],
) -> None:
    monkeypatch.setattr(os, "ftruncate", fails(number))
    with pytest.raises(CloudError) as caught:
        volumes.create("data", size_gib=1, mark=mark)
    assert type(caught.value) is kind
    assert volumes.list() == []
    assert list((site.root / "volumes").iterdir()) == []


def test_a_volume_that_cannot_grow_stays_as_it_was(
    volumes: LocalVolumes, mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = volumes.create("data", size_gib=1, mark=mark)
    monkeypatch.setattr(os, "ftruncate", fails(errno.ENOSPC))
    with pytest.raises(Capacity, match="disk"):
        volumes.extend(made.id, 2)
    assert volumes.get(made.id) == made


def test_a_volume_larger_than_the_disk_is_made_with_a_warning(
    volumes: LocalVolumes, mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(progress, "say", said.append)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10 * GIB, 8 * GIB, 2 * GIB))
    volumes.create("fits", size_gib=2, mark=mark)
    assert said == []
    volumes.create("large", size_gib=3, mark=mark)
    assert len(said) == 1
    assert "large" in said[0]
    assert "2 GiB free" in said[0]


@pytest.mark.parametrize("step", ["make_file", "set"])
def test_a_killed_creation_is_finished(
    site: LocalSite, volumes: LocalVolumes, mark: Mark, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The row is there, and the file or the final status is not."""
    with monkeypatch.context() as patch:
        patch.setattr(volumes._shelf, step, fails(errno.EINTR))
        patch.setattr(volumes._shelf, "remove", lambda _: None)
        with pytest.raises(OSError, match="Interrupted"):
            volumes.create("data", size_gib=1, mark=mark)
    (found,) = LocalVolumes(site).list()
    assert (found.name, found.state) == ("data", State.READY)
    assert file_of(site, found.id).st_size == GIB


def test_a_killed_deletion_is_finished(site: LocalSite, volumes: LocalVolumes, mark: Mark) -> None:
    made = volumes.create("data", size_gib=1, mark=mark)
    volumes._shelf.set(made.id, "deleting")
    assert LocalVolumes(site).list() == []
    assert not (site.root / "volumes" / made.id).exists()


def test_a_broken_volume_keeps_no_other_from_the_list(site: LocalSite, volumes: LocalVolumes, mark: Mark) -> None:
    broken, fine = (volumes.create(name, size_gib=1, mark=mark) for name in ("broken", "fine"))
    (site.root / "volumes" / broken.id / "disk.img").unlink()
    found = {volume.name: volume for volume in volumes.list()}
    assert (found["broken"].state, found["fine"]) == (State.FAILED, fine)
    with pytest.raises(Conflict):
        volumes.extend(broken.id, 2)
    volumes.delete(broken.id)
    assert volumes.list() == [fine]


def test_no_server_no_attachment(volumes: LocalVolumes, mark: Mark) -> None:
    made = volumes.create("data", size_gib=1, mark=mark)
    with pytest.raises(NotFound):
        volumes.attach(made.id, "no-such-server")
    with pytest.raises(NotFound):
        volumes.detach(made.id, "no-such-server")
    assert volumes.get(made.id) == made


def test_loop_devices_that_are_not_there_show_nothing() -> None:
    assert loop.backing(999_999) == ""
    loop.unbind(999_999)
    assert loop.users([999_999]) == []
