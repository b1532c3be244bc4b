"""A run as one HTML page that needs nothing else, and as Markdown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chiops import assets
from chiops.bench import accounting, chart, emulation, formats, layers, table, warnings
from chiops.bench.matrix import Combination
from chiops.bench.results import ArmResult, BenchRun
from chiops.names import format_bytes

_HTML, _MARKDOWN = "report.html", "report.md"


@dataclass(frozen=True, slots=True)
class Written:
    """Where a report lies."""

    html: Path
    markdown: Path


def write(run: BenchRun, folder: Path) -> Written:
    """Write ``report.html`` and ``report.md`` into ``folder``, over older ones."""
    folder.mkdir(parents=True, exist_ok=True)
    written = Written(folder / _HTML, folder / _MARKDOWN)
    written.html.write_text(as_html(run), encoding="utf-8")
    written.markdown.write_text(as_markdown(run), encoding="utf-8")
    return written


def verdict(run: BenchRun) -> str:
    """What the run says, in a sentence or two."""
    found = table.rows(run)
    if len(run.content_hashes()) > 1:
        return "The pipelines did not deliver the same samples, so these numbers must not be compared."
    if not found:
        return "No arm was measured."
    names = [name for name in dict.fromkeys(row.format for row in found) if name != formats.CEILING]
    sentences = [_of_ceiling(found), *(_of_format(name, found) for name in names), _of_emulation(run, found)]
    return " ".join(sentence for sentence in sentences if sentence)


def _of_ceiling(found: tuple[table.Row, ...]) -> str:
    """What decoding alone allows, and who comes nearest to it from the bucket."""
    ceilings = [row for row in found if row.format == formats.CEILING]
    if not ceilings:
        return ""
    best = max(ceilings, key=lambda row: row.images_per_s.median)
    return f"Decoding alone gives {best.images_per_s.median:.0f} images/s with {best.workers} workers: no storage gives more."


def _of_emulation(run: BenchRun, found: tuple[table.Row, ...]) -> str:
    """Which rows keep the emulated accelerator busy."""
    busy = {
        row.title: share
        for row in found
        if row.format != formats.CEILING and (share := row.median("accelerator_utilisation")) is not None
    }
    if not busy:
        return ""
    good = [title for title, share in busy.items() if share >= emulation.GOOD_UTILISATION]
    best = max(busy, key=lambda title: busy[title])
    what = (
        f"the emulated accelerator ({run.options.get('emulate')}) busy for {emulation.GOOD_UTILISATION:.0%} of the time"
    )
    if good:
        return f"Of {len(busy)} rows {len(good)} keep {what}, best {best} ({busy[best]:.0%})."
    return f"None keeps {what}; best is {best} ({busy[best]:.0%})."


def _of_format(name: str, found: tuple[table.Row, ...]) -> str:
    """One sentence on a format: its best way, with the best workers, warm and cold, against the local disk."""
    mine = [row for row in found if row.format == name]
    best = max(mine, key=lambda row: row.images_per_s.median)
    same = [row for row in mine if _but_cache(row) == _but_cache(best)]
    title = best.combination.name
    if best.against is None:
        return f"{title} delivers {_speeds(same)}."
    if name == formats.BASELINE:
        return f"From the local disk the node takes in {_speeds(same)}."
    parts = []
    for row in sorted(same, key=lambda row: row.cache, reverse=True):
        ratio = row.against
        if ratio is None:
            continue
        sure = "" if not ratio.low <= 1 <= ratio.high else ", no sure difference"
        parts.append(f"{ratio.median:.2f} times that when {row.cache} ({row.images_per_s.median:.0f}{sure})")
    return f"{title} reaches {' and '.join(parts)}."


def _but_cache(row: table.Row) -> Combination:
    return replace(row.combination, cache="cold")


def _speeds(rows: list[table.Row]) -> str:
    ordered = sorted(rows, key=lambda row: row.cache, reverse=True)
    first, *others = ordered
    text = f"{first.images_per_s.median:.0f} images/s when {first.cache}"
    return text + "".join(f" and {row.images_per_s.median:.0f} when {row.cache}" for row in others)


def as_markdown(run: BenchRun) -> str:
    """Verdict, warnings, table and environment."""
    found = warnings.find(run)
    parts = [f"# Benchmark of {run.lab}", "", verdict(run), ""]
    parts += [f"- **{one.kind}**: {one.text}" for one in found]
    parts += ["", table.markdown(run), _caption(run), "", "## Bytes, reconciled", "", accounting.markdown(run)]
    parts += ["## Layers", "", layers.markdown(run)] if layers.lines(run) else []
    mounts = _mounts(run)
    parts += ["## Mounts", "", *(f"- {one}" for one in mounts), ""] if mounts else []
    parts += ["## Environment", ""]
    parts += [f"- {name}: {value}" for name, value in _facts(run)]
    return "\n".join(parts) + "\n"


def as_html(run: BenchRun) -> str:
    """The page. It loads nothing: style, charts and the raw result are inside."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(assets.templates() / "report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    rows = table.rows(run)
    raw = run.model_dump_json(indent=1).replace("<", "\\u003c")  # so that no text in it can end the script element
    return environment.get_template("report.html.j2").render(
        run=run,
        verdict=verdict(run),
        findings=warnings.find(run),
        headers=table.HEADERS,
        text_columns=table.TEXT_COLUMNS,
        rows=[(chart.colour(rows, row), row, table.cells(row)) for row in rows],
        caption=_caption(run),
        throughput=Markup(chart.throughput(rows)),  # noqa: S704 - our own SVG, its texts escaped where they are put in
        waits=Markup(chart.waits(rows)),  # noqa: S704
        accounting=(accounting.HEADERS, accounting.lines(run), accounting.TEXT_COLUMNS),
        layers=(layers.HEADERS, layers.lines(run), layers.TEXT_COLUMNS),
        layer_titles=layers.TITLES,
        mounts=_mounts(run),
        facts=_facts(run),
        raw=Markup(raw),  # noqa: S704
    )


