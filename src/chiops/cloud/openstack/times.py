"""The services' times: ISO 8601 in several dialects, all UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def parse(text: object) -> datetime | None:
    """An aware datetime; None for nothing or nonsense."""
    try:
        parsed = datetime.fromisoformat(text) if text and isinstance(text, str) else None
        if parsed is None:
            return None
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def from_epoch(text: str | None) -> datetime | None:
    """Swift's timestamps: seconds since 1970."""
    try:
        return datetime.fromtimestamp(float(text), UTC) if text else None
    except (ValueError, OverflowError):
        return None
