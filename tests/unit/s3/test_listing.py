"""Whether a bucket holds anything at all, which counts do not tell."""

from __future__ import annotations

import pytest

from chiops.cloud.base import S3Access, S3Endpoint
from chiops.errors import Transient
from chiops.s3.listing import is_empty
from tests.unit.s3.s3_server import Bucket, serving


@pytest.mark.parametrize("versioned", [False, True])
def test_nothing_is_nothing(versioned: bool) -> None:
    with serving(Bucket([], versioned=versioned)) as access:
        assert is_empty(access)


@pytest.mark.parametrize(
    "keys", [["a"], ["a", "a"], ["a(gone)"]], ids=["an object", "old versions", "only a delete marker"]
)
def test_whatever_a_purge_would_take_counts(keys: list[str]) -> None:
    with serving(Bucket(keys, versioned=True)) as access:
        assert not is_empty(access)


def test_an_object_and_an_unfinished_upload_count() -> None:
    bucket = Bucket([])
    bucket.uploads = ["half"]
    with serving(bucket) as access:
        assert not is_empty(access)
    with serving(Bucket(["a", "b"])) as access:
        assert not is_empty(access)


def test_a_server_that_does_not_answer_is_told() -> None:
    with pytest.raises(Transient, match="no S3 server answers"):
        is_empty(S3Access(bucket="b", endpoint=S3Endpoint("http://127.0.0.1:1"), access="a", secret="s"))
