"""Formats: the size of shards, what each holds, and that equal data gives equal files.

Libraries that only the bench image has are missing here; there, and in the end-to-end journey, what they write is read back.
"""

from __future__ import annotations

import importlib.util
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.etl.build import Build
from chiops.etl.config import Options
from chiops.etl.errors import EtlError
from chiops.etl.formats import NAMES, open_format
from chiops.etl.formats.base import Format, shard_bytes
from chiops.etl.formats.litdata import LitData, _settle_index
from chiops.etl.formats.mds import Mds, _writer
from chiops.etl.formats.webdataset import WebDataset, member, shards
from chiops.etl.inventory import Inventory, Sample
from chiops.etl.stages import Stages
from chiops.etl.tree import SPLITS
from tests.unit.etl.events import Heard
from tests.unit.etl.trees import plant, take_stock

MIB = 2**20


@pytest.fixture(scope="module")
def stock(small_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inventory of the small tree."""
    file = tmp_path_factory.mktemp("stock") / "tree.sqlite"
    take_stock(small_tree, file)
    return file


def build(form: Format, tree: Path, stock: Path, target: Path) -> dict[str, bytes]:
    """All files of a format, made from a tree."""
    heard = Heard()
    target.parent.mkdir(parents=True, exist_ok=True)
    Build(form, tree, stock, target, Stages(target.with_name("stages"))).run({}, heard)
    last = heard.all("progress")[-1]
    assert last["done"] == last["total"] > 0
    return {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}


def test_formats_are_found_by_name() -> None:
    assert {name: open_format(name, Options()).suffix for name in NAMES} == {
        "imagefolder": "",
        "webdataset": "-webdataset",
        "litdata": "-litdata",
        "mds": "-mds",
    }
    assert all(open_format(name, Options()).name == name for name in NAMES)
    with pytest.raises(EtlError, match="no format 'tfrecord'"):
        open_format("tfrecord", Options())


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


def contents(tar: bytes, folder: Path) -> list[tuple[str, bytes]]:
    (folder / "read.tar").write_bytes(tar)
    with tarfile.open(folder / "read.tar") as shard:
        return [(entry.name, shard.extractfile(entry).read()) for entry in shard]  # type: ignore[union-attr]


def test_tar_shards_hold_every_sample_in_storage_order(small_tree: Path, stock: Path, tmp_path: Path) -> None:
    files = build(WebDataset(MIB), small_tree, stock, tmp_path / "one")
    assert build(WebDataset(MIB), small_tree, stock, tmp_path / "two" / "x") == files
    for split in SPLITS:
        index = json.loads(files[f"{split}/index.json"])
        assert index["wids_version"] == 1
        names = [shard["url"] for shard in index["shardlist"]]
        assert names == [f"shard-{number:06d}.tar" for number in range(len(names))]
        assert sorted(f"{split}/{name}" for name in (*names, "index.json")) == sorted(
            name for name in files if name.startswith(split)
        )
        found = []
        for shard in index["shardlist"]:
            data = files[f"{split}/{shard['url']}"]
            members = contents(data, tmp_path)
            assert (len(data), len(members)) == (shard["filesize"], 2 * shard["nsamples"])
            assert len(data) <= MIB + tarfile.RECORDSIZE
            found += members
        with Inventory(stock) as images:
            expected = []
            for sample in images.in_order(split):
                stem = sample.key.removesuffix(".jpg")
                expected += [(f"{stem}.jpg", (small_tree / sample.path).read_bytes())]
                expected += [(f"{stem}.cls", str(sample.label).encode())]
        assert found == expected


def test_a_killed_writing_of_shards_continues_behind_the_last_whole_one(
    small_tree: Path, stock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = build(WebDataset(MIB), small_tree, stock, tmp_path / "whole")
    closed = 0
    close = tarfile.TarFile.close

    def killed(tar: tarfile.TarFile) -> None:
        nonlocal closed
        closed += 1
        if closed == 3:
            raise KeyboardInterrupt
        close(tar)

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "close", killed)
        with pytest.raises(KeyboardInterrupt):
            build(WebDataset(MIB), small_tree, stock, tmp_path / "killed" / "x")
    kept = sorted((tmp_path / "killed").rglob("*.tar"))
    assert len(kept) >= 2
    dates = [path.stat().st_mtime_ns for path in kept]
    assert build(WebDataset(MIB), small_tree, stock, tmp_path / "killed" / "x") == whole
    kept = [tmp_path / "killed" / "x" / path.relative_to(path.parents[1]).as_posix().removeprefix(".") for path in kept]
    assert [path.stat().st_mtime_ns for path in kept] == dates


@given(st.lists(st.integers(0, 5000)), st.integers(2000, 20_000))
def test_shards_lose_nothing_and_keep_to_their_size(sizes: list[int], limit: int) -> None:
    samples = [Sample(f"training/cats/{number}.jpg", "training", 0, size) for number, size in enumerate(sizes)]
    found = list(shards(samples, limit))
    assert [sample for shard in found for sample in shard] == samples
    assert all(len(shard) == 1 or sum(one.size + 1536 for one in shard) <= limit for shard in found)


NAMES_OF_FILES = st.text(
    st.characters(exclude_categories=("Cc", "Cn", "Cs", "Zl", "Zp"), exclude_characters="/"), min_size=1, max_size=40
).filter(lambda name: not name.startswith(".") and len(name.encode()) < 240)


@given(st.lists(st.tuples(NAMES_OF_FILES, NAMES_OF_FILES, st.sampled_from([".jpg", ".JPG", ".jpeg"])), unique=True))
def test_every_key_has_a_name_of_its_own_in_a_shard(keys: list[tuple[str, str, str]]) -> None:
    names = [member(f"{folder}/{stem}{ending}") for folder, stem, ending in keys]
    assert len(set(names)) == len(names)
    for name, (folder, _, _) in zip(names, keys, strict=True):
        assert name.startswith(f"{folder}/")
        assert "." not in name.removeprefix(f"{folder}/")


STRANGE = ("Brot & Käse/a b.jpg", "'quoted' \"twice\"/1.2.jpg", "日本 料理/寿司.JPEG", "100%/50%2E.jpg", "-rf/--.jpg")


@pytest.fixture
def strange(tmp_path: Path) -> tuple[Path, Path]:
    """A tree with names that people do give, and its inventory."""
    root = plant(tmp_path / "strange", [f"training/{name}" for name in STRANGE])
    take_stock(root, tmp_path / "strange.sqlite")
    return root, tmp_path / "strange.sqlite"


def test_strange_names_survive_in_shards(strange: tuple[Path, Path], tmp_path: Path) -> None:
    files = build(WebDataset(), *strange, tmp_path / "made")
    got = dict(contents(files["training/shard-000000.tar"], tmp_path))
    with Inventory(strange[1]) as images:
        for sample in images.in_order("training"):
            assert got[f"{member(sample.key)}.jpg"] == (strange[0] / sample.path).read_bytes()
            assert got[f"{member(sample.key)}.cls"] == str(sample.label).encode()


def test_the_webdataset_library_reads_the_shards(strange: tuple[Path, Path], tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset", reason="webdataset: only in the bench image")
    build(WebDataset(), *strange, tmp_path / "made")
    url = str(tmp_path / "made/training/shard-000000.tar")
    samples = list(webdataset.WebDataset(url, shardshuffle=False, empty_check=False))
    with Inventory(strange[1]) as images:
        expected = [(member(one.key), str(one.label).encode()) for one in images.in_order("training")]
    assert [(one["__key__"], one["cls"]) for one in samples] == expected
    assert all(set(one) >= {"jpg", "cls"} for one in samples)


def litdata_items(folder: Path) -> list[tuple[bytes, int]]:
    litdata = pytest.importorskip("litdata", reason="litdata: only in the bench image")
    dataset = litdata.StreamingDataset(str(folder), shuffle=False)
    return [(item["image"], item["label"]) for item in (dataset[index] for index in range(len(dataset)))]


def local_mds(folder: Path) -> Any:
    """The library's own reader of a folder."""
    _writer()  # its import may need that help
    from streaming import LocalDataset

    return LocalDataset(str(folder))


def mds_items(folder: Path) -> list[tuple[bytes, int]]:
    dataset = local_mds(folder)
    return [(item["image"], item["label"]) for item in (dataset[index] for index in range(len(dataset)))]


@pytest.mark.parametrize(
    ("make", "library", "read"),
    [(LitData, "litdata", litdata_items), (Mds, "streaming", mds_items)],
    ids=["litdata", "mds"],
)
def test_a_library_gives_back_the_bytes_and_makes_the_same_files_again(
    small_tree: Path, stock: Path, tmp_path: Path, make: Callable[[int], Format], library: str,
    read: Callable[[Path], list[tuple[bytes, int]]], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library}: only in the bench image; the e2e journey reads what it writes")
    monkeypatch.setattr("chiops.etl.formats.litdata._RUN", 7)
    files = build(make(MIB), small_tree, stock, tmp_path / "one")
    assert len(files) > 2 * len(SPLITS)
    assert build(make(MIB), small_tree, stock, tmp_path / "two" / "x") == files
    for split in SPLITS:
        with Inventory(stock) as images:
            expected = [((small_tree / one.path).read_bytes(), one.label) for one in images.in_order(split)]
        assert read(tmp_path / "one" / split) == expected


def test_mds_keeps_the_keys(strange: tuple[Path, Path], tmp_path: Path) -> None:
    if importlib.util.find_spec("streaming") is None:
        pytest.skip("streaming: only in the bench image")
    build(Mds(), *strange, tmp_path / "made")
    dataset = local_mds(tmp_path / "made/training")
    assert {dataset[index]["key"] for index in range(len(dataset))} == set(STRANGE)
