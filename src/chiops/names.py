"""Names and durations as people type them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import timedelta

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that ``word`` was most likely meant to be, or "" if none is near."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return found[0] if found else ""


def suggestion(word: str, known: Iterable[str]) -> str:
    """What to do about an unknown ``word``: the nearest known one, or the whole list."""
    known = sorted(known)
    near = nearest(word, known)
    return f"did you mean {near!r}?" if near else f"choose one of: {', '.join(known) or '(none)'}"


def parse_duration(text: str) -> timedelta:
    """``90m``, ``4h``, ``1d12h`` as a timedelta; `ValueError` for anything else or for zero."""
    parts = list(_DURATION.finditer(text.strip().lower()))
    if not parts or "".join(part.group(0) for part in parts) != text.strip().lower():
        raise ValueError(f"{text!r} is not a duration; write for example 90m, 4h or 1d12h")
    try:
        total = sum((timedelta(**{_UNITS[p["unit"]]: float(p["number"])}) for p in parts), timedelta())
    except OverflowError:
        raise ValueError(f"{text!r} is longer than any lease") from None
    if total <= timedelta():
        raise ValueError(f"{text!r} is no time at all")
    return total


def format_duration(span: timedelta) -> str:
    """A timedelta as a person says it, two units at most: ``3 h 12 min``, ``45 s``; negative as ``0 s``."""
    seconds = max(0, int(span.total_seconds()))
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, secs = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (secs, "s")]
    while len(parts) > 1 and parts[0][0] == 0:
        parts.pop(0)
    shown = [f"{number} {unit}" for number, unit in parts[:2] if number]
    return " ".join(shown) or "0 s"


def format_bytes(count: float | None) -> str:
    """Bytes with a binary unit: ``1.2 MiB``; ``-`` for None."""
    if count is None:
        return "-"
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
