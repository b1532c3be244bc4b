"""A person's own images: where they say they are, and a folder of this machine sent to the real node side."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.cloud.base import S3Access, S3Endpoint
from chiops.data.index import index
from chiops.data.options import PrepareOptions
from chiops.data.prepare import Event, perform, to_send
from chiops.data.source import Sending, Source, check_name
from chiops.errors import ChiopsError, DataError, NotFound, UsageError
from chiops.etl.tree import files
from tests.support.weed import S3Server
from tests.unit.etl.test_formats import STRANGE
from tests.unit.etl.trees import jpeg, plant


@pytest.fixture
def s3(s3_server: S3Server, bucket: str) -> S3Access:
    endpoint = S3Endpoint(url=s3_server.url)
    return S3Access(bucket=bucket, endpoint=endpoint, access=s3_server.access, secret=s3_server.secret)


class Node:
    """Launches the node side as a process of this machine, with its staging in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sent = 0

    def __call__(
        self, config: dict[str, Any], mounts: Sequence[str], on_event: Event, feed: Iterable[bytes]
    ) -> dict[str, Any]:
        process = subprocess.Popen(
            [sys.executable, "-m", "chiops.etl"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        document = json.dumps(config | {"staging": str(self.folder)}) + "\n"
        feeder = threading.Thread(target=self._feed, args=(process, chain([document.encode()], feed)), daemon=True)
        feeder.start()
        last: dict[str, Any] = {}
        with process:
            for line in process.stdout or ():
                last = json.loads(line)
                on_event(last)
        if last["event"] == "error":
            raise DataError(last["what"], why=last["why"], todo=last["todo"])
        return dict(last["result"])

    def _feed(self, process: subprocess.Popen[bytes], pieces: Iterable[bytes]) -> None:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):
            for piece in pieces:
                process.stdin.write(piece)
                process.stdin.flush()
                self.sent += len(piece)
            process.stdin.close()


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("~/flowers", Source("here", str(Path.home() / "flowers"))),
        ("node:/srv/flowers", Source("node", "/srv/flowers")),
        ("s3:photos/2024/", Source("bucket", "photos/2024")),
        ("s3://mine/photos", Source("bucket", "photos", "mine")),
    ],
)
def test_a_source_says_where_it_is(text: str, source: Source) -> None:
    assert Source.parse(text) == source


@given(st.text())
def test_a_usual_name_is_a_name_or_is_asked_for(text: str) -> None:
    try:
        options = PrepareOptions(dataset="imagefolder", source=text)
    except UsageError:
        return
    assert check_name(options.staged_as) == options.staged_as


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("flowers", "./flowers/", True),
        ("flowers", "other/flowers", False),
        ("node:/srv/flowers", "node:/srv/x/../flowers/", True),
        ("node:/srv/flowers", "node:/home/flowers", False),
        ("flowers", "node:/srv/flowers", False),
    ],
)
def test_the_node_is_told_one_source_from_another(one: str, other: str, same: bool) -> None:
    told = [
        PrepareOptions(dataset="imagefolder", source=text, name="mine").for_the_node()["origin"]
        for text in (one, other)
    ]
    assert all(told)
    assert (told[0] == told[1]) is same


@pytest.mark.parametrize("source", ["~nobody-of-that-name/x", "a\0b", "node:x", "/", "日本"])
def test_what_gives_no_name_or_no_place_is_refused_with_advice(source: str) -> None:
    with pytest.raises(UsageError) as caught:
        PrepareOptions(dataset="imagefolder", source=source)
    assert caught.value.todo


def test_a_folder_here_goes_to_the_node_and_into_the_bucket(s3: S3Access, tmp_path: Path) -> None:
    folder = plant(tmp_path / "my photos", [*STRANGE, "notes/.hidden.jpg"])
    (folder / "readme.txt").write_text("hello")
    node = Node(tmp_path / "staging")
    options = PrepareOptions(dataset="imagefolder", source=str(folder), formats=("imagefolder", "webdataset"))
    result = perform(node, s3, options, to_send(options))
    assert result.dataset == "my-photos"
    assert result.classes == tuple(sorted(name.partition("/")[0] for name in STRANGE))
    assert result.formats["imagefolder"].objects == len(STRANGE)
    tree = tmp_path / "staging/my-photos/my-photos"
    assert {path: (tree / path).read_bytes() for path in files(tree)} == {
        f"training/{name}": (folder / name).read_bytes() for name in STRANGE
    }
    node.sent = 0
    again = perform(node, s3, options, to_send(options))
    assert again.formats["webdataset"].uploaded == 0
    assert node.sent < 2000  # the list alone


