"""Labs at a cloud in memory, with a state folder of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chiops.cloud import sites
from chiops.cloud.base import SiteFacts
from chiops.errors import UsageError
from chiops.lab import release, teardown
from chiops.resources import waiting
from chiops.s3.purge import Purged
from tests.support.memory import SITE, Memory
from tests.unit.lab.labs import bring_up, write

FACTS = SiteFacts(name=SITE, cloud="openstack", object_site="")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with a key, so that none is generated."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    ssh = tmp_path / "state" / "chiops" / "ssh"
    ssh.mkdir(parents=True)
    (ssh / "id_ed25519").write_text("private")
    (ssh / "id_ed25519.pub").write_text("ssh-ed25519 AAAA chiops\n")
    return tmp_path / "state" / "chiops"


@pytest.fixture
def memory(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    """The only site there is. Whatever a test interrupts, the next one waits again."""
    cloud = Memory()

    def site(name: str) -> SiteFacts:
        if name != SITE:
            raise UsageError(f"there is no site {name!r}")
        return FACTS

    monkeypatch.setattr(sites, "site", site)
    monkeypatch.setattr(sites, "sites", lambda: {SITE: FACTS})
    monkeypatch.setattr(sites, "connect", lambda _: cloud)
    monkeypatch.setattr(waiting, "cancel", threading.Event())
    monkeypatch.setattr(teardown, "purge_bucket", lambda *_: Purged())  # nothing is in its buckets
    return cloud


@pytest.fixture
def lab(memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The lab's file; it is up, and its nodes do not answer, so that volumes come free when their servers go."""
    monkeypatch.setattr(release, "_answering", lambda _: [])
    path = write(tmp_path)
    bring_up(path)
    return path
