"""The configuration on stdin is read strictly, and never shows its secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.etl.config import parse
from chiops.etl.errors import EtlError

GOOD: dict[str, Any] = {
    "dataset": "food11-synthetic",
    "formats": ["imagefolder", "litdata", "imagefolder"],
    "staging": "/data",
    "s3": {"endpoint": "http://s3:8333", "region": "us-east-1", "bucket": "b", "access": "a", "secret": "hush"},
    "options": {"images": 240, "seed": 7, "shard_bytes": 0},
}


def test_a_good_document() -> None:
    config = parse(json.dumps(GOOD))
    assert config.formats == ("imagefolder", "litdata")
    assert config.staging == Path("/data")
    assert config.stages == ("extract", "transform", "load")
    assert parse(json.dumps(GOOD | {"stages": ["load", "extract"]})).stages == ("extract", "load")
    assert config.options.images == 240
    assert config.s3 is not None
    assert config.s3.secret == "hush"
    assert "hush" not in repr(config)
    assert parse(json.dumps(GOOD | {"s3": None, "options": None})).s3 is None


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"formats": []}, "formats must be a list"),
        ({"formats": "imagefolder"}, "formats must be a list"),
        ({"stages": []}, "stages must be a list"),
        ({"stages": ["load", "unload"]}, "there is no stage 'unload'"),
        ({"staging": ""}, "staging must be a text"),
        ({"colour": 1}, "the configuration has no key 'colour'"),
        ({"s3": {"endpoint": "x"}}, "s3 lacks 'bucket'"),
        ({"s3": GOOD["s3"] | {"secret": 5}}, "s3.secret must be a text"),
        ({"options": {"images": "many"}}, "options.images must be a whole number"),
        ({"options": {"images": True}}, "options.images must be a whole number"),
        ({"options": {"threads": 0}}, "options.threads must be at least 1"),
        ({"options": {"image": 1}}, "options has no key 'image'"),
        ({"options": [1]}, "options must be an object"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], what: str) -> None:
    with pytest.raises(EtlError) as caught:
        parse(json.dumps(GOOD | change))
    assert what in caught.value.what
    assert caught.value.kind == "usage"


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from([*GOOD, "images"]), inner)).map(json.dumps))  # fmt: skip
def test_nonsense_is_an_error_and_never_a_crash(text: str) -> None:
    with pytest.raises(EtlError):
        parse(text)
