"""Points in time as people type and read them: in the local zone, and in UTC, which sites count in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chiops.errors import UsageError
from chiops.names import parse_duration


def parse_moment(text: str, now: datetime) -> datetime:
    """``2026-11-21 18:00`` in local time, the same with an offset or ``Z``, or ``18:00`` for the next time it is that late.

    Raises:
        UsageError: it is none of these.
    """
    word = text.strip()
    try:
        if len(word) <= 5:
            hour, _, minute = word.partition(":")
            local = now.astimezone().replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
            # The next day's, by the calendar: a day may have 23 or 25 hours.
            day = local if local > now else datetime.combine(local.date() + timedelta(days=1), local.time())
            return day.astimezone(UTC)
        if ":" in word:
            return datetime.fromisoformat(word).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise UsageError(
        f"{text!r} is no time", todo="write for example '2026-11-21 18:00' (local time), 18:00 or 2026-11-21T18:00Z"
    )


def span(text: str) -> timedelta:
    """A duration such as ``4h``.

    Raises:
        UsageError: it is none.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error)) from None


def local(moment: datetime) -> str:
    """``2026-11-20 16:15 EST``: where the person is."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M %Z")


def utc(moment: datetime) -> str:
    """``2026-11-20 21:15 UTC``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
