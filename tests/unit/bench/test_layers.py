from __future__ import annotations

from chiops.bench import accounting, layers, report
from tests.unit.bench import runs


def layer(calls: int, low: float, median: float, high: float) -> dict[str, float]:
    return {
        "calls": calls, "total_s": calls * median, "min_s": low, "mean_s": median, "median_s": median, "max_s": high,
    }  # fmt: skip


ARMS = [
    runs.arm("object", "cold", 200, repetition=number, client="boto3", fetcher="vanilla", extra={"layers": timed})
    for number, timed in enumerate(
        (
            {"fetch": layer(10, 0.1, 0.2, 0.3), "getitem": layer(320, 0.001, 0.002, 0.5)},
            {"fetch": layer(10, 0.05, 0.4, 0.5), "getitem": layer(320, 0.002, 0.004, 0.1)},
        )
    )
]


def test_a_line_has_extremes_over_all_repetitions_and_medians_else() -> None:
    inner, outer = layers.lines(runs.run(extra=ARMS))
    found = dict(zip(layers.HEADERS, inner, strict=True))
    assert (found["format"], found["how"], found["layer"]) == ("object", "boto3, vanilla", "getitem")
    assert (found["calls"], found["min s"], found["median s"], found["max s"]) == ("320", "0.001", "0.003", "0.5")
    assert dict(zip(layers.HEADERS, outer, strict=True))["layer"] == "fetch"


def test_a_result_without_layers_has_no_table() -> None:
    run = runs.run(extra=[runs.arm("object", "cold", 200, extra={"layers": {}})])
    assert layers.markdown(run) == ""
    assert "## Layers" not in report.as_markdown(run)
    assert "## Layers" in report.as_markdown(runs.run(extra=ARMS))


def test_bytes_are_reconciled_and_the_unknown_is_not_zero() -> None:
    counted = {"client_received_bytes": runs.WEIGHT, "client_requests": 2048, "client_ratio": 1.0, "net_ratio": 1.02}
    arms = [
        runs.arm("object", "cold", 200, client="boto3", extra=counted),
        runs.arm("litdata", "cold", 200, received=None, extra={"client_requests": None, "client_received_bytes": None}),
    ]
    first, second = (
        dict(zip(accounting.HEADERS, line, strict=True)) for line in accounting.lines(runs.run(extra=arms))
    )
    by_format = {first["format"]: first, second["format"]: second}
    assert by_format["object"]["requests/1000"] == "2000"
    assert by_format["object"]["wire ÷ samples"] == "1.020"
    assert by_format["object"]["samples MB"] == by_format["object"]["client MB"]
    assert by_format["litdata"]["wire MB"] == by_format["litdata"]["requests"] == "unknown"
