"""Images of one's own: what of a folder counts, which class it is of, and how it comes from stdin or the bucket."""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.etl.config import Options, S3Config
from chiops.etl.datasets import open_dataset
from chiops.etl.datasets.image_tree import ImageTree
from chiops.etl.errors import EtlError
from chiops.etl.sources.arrange import ByFolders, ByKeys
from chiops.etl.sources.base import counts
from chiops.etl.sources.bucket import strings
from chiops.etl.sources.folder import Folder
from chiops.etl.sources.sent import Sent
from chiops.etl.tree import files
from tests.support.weed import S3Server
from tests.unit.etl.events import Heard
from tests.unit.etl.test_formats import STRANGE
from tests.unit.etl.trees import jpeg, plant, samples


def made(dataset: ImageTree, work: Path) -> Path:
    """The dataset's tree, made from its source."""
    work.mkdir(exist_ok=True)
    dataset.look(work, Heard())
    dataset.extract(work, Heard())
    dataset.transform(work, work / "tree", Heard())
    return work / "tree"


@pytest.mark.parametrize(
    ("paths", "split", "places"),
    [
        (["cats/1.jpg", "dogs/a/1.jpg"], "", ["training/cats/1.jpg", "training/dogs/a/1.jpg"]),
        (["cats/1.jpg"], "evaluation", ["evaluation/cats/1.jpg"]),
        (["Train/cats/1.jpg", "val/cats/1.jpg", "test/cats/1.jpg"], "",
         ["training/cats/1.jpg", "validation/cats/1.jpg", "evaluation/cats/1.jpg"]),
        (["test/1.jpg", "prod/1.jpg"], "training", ["training/test/1.jpg", "training/prod/1.jpg"]),
    ],
)  # fmt: skip
def test_folders_tell_split_and_class(paths: list[str], split: str, places: list[str]) -> None:
    arrangement = ByFolders(split)
    for path in paths:
        arrangement.learn(path)
    arrangement.settle("here")
    assert [arrangement.place(path) for path in paths] == places


@pytest.mark.parametrize(
    ("paths", "what"),
    [
        ([], "here holds no images"),
        (["1.jpg", "cats/1.jpg"], "here is a tree without classes: '1.jpg' lies in no folder"),
        (["train/1.jpg", "val/cats/1.jpg"], "a tree without classes: 'train/1.jpg' lies in no class's folder"),
        (["train/cats/1.jpg", "extra/cats/1.jpg"], r"folders of splits \(train\) beside others \(extra\)"),
        (["val/cats/1.jpg", "valid/cats/1.jpg"], "two folders of here mean the same split: val, valid"),
    ],
)
def test_what_tells_no_class_is_refused(paths: list[str], what: str) -> None:
    arrangement = ByFolders()
    for path in paths:
        arrangement.learn(path)
    with pytest.raises(EtlError, match=what) as caught:
        arrangement.settle("here")
    assert caught.value.todo


def test_keys_tell_their_class_by_the_folder_they_are_in() -> None:
    arrangement = ByKeys()
    assert arrangement.place("scratch/imagenet/train/n01/1.JPEG") == "training/n01/1.JPEG"
    assert arrangement.place("scratch/imagenet/val/ILSVRC2012_val_1.JPEG") == "training/val/ILSVRC2012_val_1.JPEG"
    assert arrangement.place("cats/1.jpg") == "training/cats/1.jpg"
    assert ByKeys("evaluation").place("train/cats/1.jpg") == "evaluation/cats/1.jpg"
    arrangement.learn("1.jpg")
    with pytest.raises(EtlError, match=r"without classes: the key '1.jpg' has no folder"):
        arrangement.settle("the index")


def test_hidden_files_and_what_is_no_image_do_not_count() -> None:
    assert [path for path in ("a/1.jpg", "a/.1.jpg", ".git/1.jpg", "a/Thumbs.db", "a/2.JPEG") if counts(path)] == [
        "a/1.jpg", "a/2.JPEG"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "why"),
    [("a/1.PNG", "JPEGs alone"), ("a/1\n.jpg", "no text"), ("a/\udcff.jpg", "not UTF-8"), ("../1.jpg", "dots"),
     ("a//1.jpg", "empty"), (f"a/{'x' * 256}.jpg", "too long")],
)  # fmt: skip
def test_what_cannot_be_kept_is_named(path: str, why: str) -> None:
    with pytest.raises(EtlError, match=why):
        counts(path)


