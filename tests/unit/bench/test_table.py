from __future__ import annotations

import io

import pytest

from chiops.bench.results import MountState
from chiops.bench.table import HEADERS, Row, cells, markdown, rich_table, rows
from tests.unit.bench import runs


def test_rows_come_in_the_order_of_the_options_cold_before_warm() -> None:
    shuffled = dict(reversed(runs.TYPICAL.items()))
    assert [(row.format, row.cache) for row in rows(runs.run(shuffled))] == list(runs.TYPICAL)


def test_numbers_are_medians_and_ratios_are_to_the_warm_local_disk() -> None:
    found = {(row.format, row.cache): row for row in rows(runs.run(runs.TYPICAL))}
    cold = found["litdata", "cold"]
    assert cold.images_per_s.median == pytest.approx(200)
    assert (cold.images_per_s.low, cold.images_per_s.high) == (pytest.approx(198), pytest.approx(202))
    assert cold.median("batches_per_s") == pytest.approx(200 / 32)
    assert cold.median("avg_batch_s") == pytest.approx(32 / 200)
    assert cold.against is not None
    assert cold.against.median == pytest.approx(0.5)
    base = found["imagefolder-local", "warm"].against
    assert base is not None
    assert (base.low, base.median, base.high) == (1, 1, 1)


def test_the_baseline_has_as_many_workers_and_is_cold_if_warm_was_not_measured() -> None:
    extra = [runs.arm("imagefolder-local", "cold", 100, workers=4), runs.arm("litdata", "cold", 50, workers=4)]
    found = {(row.format, row.workers): row for row in rows(runs.run(extra=extra))}
    against = found["litdata", 4].against
    assert against is not None
    assert against.median == pytest.approx(0.5)


def test_without_a_baseline_there_is_no_ratio() -> None:
    (row,) = rows(runs.run({("litdata", "cold"): (200.0,)}))
    assert row.against is None
    assert cells(row)[HEADERS.index("vs local")] == "-"


def test_unknown_bytes_say_so_and_are_not_zero() -> None:
    (row,) = rows(runs.run(extra=[runs.arm("litdata", "cold", 200, received=None)]))
    assert cells(row)[HEADERS.index("net MB")] == "unknown"


def test_a_cache_state_that_was_not_reached_is_named_in_its_cell() -> None:
    (row,) = rows(runs.run(extra=[runs.arm("litdata", "cold", 200, measured="warm")]))
    assert cells(row)[HEADERS.index("cache")] == "cold (measured: warm)"


def test_the_markdown_is_a_table_with_a_line_for_each_row() -> None:
    lines = markdown(runs.run(runs.TYPICAL)).splitlines()
    assert len(lines) == 2 + 4
    assert {line.count("|") for line in lines} == {len(HEADERS) + 1}


def test_the_terminal_table_fits_eighty_characters_whole() -> None:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=80)
    console.print(rich_table(runs.run(runs.TYPICAL)))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "imagefolder-local" in text
    assert "400 [398, 402]" in text
    assert "…" not in text


MANY = [
    runs.arm("decode-ceiling", "warm", 500),
    runs.arm("imagefolder-local", "warm", 400, fetcher="vanilla"),
    runs.arm("imagefolder-local", "warm", 300, fetcher="threaded"),
    runs.arm("object", "cold", 40, client="s3fs", fetcher="vanilla"),
    runs.arm("object", "cold", 450, client="obstore", fetcher="stream", extra={"accelerator_utilisation": 0.93}),
]


def test_ways_are_rows_of_their_own_against_plain_local_files_and_the_ceiling() -> None:
    found = {row.combination.name: row for row in rows(runs.run(extra=MANY))}
    assert list(found) == [
        "imagefolder-local (vanilla)", "imagefolder-local (threaded)",
        "object (obstore, stream)", "object (s3fs, vanilla)", "decode-ceiling",
    ]  # fmt: skip
    ratios = [row.against.median if row.against else None for row in found.values()]
    assert ratios == [pytest.approx(share) if share else None for share in (1, 0.75, 1.125, 0.1, None)]
    shown = dict(zip(HEADERS, cells(found["object (obstore, stream)"]), strict=True))
    assert (shown["how"], shown["of ceiling"], shown["AU"]) == ("obstore, stream", "90%", "93%")


def test_ways_fit_the_terminal_too() -> None:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=80)
    console.print(rich_table(runs.run(extra=MANY)))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "obstore, stream" in text
    assert "450 [450, 450]" in text
    assert "…" not in text


def test_the_daemon_s_time_counts_where_it_is_known_of_every_repetition() -> None:
    def row(*seconds: float | None) -> Row:
        arms = [
            runs.arm(
                "imagefolder-mount", "cold", 90, repetition=n, mount="rclone",
                mount_before=MountState(backend="rclone", options=(), daemon_cpu_s=1.0),
                mount_after=MountState(backend="rclone", options=(), daemon_cpu_s=after),
            )
            for n, after in enumerate(seconds)
        ]  # fmt: skip
        (found,) = rows(runs.run(extra=arms))
        return found

    own = row(None, None).cpu_s_per_1000
    assert own == row(None, 3.0).cpu_s_per_1000 == row(None, 3.0).median("cpu_s_per_1000")
    more = row(3.0, 5.0).cpu_s_per_1000
    assert own is not None
    assert more == pytest.approx(own + 1000 * 3.0 / (runs.BATCH * runs.BATCHES))
