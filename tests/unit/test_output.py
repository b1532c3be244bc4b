"""Results on stdout: JSON that parses, YAML that means the same, secrets in neither."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chiops.cloud.base import Ec2Credential, Mark, S3Access, S3Endpoint
from chiops.output import Format, emit, plain

RESULT = {
    "when": datetime(2026, 11, 20, tzinfo=UTC),
    "span": timedelta(minutes=2),
    "path": Path("/tmp/x"),
    "mark": Mark("lab", "me"),
    "some": ("a", 1, None),
}
EXPECTED = {
    "when": "2026-11-20T00:00:00+00:00",
    "span": 120.0,
    "path": "/tmp/x",
    "mark": {"lab": "lab", "owner": "me"},
    "some": ["a", 1, None],
}


@pytest.mark.parametrize(("format_", "read"), [(Format.JSON, json.loads), (Format.YAML, yaml.safe_load)])
def test_a_result_reads_back(format_: Format, read: object, capsys: pytest.CaptureFixture[str]) -> None:
    emit(RESULT, format_, table=[{"a": 1}], text="for people")
    out = capsys.readouterr().out
    assert callable(read)
    assert read(out) == EXPECTED


def test_people_get_a_table_and_lines(capsys: pytest.CaptureFixture[str]) -> None:
    emit(RESULT, Format.TABLE, table=[{"name": "n", "size_gib": 2}, {"name": "[red]m", "size_gib": None}], text="Done.")
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == ["name    size gib", "n       2", "[red]m  -", "Done."]


def test_a_secret_is_never_plain() -> None:
    credential = Ec2Credential(access="AK", secret="hush", project_id="p")
    access = S3Access(bucket="b", endpoint=S3Endpoint("http://x"), access="AK", secret="hush")
    assert "hush" not in json.dumps([plain(credential), plain(access)]) + repr([credential, access])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_plain_data_pass_unchanged(value: object) -> None:
    assert plain(value) == value
    assert json.loads(json.dumps(plain(value))) == value
