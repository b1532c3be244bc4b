from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from chiops.bench import report
from chiops.bench.chart import nice_ceiling, throughput, waits
from chiops.bench.results import BenchRun
from chiops.bench.table import rows
from tests.unit.bench import runs


class Page(HTMLParser):
    """What a page would load, and the text of its elements by id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        self._in_script = tag == "script"
        if self._in_script and given.get("id") == "result":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script and self.scripts and not self.scripts[0]:
            self.scripts[0] = data


def test_the_page_loads_nothing() -> None:
    text = report.as_html(runs.run(runs.TYPICAL))
    assert Page(text).loads == []
    assert not re.search(r"url\(|@import|https?://", text)


def test_the_raw_result_in_the_page_is_the_whole_run() -> None:
    run = runs.run(runs.TYPICAL)
    assert BenchRun.model_validate(json.loads(Page(report.as_html(run)).scripts[0])) == run


def test_hostile_text_stays_text() -> None:
    evil = "</script><script>alert(1)</script><!--"
    run = runs.run(runs.TYPICAL, extra=[runs.failed("litdata", evil)]).model_copy(update={"lab": evil})
    text = report.as_html(run)
    assert "<script>alert" not in text
    embedded = json.loads(Page(text).scripts[0])
    assert embedded["arms"][-1]["error"] == evil


def test_the_verdict_compares_with_the_local_disk_and_says_when_nothing_is_sure() -> None:
    assert report.verdict(runs.run(runs.TYPICAL)) == (
        "From the local disk the node takes in 400 images/s when warm and 300 when cold. "
        "litdata reaches 1.00 times that when warm (399, no sure difference) and 0.50 times that when cold (200)."
    )


def test_the_verdict_without_a_baseline_gives_the_speed_alone() -> None:
    assert report.verdict(runs.run({("litdata", "cold"): (200.0,)})) == "litdata delivers 200 images/s when cold."


def test_the_verdict_of_different_content_compares_nothing() -> None:
    run = runs.run(runs.TYPICAL, extra=[runs.arm("litdata", "cold", 200, repetition=3, digest=8)])
    assert "must not be compared" in report.verdict(run)


def test_warnings_stand_before_the_table() -> None:
    text = report.as_markdown(runs.run(runs.TYPICAL, extra=[runs.failed("litdata", "the key was revoked.")]))
    assert text.index("the key was revoked.") < text.index("| format |")


@pytest.mark.parametrize("run", [runs.run(), runs.run(extra=[runs.failed("litdata", "x")]), runs.run(runs.TYPICAL)])
def test_any_run_can_be_reported_also_an_empty_one(run: BenchRun, tmp_path: Path) -> None:
    written = report.write(run, tmp_path / "results")
    assert report.verdict(run) in written.markdown.read_text()
    assert "<!doctype html>" in written.html.read_text()


def test_the_chart_has_every_raw_point_inside_its_frame() -> None:
    found = rows(runs.run(runs.TYPICAL))
    svg = ElementTree.fromstring(throughput(found))  # noqa: S314 - our own
    width = float(svg.attrib["viewBox"].split()[2])
    places = [float(circle.attrib["cx"]) for circle in svg.iter("circle")]
    points = [point for row in found for point in row.points]
    scale = (places[-1] - places[0]) / (points[-1] - points[0])
    origin = places[0] - points[0] * scale
    assert places == pytest.approx([origin + point * scale for point in points], abs=0.2)
    assert 0 < min(places) <= max(places) < width


def test_the_curves_rise_from_none_to_all() -> None:
    svg = ElementTree.fromstring(waits(rows(runs.run(runs.TYPICAL))))  # noqa: S314 - our own
    curves = [line.attrib["points"].split() for line in svg.iter("polyline")]
    assert len(curves) == 4
    for curve in curves:
        heights = [float(point.split(",")[1]) for point in curve]
        assert heights == sorted(heights, reverse=True)
        assert heights[0] > heights[-1]


def test_no_rows_no_chart() -> None:
    assert throughput([]) == ""
    assert waits([]) == ""


@pytest.mark.parametrize(
    ("value", "ceiling"), [(420, 500), (500, 500), (501, 600), (0.13, 0.15), (9.9, 10), (810, 1000)]
)
def test_axes_end_at_a_round_number(value: float, ceiling: float) -> None:
    assert nice_ceiling(value) == pytest.approx(ceiling)
