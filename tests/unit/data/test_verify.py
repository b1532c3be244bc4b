"""Verifying finds every difference between a bucket and what was loaded into it."""

from __future__ import annotations

import pytest

from chiops.cloud.base import S3Access, S3Endpoint
from chiops.data.verify import Difference, chosen, require, verify, verify_all
from chiops.errors import Auth, DataError, UsageError
from chiops.etl.config import S3Config
from chiops.etl.upload import Upload
from tests.support.weed import S3Server
from tests.unit.etl.events import Heard

FILES = {f"training/class_00/0_{number}.jpg": bytes([number]) * 1000 for number in range(6)}


@pytest.fixture
def s3(s3_server: S3Server, bucket: str, tmp_path_factory: pytest.TempPathFactory) -> S3Access:
    """A bucket that six files were loaded into."""
    folder = tmp_path_factory.mktemp("tree")
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    target = S3Config(endpoint=s3_server.url, bucket=bucket, access=s3_server.access, secret=s3_server.secret)
    upload = Upload(target, folder, "Food-11", "imagefolder", {"name": "food11-synthetic"}, threads=2)
    upload.run(FILES, tmp_path_factory.mktemp("scratch"), Heard())
    endpoint = S3Endpoint(url=s3_server.url)
    return S3Access(bucket=bucket, endpoint=endpoint, access=s3_server.access, secret=s3_server.secret)


def test_what_was_loaded_is_whole(s3: S3Access) -> None:
    found = verify(s3, "imagefolder", "Food-11")
    assert found.whole
    require([found], s3.bucket)
    assert (found.dataset, found.objects, found.bytes) == ("food11-synthetic", 6, 6000)


def test_every_kind_of_difference_is_found(s3: S3Access, s3_server: S3Server) -> None:
    client = s3_server.client()
    names = sorted(FILES)
    client.delete_object(Bucket=s3.bucket, Key=f"Food-11/{names[0]}")
    client.put_object(Bucket=s3.bucket, Key=f"Food-11/{names[1]}", Body=b"short")
    client.put_object(Bucket=s3.bucket, Key=f"Food-11/{names[2]}", Body=b"x" * 1000)
    client.put_object(Bucket=s3.bucket, Key="Food-11/training/class_00/0_99.jpg", Body=b"x")
    found = verify(s3, "imagefolder", "Food-11")
    assert found.missing == Difference(count=1, names=(names[0],))
    assert found.damaged == Difference(count=2, names=(names[1], names[2]))
    assert found.extra == Difference(count=1, names=("training/class_00/0_99.jpg",))
    with pytest.raises(DataError, match=r"Food-11/ in bucket .*: 1 missing, 2 damaged, 1 not ours"):
        require([found], s3.bucket)
    assert verify(s3, "imagefolder", "Food-11", names=1).damaged == Difference(count=2, names=(names[1],))


def test_what_is_wrong_with_one_format_keeps_none_of_the_others_from_being_checked(
    s3: S3Access, s3_server: S3Server
) -> None:
    s3_server.client().delete_object(Bucket=s3.bucket, Key=f"Food-11/{min(FILES)}")
    wanted = [("litdata", "Food-11"), ("imagefolder", "Food-11"), ("mds", "Food-11")]
    found = verify_all(s3, wanted)
    assert [one.format for one in found] == ["litdata", "imagefolder", "mds"]
    assert found[1].state == "1 missing"
    assert "its manifest is missing" in found[0].fault
    with pytest.raises(DataError, match="--format litdata --format imagefolder --format mds"):
        require(found, s3.bucket)


def test_an_object_sent_again_in_parts_is_known_by_its_own_checksum(s3: S3Access, s3_server: S3Server) -> None:
    client = s3_server.client()
    name = min(FILES)
    head = client.head_object(Bucket=s3.bucket, Key=f"Food-11/{name}")
    for metadata, damaged in ((head["Metadata"], ()), ({}, (name,))):
        where = {"Bucket": s3.bucket, "Key": f"Food-11/{name}"}
        begun = client.create_multipart_upload(**where, Metadata=metadata)["UploadId"]
        part = client.upload_part(**where, UploadId=begun, PartNumber=1, Body=FILES[name])
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        client.complete_multipart_upload(**where, UploadId=begun, MultipartUpload=parts)
        assert verify(s3, "imagefolder", "Food-11").damaged.names == damaged


def test_nothing_loaded_an_unknown_format_and_a_wrong_key(s3: S3Access) -> None:
    with pytest.raises(
        DataError, match=r"no complete litdata data of Food-11: its manifest is missing.*--format litdata"
    ):
        verify(s3, "litdata", "Food-11")
    with pytest.raises(UsageError):
        verify(s3, "tfrecord", "Food-11")
    with pytest.raises(Auth):
        verify(
            S3Access(bucket=s3.bucket, endpoint=s3.endpoint, access=s3.access, secret="wrong"), "imagefolder", "Food-11"
        )


def test_what_is_checked_is_what_is_loaded_or_what_was_named(s3: S3Access, s3_server: S3Server) -> None:
    assert chosen(s3, (), "") == [("imagefolder", "Food-11")]
    assert chosen(s3, ("imagefolder",), "") == [("imagefolder", "Food-11")]
    assert chosen(s3, ("litdata",), "flowers") == [("litdata", "flowers")]
    assert chosen(s3, (), "food11") == [("imagefolder", "Food-11")]
    with pytest.raises(DataError, match="holds no mds data"):
        chosen(s3, ("mds",), "")
    with pytest.raises(DataError, match="holds nothing of flowers"):
        chosen(s3, (), "flowers")
    with pytest.raises(UsageError):
        chosen(s3, ("tfrecord",), "")


def test_a_manifest_whose_list_is_another_is_torn(s3: S3Access, s3_server: S3Server) -> None:
    s3_server.client().put_object(Bucket=s3.bucket, Key="manifests/Food-11.files.jsonl", Body=b"")
    with pytest.raises(DataError, match="is torn"):
        verify(s3, "imagefolder", "Food-11")
