"""What outlives the end of a lease is told by what is attached where, not by what the lab's file means to be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chiops.cloud.base import Attachment, Identity, Lease, Mark, Server, State, Volume
from chiops.errors import Transient
from chiops.lab.ending import Ending, ending
from chiops.lab.spec import LabSpec
from chiops.resources.kind import Seen

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
MARK = Mark("lab", "me")
LEASE = Lease(id="l", name="lease", mark=MARK, start=NOW, end=NOW + timedelta(hours=1))
NODE = Server(id="s", name="node", mark=MARK, lease_id="l")
SPEC = LabSpec.model_validate(
    {
        "version": 1,
        "name": "lab",
        "servers": [{"name": "node", "flavor": "f"}],
        "volumes": [{"name": "data", "size_gib": 1, "server": "node", "mount": "/mnt/block"}],
        "buckets": [{"name": "bucket-x"}],
        "mounts": [{"server": "node", "bucket": "bucket-x", "path": "/mnt/object"}],
    }
)


def volume(server: str = "s", device: str = "/dev/vdb", mark: Mark | None = MARK, name: str = "data") -> Volume:
    at = (Attachment(volume_id="v", server_id=server, device=device),) if server else ()
    return Volume(id="v", name=name, size_gib=1, mark=mark, attachments=at, state=State.IN_USE)


def of(*volumes: Volume, servers: tuple[Server, ...] = (NODE,), **unread: Exception) -> Ending:
    seen = Seen(Identity("me", "", "", ""), servers=servers, volumes=volumes, unread=unread)
    return ending(LEASE, seen, SPEC, "cc", NOW)


def test_a_volume_that_is_attached_outlives_its_server() -> None:
    told = of(volume())
    assert (told.safe, told.lost) == (("/mnt/object", "/mnt/block"), ("/home/cc",))


@pytest.mark.parametrize(
    "volumes",
    [
        (),
        (volume(server=""),),
        (volume(server="other"),),
        (volume(mark=Mark("lab", "somebody")),),
        (volume(mark=None),),
        (volume(name="another"),),
    ],
    ids=["gone", "detached", "elsewhere", "another's", "unmarked", "of another name"],
)
def test_a_path_without_its_volume_is_on_the_root_disk_and_lost(volumes: tuple[Volume, ...]) -> None:
    told = of(*volumes)
    assert (told.safe, told.lost) == (("/mnt/object",), ("/mnt/block", "/home/cc"))


def test_a_root_disk_that_stays_keeps_the_path_too() -> None:
    told = of(volume(device="/dev/vda", name="boot"))
    assert (told.safe, told.lost) == (("/mnt/object", "/mnt/block"), ())


def test_a_server_of_the_same_name_that_is_not_the_labs_has_none_of_its_paths() -> None:
    theirs = Server(id="t", name="node", mark=Mark("lab", "somebody"), lease_id="l")
    assert of(volume(server="t"), servers=(theirs,)) == Ending("lease", LEASE.end, 3600, ("node",), (), ("/home/cc",))


def test_what_was_not_read_is_not_guessed() -> None:
    blind = Seen(Identity("me", "", "", ""), unread={"servers": Transient("no")})
    assert ending(LEASE, blind, SPEC, "cc", NOW).servers is None
    told = of(volumes=Transient("no"))
    assert (told.servers, told.safe, told.lost) == (("node",), (), ())
