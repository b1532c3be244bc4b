from __future__ import annotations

import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chiops.bench.statistics import estimate, quantile, ratio, relative_deviation

positive = st.floats(min_value=0.1, max_value=1e6)
points = st.lists(positive, min_size=1, max_size=9)


def test_quantile_interpolates_between_the_two_nearest() -> None:
    assert quantile([4, 1, 3, 2], 0.5) == 2.5
    assert quantile([10, 20], 0.95) == pytest.approx(19.5)
    assert quantile([7], 0.99) == 7


def test_median_of_an_even_number_of_points_lies_between_the_middle_two() -> None:
    assert estimate([1, 2, 10, 20], seed=1).median == 6


def test_three_points_give_their_range_as_interval() -> None:
    found = estimate([100, 110, 150], seed=1)
    assert (found.low, found.median, found.high) == (100, 110, 150)


def test_one_point_has_no_spread() -> None:
    found = estimate([5.0], seed=1)
    assert (found.low, found.median, found.high, found.count) == (5.0, 5.0, 5.0, 1)


def test_more_points_of_one_population_narrow_the_interval() -> None:
    few = estimate([90, 100, 110], seed=1)
    many = estimate([90, 95, 98, 99, 100, 100, 101, 102, 105, 110] * 4, seed=1)
    assert many.high - many.low < few.high - few.low


def test_ratio_of_known_medians() -> None:
    found = ratio([200, 200, 200], [100, 100, 100], seed=1)
    assert (found.low, found.median, found.high) == (2, 2, 2)


def test_ratio_of_overlapping_points_holds_one() -> None:
    found = ratio([90, 100, 120], [95, 101, 110], seed=1)
    assert found.low < 1 < found.high


def test_relative_deviation() -> None:
    assert relative_deviation([90, 100, 110]) == pytest.approx(0.1)
    assert relative_deviation([5]) == 0


@settings(max_examples=30)
@given(points, st.integers(min_value=0, max_value=10))
def test_an_estimate_lies_within_its_points_and_around_its_median(values: list[float], seed: int) -> None:
    found = estimate(values, seed=seed)
    assert min(values) <= found.low <= found.high <= max(values)
    assert found.low <= found.median * (1 + 1e-9)
    assert found.median <= found.high * (1 + 1e-9)
    assert found.median == statistics.median(values)
    assert found == estimate(values, seed=seed)


@given(st.lists(positive, min_size=1, max_size=50), st.floats(min_value=0, max_value=1))
def test_a_quantile_lies_within_its_values(values: list[float], share: float) -> None:
    assert min(values) * (1 - 1e-9) <= quantile(values, share) <= max(values) * (1 + 1e-9)


@settings(max_examples=30)
@given(points)
def test_intervals_overlap_with_themselves_and_not_with_what_is_far_off(values: list[float]) -> None:
    one = estimate(values, seed=1)
    far = estimate([max(values) * 3 + 1], seed=1)
    assert one.overlaps(one)
    assert not one.overlaps(far)
    assert not far.overlaps(one)
