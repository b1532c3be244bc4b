"""Names, durations and sizes as people type and read them."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.names import format_bytes, format_duration, nearest, parse_duration, suggestion
from chiops.s3.names import bucket_name_problem, suggest_bucket_name


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90m", timedelta(minutes=90)),
        ("4h", timedelta(hours=4)),
        ("1d12h", timedelta(days=1, hours=12)),
        ("1.5h", timedelta(minutes=90)),
        (" 30S ", timedelta(seconds=30)),
    ],
)
def test_durations_are_read(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize("text", ["", "4", "h", "4 h", "4h!", "-4h", "0m", "4w", "99999999999999d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|lease|no time"):
        parse_duration(text)


@given(st.text(max_size=20))
def test_no_text_breaks_the_parser(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_duration(text) > timedelta()


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=45), "45 s"),
        (timedelta(hours=3, minutes=12, seconds=50), "3 h 12 min"),
        (timedelta(days=2), "2 d"),
        (timedelta(seconds=-5), "0 s"),
        (timedelta(hours=1, seconds=5), "1 h"),
    ],
)
def test_durations_are_told_in_two_units(span: timedelta, text: str) -> None:
    assert format_duration(span) == text


@pytest.mark.parametrize(
    ("count", "text"), [(None, "-"), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 40, "5.0 TiB")]
)
def test_sizes_are_told_in_binary_units(count: int | None, text: str) -> None:
    assert format_bytes(count) == text


def test_the_nearest_word_is_suggested() -> None:
    assert nearest("imagefoldr", ["imagefolder", "litdata"]) == "imagefolder"
    assert suggestion("imagefoldr", ["imagefolder", "litdata"]) == "did you mean 'imagefolder'?"
    assert suggestion("zzz", ["b", "a"]) == "choose one of: a, b"


@pytest.mark.parametrize("name", ["object-chi-ff524", "a.b.c", "123", "x" * 63])
def test_good_bucket_names_pass(name: str) -> None:
    assert bucket_name_problem(name) == ""


@pytest.mark.parametrize("name", ["ab", "x" * 64, "Foo", "a_b", "-ab", "ab-", "a..b", "a.-b", "10.0.0.1", "", "täst"])
def test_bad_bucket_names_are_explained_with_a_good_one(name: str) -> None:
    problem = bucket_name_problem(name)
    assert problem.startswith(f"{name!r} is not a bucket name: ")
    assert bucket_name_problem(suggest_bucket_name(name)) == ""


@given(st.text(max_size=80))
def test_every_suggested_bucket_name_is_good(name: str) -> None:
    assert bucket_name_problem(suggest_bucket_name(name)) == ""
