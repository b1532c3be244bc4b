from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.loaders.layers import Durations, Watch, merged

seconds = st.floats(min_value=1e-7, max_value=1e4)


@given(st.lists(seconds, min_size=1, max_size=200))
def test_the_median_is_within_a_percent_and_the_rest_is_exact(values: list[float]) -> None:
    found = Durations.of(values).as_json()
    assert found["median_s"] == pytest.approx(statistics.median_low(values), rel=0.011)
    assert (found["calls"], found["min_s"], found["max_s"]) == (len(values), min(values), max(values))
    assert found["mean_s"] == pytest.approx(statistics.fmean(values))


@given(st.lists(st.lists(seconds, max_size=20), max_size=10))
def test_parts_add_up_to_the_whole(parts: list[list[float]]) -> None:
    whole = Durations.of(value for part in parts for value in part)
    found = merged({"x": Durations.of(part)} for part in parts).get("x", Durations())
    assert (found.calls, found.buckets) == (whole.calls, whole.buckets)
    assert (found.min_s, found.max_s) == (whole.min_s, whole.max_s)
    assert found.total_s == pytest.approx(whole.total_s)


def test_memory_does_not_grow_with_the_calls() -> None:
    durations = Durations.of(0.001 + 0.00001 * (number % 1000) for number in range(50_000))
    assert durations.calls == 50_000
    assert len(durations.buckets) < 300


def test_nothing_called_is_zeros_and_not_infinity() -> None:
    assert set(Durations().as_json().values()) == {0}


def test_a_watch_gives_what_was_noted_since_the_last_batch() -> None:
    watch = Watch()
    watch.begin(3)
    watch.batch()
    watch.item(0.25)
    watch.batch()
    watch.item(0.75)
    items, batch, now = watch.batch_done()
    assert (items.calls, items.total_s, batch.calls) == (2, 1.0, 1)
    assert 0 <= batch.total_s <= now - watch.began
    assert [one.calls for one in watch.batch_done()[:2]] == [0, 0]
