"""Kill -9 during `up` and `down` at the real local site: `up` again completes without a duplicate, and `down` leaves nothing.

At a few points only, since each takes a node's life: tests/faults/test_cut_points.py has every one, at a faster cloud.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Chiops
from tests.support.leftovers import assert_clean

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(900)]

LAB = """\
version: 1
name: kill-lab
lease: {name: lease-kill, duration: 1h}
security_groups:
  - {name: kill-ssh, rules: [{port: 22}]}
servers:
  - {name: node-kill, flavor: m1.tiny, security_groups: [kill-ssh]}
volumes:
  - {name: volume-kill, size_gib: 1, server: node-kill}
buckets:
  - {name: bucket-kill}
"""


@pytest.fixture(scope="module")
def lab_file(chiops: Chiops) -> Iterator[str]:
    (chiops.folder / "kill.yaml").write_text(LAB)
    yield "kill.yaml"
    chiops.run("down", "--purge-bucket", "--purge-volume", "--yes")


def killed_after(chiops: Chiops, notes: int, *command: str) -> None:
    """Start a command and kill it, and it alone, once the journal has so many more notes (intents and ends both count)."""
    journal = chiops.state_home / "chiops" / "chiops.db"
    before = _notes(journal)
    process = chiops.start(*command)
    try:
        # As fast as can be: the kill must come between two notes, not seconds later.
        while process.poll() is None and _notes(journal) - before < notes:
            time.sleep(0.002)
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()


def _notes(journal: Path) -> int:
    if not journal.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT count(*) + count(ended) FROM operations").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def what_is_there(chiops: Chiops) -> Counter[str]:
    """How many resources of each kind the site has, whoever made them."""
    code = (
        "import json\nfrom chiops.cloud.sites import connect\nfrom chiops.resources.kind import observe\n"
        "with connect('local') as cloud:\n    seen = observe(cloud)\n"
        "print(json.dumps({kind: len(getattr(seen, kind)) for kind in ('leases', 'keypairs', 'servers', 'floating_ips',"
        " 'security_groups', 'volumes', 'buckets', 'credentials')}))"
    )
    found = subprocess.run([chiops.argv()[0], "-c", code], env=chiops.env, capture_output=True, text=True, check=True)
    counts: dict[str, Any] = json.loads(found.stdout)
    return Counter(counts)


@pytest.mark.parametrize("notes", [4, 12])
def test_up_after_a_kill_makes_no_duplicate(chiops: Chiops, lab_file: str, notes: int) -> None:
    before = what_is_there(chiops)
    killed_after(chiops, notes, "up", lab_file, "--yes")
    up = chiops.ok("up", lab_file, "--yes", "-o", "json").json()
    assert len(up["nodes"]) == 1
    assert set((what_is_there(chiops) - before).values()) == {1}
    assert chiops.ok("up", lab_file, "--yes", "-o", "json").json()["changed"] == 0
    chiops.ok("down", "--purge-bucket", "--purge-volume", "--yes")
    assert what_is_there(chiops) == before


@pytest.mark.parametrize("notes", [10])
def test_down_after_a_kill_leaves_nothing(chiops: Chiops, lab_file: str, notes: int) -> None:
    before = what_is_there(chiops)
    killed_after(chiops, notes, "up", lab_file, "--yes")
    chiops.ok("down", "--purge-bucket", "--purge-volume", "--yes")
    assert what_is_there(chiops) == before
    assert_clean(chiops.state_home)


@pytest.mark.parametrize("notes", [5])
def test_a_killed_down_goes_on(chiops: Chiops, lab_file: str, notes: int) -> None:
    before = what_is_there(chiops)
    chiops.ok("up", lab_file, "--yes")
    killed_after(chiops, notes, "down", "--purge-bucket", "--purge-volume", "--yes")
    chiops.run("down", "--purge-bucket", "--purge-volume", "--yes")
    assert what_is_there(chiops) == before
    assert_clean(chiops.state_home)
