"""Buckets as far as no server is needed."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from chiops.cloud.base import Mark, S3Endpoint, State
from chiops.cloud.local import objects as objects_module
from chiops.cloud.local import s3server
from chiops.cloud.local.identity import LocalIdentity
from chiops.cloud.local.objects import LocalObjects
from chiops.cloud.local.site import LocalSite
from chiops.errors import Capacity, InvalidRequest, NotFound, Timeout


@pytest.fixture
def objects(site: LocalSite, monkeypatch: pytest.MonkeyPatch) -> LocalObjects:
    """Where no Docker may be started."""

    def forbidden() -> None:
        raise AssertionError("this must not need a server")

    monkeypatch.setattr(site.engine, "running", lambda: None)
    monkeypatch.setattr(site.engine, "client", forbidden)
    return LocalObjects(site, LocalIdentity(site))


@pytest.mark.parametrize("name", ["", "ab", "x" * 64, "Upper", "under_score", "a..b", "-a-", "10.0.0.1"])
def test_a_bad_name_is_refused_with_a_good_one(objects: LocalObjects, mark: Mark, name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"is not a bucket name: .*Try '[a-z0-9][a-z0-9.-]+[a-z0-9]'"):
        objects.create(name, mark=mark)
    assert objects.list() == []


def test_unknown_buckets_are_not_found_without_a_server(objects: LocalObjects) -> None:
    with pytest.raises(NotFound):
        objects.get("unknown")
    with pytest.raises(NotFound):
        objects.delete("unknown")


def test_a_full_disk_is_told_before_anything_is_made(
    objects: LocalObjects, mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10 << 30, 10 << 30, 100 << 20))
    with pytest.raises(Capacity, match="100 MiB free"):
        objects.create("bucket", mark=mark)
    assert objects.list() == []


def test_a_server_that_does_not_run_is_told_and_not_started(objects: LocalObjects, site: LocalSite, mark: Mark) -> None:
    site.store.execute("INSERT INTO buckets VALUES ('b', 1, ?, ?, '2026-11-20T12:00:00+00:00')", (mark.lab, mark.owner))
    (bucket,) = objects.list()
    assert (bucket.name, bucket.mark, bucket.state) == ("b", mark, State.STOPPED)
    assert bucket.fault == "the S3 server does not run"


@pytest.fixture
def hanging(site: LocalSite, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalObjects]:
    """A server that takes connections, and never answers."""
    identity = LocalIdentity(site)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        monkeypatch.setattr(identity.s3_server, "ensure", lambda: None)
        monkeypatch.setattr(identity.s3_server, "running", lambda: True)
        monkeypatch.setattr(identity.s3_server, "endpoint", lambda: S3Endpoint(f"http://127.0.0.1:{port}"))
        monkeypatch.setattr(s3server, "existing", lambda _: SimpleNamespace(s3_address="127.0.0.1"))
        monkeypatch.setattr(s3server, "PORT", port)
        yield LocalObjects(site, identity)


def test_a_server_that_hangs_is_told_in_bounded_time(
    hanging: LocalObjects, site: LocalSite, mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.store.execute("INSERT INTO buckets VALUES ('b', 1, ?, ?, '2026-11-20T12:00:00+00:00')", (mark.lab, mark.owner))
    monkeypatch.setattr(s3server, "PROBE_S", 0.05)
    monkeypatch.setattr(objects_module, "LOOK_S", 0.05)
    monkeypatch.setattr(objects_module, "LOOKS", 1)
    began = time.monotonic()
    (bucket,) = hanging.list()
    assert bucket.fault == "the S3 server does not answer"
    with pytest.raises(Timeout, match="did not answer in time"):
        hanging.get("b")
    assert time.monotonic() - began < 10
