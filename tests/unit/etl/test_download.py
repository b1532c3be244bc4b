"""Downloads continue where they broke off, start again when the file changed, and give up in words."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from chiops.etl.download import download
from chiops.etl.errors import EtlError
from tests.unit.etl.events import Heard
from tests.unit.etl.web import Served, serve

DATA = random.Random(0).randbytes(3_000_000)


def fetch(url: str, target: Path, waits: list[float] | None = None) -> None:
    pauses = waits if waits is not None else []
    download(url, target, Heard(), todo="use food11-synthetic", wait=pauses.append)


def test_a_broken_download_continues(tmp_path: Path) -> None:
    waits: list[float] = []
    with serve(Served(DATA, cuts=[1_000_000, 500_000])) as web:
        fetch(web.url, tmp_path / "zip", waits)
    assert (tmp_path / "zip").read_bytes() == DATA
    assert web.ranges == ["", "bytes=1000000-", "bytes=1500000-"]
    assert waits == [1.0, 1.0]  # data came each time, so the pauses did not grow
    assert [item.name for item in tmp_path.iterdir()] == ["zip"]


def test_a_killed_download_continues_in_the_next_run(tmp_path: Path) -> None:
    with serve(Served(DATA, cuts=[2_000_000])) as web:
        with pytest.raises(KeyboardInterrupt):
            download(web.url, tmp_path / "zip", Heard(), todo="", wait=_killed)
        assert not (tmp_path / "zip").exists()
        fetch(web.url, tmp_path / "zip")
    assert web.ranges[1:] == ["bytes=2000000-"]
    assert (tmp_path / "zip").read_bytes() == DATA


def _killed(seconds: float) -> None:
    raise KeyboardInterrupt


def test_a_file_that_changed_meanwhile_starts_again(tmp_path: Path) -> None:
    with serve(Served(DATA, cuts=[1_000_000])) as web:

        def replaced(seconds: float) -> None:
            web.data, web.etag = DATA[::-1], '"v2"'

        download(web.url, tmp_path / "zip", Heard(), todo="", wait=replaced)
    assert (tmp_path / "zip").read_bytes() == DATA[::-1]


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_firm_version_nothing_is_continued(tmp_path: Path, etag: str) -> None:
    with serve(Served(DATA, cuts=[1_000_000], etag=etag)) as web:
        fetch(web.url, tmp_path / "zip")
    assert web.ranges == ["", ""]
    assert (tmp_path / "zip").read_bytes() == DATA


def test_passing_failures_are_tried_again_and_refusals_are_not(tmp_path: Path) -> None:
    waits: list[float] = []
    with serve(Served(DATA, statuses=[503, 503])) as web:
        fetch(web.url, tmp_path / "zip", waits)
    assert waits == [1.0, 2.0]
    with serve(Served(DATA, statuses=[404])) as web, pytest.raises(EtlError, match="refused: HTTP 404") as caught:
        fetch(web.url, tmp_path / "other")
    assert caught.value.kind == "not-found"
    assert len(web.ranges) == 1


def test_an_unreachable_network_ends_in_one_sentence(tmp_path: Path) -> None:
    waits: list[float] = []
    with serve(Served(DATA)) as web:
        gone = web.url
    with pytest.raises(EtlError, match=r"cannot be downloaded.*refused") as caught:
        fetch(gone, tmp_path / "zip", waits)
    assert caught.value.kind == "transient"
    assert "food11-synthetic" in caught.value.todo
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_only_the_web_is_asked(tmp_path: Path) -> None:
    with pytest.raises(EtlError, match="no web address"):
        fetch("file:///etc/passwd", tmp_path / "zip")