def _caption(run: BenchRun) -> str:
    options = run.options
    timed = f"the first {options.get('warmup_batches')} batches of an arm delivered but not timed"
    return (
        f"Median of {options.get('repetitions')} repetitions, each in a fresh container, in random order; "
        f"[…] is the 95 % bootstrap interval of the median; {timed}. "
        f"“vs local” is the ratio to {formats.BASELINE} with as many workers, warm if that was measured. "
        "“of ceiling” is the share of what decoding alone gives with as many workers. "
        "AU is the share of the time that the emulated accelerator computes. "
        "Net MB is what the interface towards the object store received in the whole arm, other traffic included; "
        "CPU covers the whole arm with its worker processes and a mount's daemon; peak MB is without the daemon's."
    )


def _facts(run: BenchRun) -> list[tuple[str, str]]:
    options = dict(run.options)
    facts: list[tuple[str, str]] = [
        ("started", f"{run.started:%Y-%m-%d %H:%M:%S} UTC"),
        ("state", f"{run.state}, {len(run.measured)} of {run.planned_arms} arms measured"),
        ("content hash", ", ".join(run.content_hashes()) or "none"),
    ]
    for name, facts_of in run.formats.items():
        size = f"{facts_of.split_bytes / 1e6:.1f} MB"
        facts.append((name, f"{facts_of.samples} of {facts_of.split_samples} samples, {size} stored"))
    options["emulate"] = options.get("emulate") or "nothing"
    options["batches"] = options.get("batches") or "whole split"
    facts += [_fact(name, value) for name, value in options.items() if name != "lab"]
    facts += [_fact(name, value) for name, value in run.environment.items()]
    return facts


def _mounts(run: BenchRun) -> list[str]:
    """A sentence on each mount: what it was, and what its daemon counted in its first cold arm."""
    found: dict[str, str] = {}
    for arm in run.measured:
        state, before = arm.mount_after, arm.mount_before
        if arm.mount in found or not (state and before):
            continue
        counted = {name: value - before.counters.get(name, 0) for name, value in state.counters.items()}
        text = ", ".join(f"{name} {value:,.0f}" for name, value in counted.items()) or "it keeps no counters"
        options = " ".join(state.options) or "no options of its own"
        found[arm.mount] = (
            f"{arm.mount}: {state.version}, {options}; kernel flags {state.flags}; in a {arm.cache_declared} arm: {text}; "
            f"cached on disk afterwards: {state.cache_files} files, {state.cache_bytes / 1e6:.1f} MB; "
            f"its daemon: {_daemon(arm)}."
        )
    return list(found.values())


def _daemon(arm: ArmResult) -> str:
    peak = arm.mount_after.daemon_peak_rss_bytes if arm.mount_after else None
    memory = "unknown memory" if peak is None else f"{peak / 1e6:.0f} MB at most"
    return f"{'unknown' if arm.daemon_cpu_s is None else f'{arm.daemon_cpu_s:.2f}'} CPU s, {memory}"


def _fact(name: str, value: Any) -> tuple[str, str]:
    if name.endswith("_bytes") and isinstance(value, int):
        return name.removesuffix("_bytes").replace("_", " "), format_bytes(value)
    return name.removesuffix("_bytes").replace("_", " "), _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