def test_a_folder_becomes_a_tree_and_stays_as_it_was(tmp_path: Path) -> None:
    plant(tmp_path / "source", [*STRANGE, "cats/.hidden.jpg"])
    (tmp_path / "source/notes.txt").touch()
    before = {path: (tmp_path / "source" / path).read_bytes() for path in files(tmp_path / "source")}
    dataset = ImageTree("mine", Folder(tmp_path / "source"), "")
    tree = made(dataset, tmp_path / "work")
    assert sorted(files(tree)) == sorted(f"training/{name}" for name in STRANGE)
    assert all((tree / "training" / name).read_bytes() == before[name] for name in STRANGE)
    dataset.clean(tmp_path / "work")
    assert {path: (tmp_path / "source" / path).read_bytes() for path in files(tmp_path / "source")} == before
    first = dataset.look(tmp_path / "work", Heard())
    assert dataset.look(tmp_path / "work", Heard()) == first
    os.utime(tmp_path / "source" / STRANGE[0], ns=(1, 1))
    assert dataset.look(tmp_path / "work", Heard()) != first


class Wire(Heard):
    """What the other side of stdin does: lists a folder, and sends what is asked for."""

    def __init__(self, folder: Path, *, lose: int = 0) -> None:
        super().__init__()
        listing = [(path, (folder / path).stat()) for path in sorted(files(folder))]
        lines = [json.dumps([path, facts.st_size, facts.st_mtime_ns]) + "\n" for path, facts in listing]
        self.stream = io.BytesIO("".join([*lines, "\n"]).encode())
        self.asked: list[str] = []
        self._content = [(path, (folder / path).read_bytes()) for path, _ in listing]
        self._lose = lose

    def wanted(self, bits: bytes) -> None:
        chosen = [one for number, one in enumerate(self._content) if bits[number // 8] >> number % 8 & 1]
        self.asked = [path for path, _ in chosen]
        data = b"".join(content for _, content in chosen)
        place = self.stream.tell()
        self.stream.write(data[: len(data) - self._lose])
        self.stream.seek(place)


def receive(folder: Path, work: Path, *, lose: int = 0) -> list[str]:
    wire = Wire(folder, lose=lose)
    dataset = ImageTree("mine", Sent(stream=wire.stream), "")
    dataset.look(work, wire)
    dataset.extract(work, wire)
    return wire.asked


def test_a_folder_that_is_sent_arrives_and_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    names = [f"class {number % 3}/é {number}.jpg" for number in range(30)]
    folder, work = plant(tmp_path / "folder", names), tmp_path / "work"
    work.mkdir()
    with pytest.raises(EtlError, match="connection ended") as caught:
        receive(folder, work, lose=2 * len(jpeg(0)) + 10)
    assert caught.value.kind == "transient"
    assert len(receive(folder, work)) == 3
    assert {path: (work / "source" / path).read_bytes() for path in names} == {
        path: (folder / path).read_bytes() for path in names
    }
    assert receive(folder, work) == []
    (folder / names[4]).write_bytes(jpeg(99))
    assert receive(folder, work) == [names[4]]
    dataset = ImageTree("mine", Sent(stream=io.BytesIO()), "")
    dataset.transform(work, work / "tree", Heard())
    assert (work / "tree/training" / names[4]).read_bytes() == jpeg(99)
    assert len(samples(work / "tree")) == 30


def test_a_list_that_breaks_off_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(EtlError, match="list of files broke off"):
        list(Sent(stream=io.BytesIO(b'["a/1.jpg", 1, 2]\n["b')).list(tmp_path, Heard()))


@pytest.fixture
def s3(s3_server: S3Server, bucket: str) -> S3Config:
    return S3Config(endpoint=s3_server.url, bucket=bucket, access=s3_server.access, secret=s3_server.secret)


@pytest.fixture
def photos(s3_server: S3Server, s3: S3Config) -> dict[str, bytes]:
    """Keys of images in the bucket, and their content; one is no image."""
    found = {f"photos/train/{name}": jpeg(number) for number, name in enumerate(STRANGE)}
    found |= {f"photos/val/-rf/{number}.jpg": jpeg(100 + number) for number in range(5)}
    for key, data in (*found.items(), ("photos/readme.txt", b"hello"), ("photosynthesis/x/1.jpg", jpeg(1))):
        s3_server.client().put_object(Bucket=s3.bucket, Key=key, Body=data)
    return found


def test_a_prefix_of_the_bucket_becomes_a_tree(
    s3: S3Config, s3_server: S3Server, photos: dict[str, bytes], tmp_path: Path
) -> None:
    options = Options(name="mine", source="bucket:photos/", threads=4)
    dataset: Any = open_dataset("imagefolder", options, s3)
    tree = made(dataset, tmp_path / "work")
    expected = {
        key.replace("photos/train", "training").replace("photos/val", "validation"): data
        for key, data in photos.items()
    }
    assert {path: (tree / path).read_bytes() for path in files(tree)} == expected
    raw = tmp_path / "work/source"
    dates = {path: (raw / path).stat().st_ino for path in files(raw)}
    victim = "val/-rf/0.jpg"
    (raw / victim).write_bytes(b"torn")
    dataset.extract(tmp_path / "work", Heard())
    again = {path: (raw / path).stat().st_ino for path in files(raw)}
    assert {path for path in dates if again[path] != dates[path]} == {victim}
    assert (raw / victim).read_bytes() == photos[f"photos/{victim}"]


def test_an_empty_prefix_and_a_key_that_is_gone(
    s3: S3Config, s3_server: S3Server, photos: dict[str, bytes], tmp_path: Path
) -> None:
    nothing: Any = open_dataset("imagefolder", Options(name="mine", source="bucket:nothing"), s3)
    with pytest.raises(EtlError, match=r"s3://.*/nothing holds no images"):
        nothing.look(tmp_path, Heard())
    dataset: Any = open_dataset("imagefolder", Options(name="mine", source="bucket:photos"), s3)
    dataset.look(tmp_path, Heard())
    s3_server.client().delete_object(Bucket=s3.bucket, Key="photos/val/-rf/3.jpg")
    with pytest.raises(EtlError, match=r"no object 'photos/val/-rf/3.jpg'"):
        dataset.extract(tmp_path, Heard())


def test_an_index_of_keys_becomes_a_tree(
    s3: S3Config, s3_server: S3Server, photos: dict[str, bytes], tmp_path: Path
) -> None:
    keys = [key for key in photos if "/val/" in key]
    client = s3_server.client()
    client.put_object(Bucket=s3.bucket, Key="lists/index val.json", Body=json.dumps(keys))
    dataset: Any = open_dataset("index", Options(name="mine", index="bucket:lists/index val.json"), s3)
    tree = made(dataset, tmp_path / "work")
    assert {path: (tree / path).read_bytes() for path in files(tree)} == {
        f"validation/-rf/{key.rpartition('/')[2]}": photos[key] for key in keys
    }
    client.put_object(Bucket=s3.bucket, Key=keys[0], Body=jpeg(7) + b"longer")  # mended at its source
    dataset.extract(tmp_path / "work", Heard())
    assert (tmp_path / "work/source" / keys[0]).read_bytes() == jpeg(7) + b"longer"


@pytest.mark.parametrize("text", ["", "{}", '["a", 5]', '["a"', '["a', "[", '["a" "b', "null"])
def test_what_is_no_list_of_keys_is_refused(text: str) -> None:
    with pytest.raises(EtlError, match=r"index\.json is not a JSON list of keys"):
        list(strings(io.StringIO(text), "index.json"))


@given(st.lists(st.text()), st.integers(1, 9), st.booleans())
def test_a_list_of_keys_is_read_in_pieces_of_any_size(keys: list[str], piece: int, wide: bool) -> None:
    text = json.dumps(keys, indent=2 if wide else None, ensure_ascii=wide)

    class Slow(io.StringIO):
        def read(self, size: int | None = -1) -> str:
            return super().read(piece)

    assert list(strings(Slow(text), "index.json")) == keys


def test_two_images_in_one_place_are_refused(tmp_path: Path, s3: S3Config, s3_server: S3Server) -> None:
    s3_server.client().put_object(Bucket=s3.bucket, Key="twice.json", Body=json.dumps(["a/cats/1.jpg", "b/cats/1.jpg"]))
    dataset: Any = open_dataset("index", Options(name="mine", index="bucket:twice.json"), s3)
    with pytest.raises(EtlError, match=r"'a/cats/1.jpg' and 'b/cats/1.jpg' would be one image, training/cats/1.jpg"):
        dataset.look(tmp_path, Heard())


@pytest.mark.parametrize(
    "options",
    [Options(), Options(name="a/b", source="sent"), Options(name="mine"), Options(name="mine", source="ftp:x"),
     Options(name="mine", source="bucket:x"), Options(name="mine", source="sent", split="train")],
)  # fmt: skip
def test_a_dataset_of_ones_own_needs_a_name_and_a_source(options: Options) -> None:
    with pytest.raises(EtlError) as caught:
        open_dataset("imagefolder", options)
    assert caught.value.kind == "usage"


def test_what_is_wanted_is_told_in_bits() -> None:
    heard = Heard()
    heard.wanted(b"\x05")
    assert base64.b64decode(heard.all("wanted")[0]["bits"]) == b"\x05"
