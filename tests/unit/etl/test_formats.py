"""Formats: the order and size of shards, and litdata's chunks read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.etl.config import Options
from chiops.etl.errors import EtlError
from chiops.etl.formats import NAMES, open_format
from chiops.etl.formats.base import shard_bytes, storage_order
from chiops.etl.formats.litdata import LitData, _settle_index
from chiops.etl.tree import SPLITS, samples
from chiops.loaders.samples import canonical_order
from tests.unit.etl.events import Heard

MIB = 2**20


def test_formats_are_found_by_name() -> None:
    assert {name: open_format(name, Options()).prefix for name in NAMES} == {
        "imagefolder": "Food-11",
        "litdata": "Food-11-litdata",
    }
    with pytest.raises(EtlError, match="no format 'tfrecord'"):
        open_format("tfrecord", Options())


def test_shards_are_stored_in_the_order_that_the_loaders_read(small_tree: Path) -> None:
    mine = [sample for sample in samples(small_tree) if sample.split == "training"]
    order = [sample.path.removeprefix("training/") for sample in storage_order(reversed(mine))]
    assert order == canonical_order(order[::-1])
    labels = [name[6:8] for name in order]
    assert labels != sorted(labels)


@given(st.integers(0, 2**42))
def test_a_shard_is_neither_tiny_nor_huge(split_bytes: int) -> None:
    size = shard_bytes(0, split_bytes)
    assert 4 * MIB <= size <= 64 * MIB
    assert shard_bytes(5 * MIB, split_bytes) == 5 * MIB
    if 64 * MIB <= split_bytes <= 1024 * MIB:
        assert 16 <= split_bytes / size < 17


def write_index(folder: Path, chunk_size: int, chunk_bytes: int, stamp: str, content: bytes = b"x" * 100) -> None:
    chunks = [{"chunk_bytes": chunk_bytes, "chunk_size": chunk_size, "dim": None, "filename": "chunk-0-0.bin"}]
    (folder / "chunk-0-0.bin").write_bytes(content)
    (folder / "index.json").write_text(json.dumps({"updated_at": stamp, "config": {}, "chunks": chunks}))


def test_an_index_tells_the_content_and_not_the_time(tmp_path: Path) -> None:
    write_index(tmp_path, 5, 100, "1795206996.70798")
    _settle_index(tmp_path, 5)
    first = (tmp_path / "index.json").read_bytes()
    write_index(tmp_path, 5, 100, "1795207000.3055367")
    _settle_index(tmp_path, 5)
    assert (tmp_path / "index.json").read_bytes() == first
    write_index(tmp_path, 5, 100, "1795206996.70798", b"y" * 100)
    _settle_index(tmp_path, 5)
    assert (tmp_path / "index.json").read_bytes() != first


def test_incomplete_chunks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EtlError, match="no usable index"):
        _settle_index(tmp_path, 5)
    write_index(tmp_path, 4, 100, "")
    with pytest.raises(EtlError, match="4 samples instead of 5"):
        _settle_index(tmp_path, 5)
    write_index(tmp_path, 5, 101, "")
    with pytest.raises(EtlError, match=r"chunk-0-0\.bin is not whole"):
        _settle_index(tmp_path, 5)


def test_litdata_gives_back_the_bytes_and_makes_the_same_files_again(small_tree: Path, tmp_path: Path) -> None:
    """Needs litdata, which only the bench image has: there, and in the end-to-end journey, the chunks are read back."""
    litdata = pytest.importorskip(
        "litdata", reason="litdata: only in the bench image; the e2e journey reads its chunks"
    )
    every = samples(small_tree)
    for name in ("one", "two"):
        heard = Heard()
        (tmp_path / name).mkdir()
        LitData(MIB).build(small_tree, every, tmp_path / name, heard)
        assert heard.all("progress")[-1]["done"] == heard.all("progress")[-1]["total"]
    files = {
        path.relative_to(tmp_path / "one").as_posix(): path.read_bytes()
        for path in (tmp_path / "one").rglob("*")
        if path.is_file()
    }
    assert {name.partition("/")[2] for name in files} >= {"index.json", "chunk-0-0.bin", "chunk-0-1.bin"}
    for name, data in files.items():
        assert (tmp_path / "two" / name).read_bytes() == data
    for split in SPLITS:
        order = storage_order(sample for sample in every if sample.split == split)
        dataset = litdata.StreamingDataset(str(tmp_path / "one" / split), shuffle=False)
        assert len(dataset) == len(order)
        for sample, item in zip(order, [dataset[index] for index in range(len(dataset))], strict=True):
            assert item == {"image": (small_tree / sample.path).read_bytes(), "label": sample.label}
