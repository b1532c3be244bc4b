"""A small lab at the fast cloud, among things of others, and what may be said of it from the cloud's file alone."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree

from chiops.cloud.base import Mark, ReservationRequest, Rule, ServerRequest
from tests.support.fast_cloud.cloud import FastCloud
from tests.support.fast_cloud.store import Row, Store

NAME = "cut-lab"
LAB = f"""\
version: 1
name: {NAME}
lease: {{name: lease-cut, duration: 1h}}
security_groups:
  - {{name: cut-ssh, rules: [{{port: 22}}, {{port: 8888}}]}}
servers:
  - {{name: node-cut, flavor: m1.small, security_groups: [cut-ssh]}}
volumes:
  - {{name: volume-cut, size_gib: 1, server: node-cut}}
buckets:
  - {{name: bucket-cut}}
"""
KINDS = ("lease", "keypair", "group", "server", "address", "volume", "bucket", "credential")
DATA = ("volume", "bucket")
MINE = Mark(NAME, "me")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"


@contextmanager
def in_memory() -> Iterator[Path]:
    """A folder that no disk is behind, where there is such."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="chiops-faults-", dir=memory if memory.is_dir() else None))
    try:
        yield folder
    finally:
        rmtree(folder)


def furnish(folder: Path) -> None:
    """Put the lab's file there, and a cloud in which others are at home: under the same names, wherever that is allowed."""
    (folder / "lab.yaml").write_text(LAB)
    with FastCloud(folder / "cloud.db", user="mate") as cloud:
        theirs, none = Mark(NAME, "mate"), Mark("none", "mate")
        end = datetime.now(UTC) + timedelta(hours=9)
        wanted = [ReservationRequest(kind="flavor:instance", flavor="m1.small")]
        lease = cloud.leases.create("lease-cut", end=end, reservations=wanted, mark=theirs)
        while cloud.leases.get(lease.id).status != "ACTIVE":
            pass
        cloud.compute.create_keypair(f"chiops-{NAME}", KEY, mark=theirs)
        group = cloud.network.create_security_group("theirs", description="", mark=theirs)
        cloud.network.add_rule(group.id, Rule("tcp", 22, 22))
        request = ServerRequest(
            name="node-theirs", image_id="image-1", flavor_id=lease.reservations[0].flavor_id,
            keypair=f"chiops-{NAME}", mark=theirs, security_groups=("theirs",),
        )  # fmt: skip
        server = cloud.compute.create(request)
        while cloud.compute.get(server.id).status != "ACTIVE":
            pass
        address = cloud.network.create_floating_ip(mark=theirs)
        cloud.network.bind_floating_ip(address.id, server.id)
        cloud.network.create_floating_ip(mark=none)
        volume = cloud.volumes.create("volume-theirs", size_gib=1, mark=none)
        while cloud.volumes.get(volume.id).status != "available":
            pass
        cloud.objects.create("bucket-theirs", mark=theirs)
        cloud.identity.create_ec2_credential(mark=theirs)
    with closing(Store(folder / "cloud.db")) as store, store.change():
        # What was made by hand has no mark at all.
        store.add(Row("address", "203.0.113.39", "me", body={"address": "203.0.113.39", "server": ""}))
        store.add(Row("group", "by-hand", "me", body={"description": "", "rules": []}))
        store.add(Row("volume", "by-hand", "me", status="available", body={"size": 1, "bootable": False, "at": None}))


def rows(folder: Path) -> list[Row]:
    """All that the cloud has."""
    with closing(Store(folder / "cloud.db")) as store:
        return [row for kind in KINDS for row in store.rows(kind)]


def others(folder: Path) -> list[dict[str, object]]:
    """All that is not of our lab, in full."""
    return [asdict(row) for row in rows(folder) if row.mark != MINE]


def ours(folder: Path, mark: Mark = MINE) -> dict[str, Row]:
    """What is of our lab, by kind; a duplicate fails the test. Leases that are over count no more."""
    mine = [row for row in rows(folder) if row.mark == mark and row.status != "TERMINATED"]
    counts = Counter(row.kind for row in mine)
    assert not counts or max(counts.values()) == 1, f"duplicates: {counts}"
    return {row.kind: row for row in mine}


def assert_up(folder: Path) -> None:
    """The whole lab is there, once, and is as its file says; and there is no other."""
    assert_whole(folder)
    assert labs(folder) == [(NAME, "up")]


def assert_whole(folder: Path, mark: Mark = MINE) -> None:
    """All that is in the file of the lab with that mark is there, once, and nothing of another's is in it."""
    mine = ours(folder, mark)
    assert set(mine) == set(KINDS), f"missing: {set(KINDS) - set(mine)}"
    assert mine["lease"].status == mine["server"].status == "ACTIVE"
    assert (mine["volume"].status, mine["volume"].body["at"]["server"]) == ("in-use", mine["server"].id)
    assert mine["address"].body["server"] == mine["server"].id
    assert {rule[1] for rule in mine["group"].body["rules"]} == {22, 8888}
    assert mine["server"].body["groups"] == [mine["group"].id]
    assert mine["server"].body["lease"] == mine["lease"].id


def assert_down(folder: Path, *, kept: bool = False) -> None:
    """Nothing of the lab is left, or with ``kept`` its data alone, whole."""
    mine = {row.kind: row for row in rows(folder) if row.mark == MINE}
    assert set(mine) <= (set(DATA) if kept else set()), f"left: {set(mine)}"
    if kept and "volume" in mine:
        # One whose server has gone comes free a moment later.
        assert mine["volume"].status in ("available", "detaching"), mine["volume"]
    phases = labs(folder)
    assert phases == ([(NAME, "kept")] if mine else []), phases


def labs(folder: Path) -> list[tuple[str, str]]:
    """What the journal remembers: names and phases."""
    file = folder / "state/chiops/chiops.db"
    if not file.exists():
        return []
    with closing(sqlite3.connect(file)) as db:
        try:
            return [(str(name), str(phase)) for name, phase in db.execute("SELECT name, phase FROM labs")]
        except sqlite3.OperationalError:
            return []  # cut before it had a table


def put_objects(folder: Path, count: int) -> None:
    """Fill the lab's bucket, if it is there."""
    if "bucket" in ours(folder):
        with FastCloud(folder / "cloud.db") as cloud:
            for number in range(count):
                cloud._s3.objects.put("bucket-cut", f"folder/{number}", b"data")
