"""Times as people type and read them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.errors import UsageError
from chiops.ops import moments

NOW = datetime(2026, 11, 20, 21, 15, tzinfo=UTC)


@pytest.fixture(autouse=True)
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Five hours behind UTC in winter, four in summer."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-21 18:00", "2026-11-21 23:00 UTC"),
        ("2026-07-21 18:00", "2026-07-21 22:00 UTC"),
        ("2026-11-21T18:00Z", "2026-11-21 18:00 UTC"),
        ("2026-11-21 18:00+01:00", "2026-11-21 17:00 UTC"),
        ("18:00", "2026-11-20 23:00 UTC"),
        ("9:30", "2026-11-21 14:30 UTC"),
        ("16:15", "2026-11-21 21:15 UTC"),
    ],
)
def test_a_moment_is_local_unless_it_says_otherwise(text: str, utc: str) -> None:
    assert moments.utc(moments.parse_moment(text, NOW)) == utc


def test_tomorrow_is_the_calendars_also_when_the_clocks_change() -> None:
    evening = datetime(2026, 10, 31, 20, 0, tzinfo=UTC)  # 16:00 in New York, whose clocks go back in the night
    assert moments.local(moments.parse_moment("9:30", evening)) == "2026-11-01 09:30 EST"


@pytest.mark.parametrize(
    "text", ["", "now", "2026-11-21", "25:00", "2026-13-01 10:00", "tomorrow", "18", "9999-12-31 23:59"]
)
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    if text.startswith("9999"):
        with pytest.raises(UsageError):
            moments.parse_moment(text, NOW)
        return
    with pytest.raises(UsageError, match="Write for example"):
        moments.parse_moment(text, NOW)


@given(st.text(max_size=24))
def test_any_text_is_a_time_or_a_usage_error(text: str) -> None:
    try:
        moment = moments.parse_moment(text, NOW)
    except UsageError:
        return
    assert moment.tzinfo is UTC


def test_both_zones_are_shown() -> None:
    assert moments.local(NOW) == "2026-11-20 16:15 EST"
    assert moments.utc(NOW.astimezone()) == "2026-11-20 21:15 UTC"


def test_a_span_that_is_none_is_a_usage_error() -> None:
    assert moments.span("1d12h") == timedelta(hours=36)
    with pytest.raises(UsageError, match="not a duration"):
        moments.span("soon")
