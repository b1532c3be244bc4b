"""Buckets as far as no server is needed."""

from __future__ import annotations

import shutil

import pytest

from chiops.cloud.base import Mark
from chiops.cloud.local.identity import LocalIdentity
from chiops.cloud.local.objects import LocalObjects
from chiops.cloud.local.site import LocalSite
from chiops.errors import Capacity, InvalidRequest, NotFound


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