def test_a_file_that_changes_while_it_is_sent_is_noticed(tmp_path: Path) -> None:
    folder = plant(tmp_path / "pets", ["cats/1.jpg", "cats/2.jpg"])
    sending = Sending(folder)
    for change in (lambda path: path.write_bytes(b"x"), lambda path: path.write_bytes(jpeg(1) * 2), Path.unlink):
        change(folder / "cats/2.jpg")
        sending.on_event({"event": "wanted", "bits": "Aw=="})
        with pytest.raises(DataError, match=r"cats/2.jpg changed while it was sent"):
            list(sending.pieces())


def test_a_run_that_ends_without_asking_ends_the_sending(tmp_path: Path) -> None:
    sending = Sending(plant(tmp_path / "pets", ["cats/1.jpg"]))
    sending.end()
    assert list(sending.pieces())[-1] == b"\n"


@pytest.mark.parametrize(
    ("prepare", "kind", "what"),
    [
        (lambda root: root / "absent", NotFound, "no file or folder .*absent here"),
        (
            lambda root: plant(root / "flat", ["1.jpg"]),
            DataError,
            r"flat is a tree without classes: '1.jpg' lies in no",
        ),
        (lambda root: plant(root / "png", ["cats/1.png"]), DataError, "'cats/1.png' is no JPEG"),
        (lambda root: plant(root / "none", ["cats/readme.md"]), DataError, "none holds no images"),
        (lambda root: plant(root, ["one.jpg"]) / "one.jpg", UsageError, "one.jpg is no folder"),
    ],
)
def test_a_folder_that_cannot_be_prepared_is_refused_before_anything_starts(
    tmp_path: Path, prepare: Any, kind: type[ChiopsError], what: str
) -> None:
    options = PrepareOptions(dataset="imagefolder", source=str(prepare(tmp_path)), name="mine")
    with pytest.raises(kind, match=what):
        to_send(options)


def test_another_bucket_is_refused(tmp_path: Path) -> None:
    access = S3Access(bucket="b", endpoint=S3Endpoint(url="http://127.0.0.1:1"), access="a", secret="s")
    with pytest.raises(UsageError, match="in bucket other, and it is b"):
        perform(Node(tmp_path), access, PrepareOptions(dataset="imagefolder", source="s3://other/x"))


def test_an_index_is_made_and_prepared(s3: S3Access, s3_server: S3Server, tmp_path: Path) -> None:
    keys = [f"scratch/{name}" for name in STRANGE]
    for number, key in enumerate((*keys, "scratch/readme.txt", "scratchy/cats/1.jpg")):
        s3_server.client().put_object(Bucket=s3.bucket, Key=key, Body=jpeg(number))
    made = index(s3, "scratch/", tmp_path / "index val.json")
    assert (made.keys, made.bytes, made.prefix) == (len(keys), sum(map(len, map(jpeg, range(len(keys))))), "scratch")
    assert sorted(json.loads((tmp_path / "index val.json").read_text())) == sorted(keys)
    options = PrepareOptions(dataset="index", source=made.file, split="evaluation")
    result = perform(Node(tmp_path / "staging"), s3, options, to_send(options))
    assert result.dataset == "index-val"
    assert result.splits["evaluation"].images == len(keys)
    before = (tmp_path / "index val.json").read_bytes()
    for prefix, why in (("nothing", "nothing is there"), ("scratch/readme.txt", "nothing is there")):
        with pytest.raises(NotFound, match=f"no images under s3://{s3.bucket}/{prefix}: {why}"):
            index(s3, prefix, tmp_path / "index val.json")
    assert (tmp_path / "index val.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index val.json", "staging"]
