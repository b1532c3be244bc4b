"""An event stream that a test can look into."""

from __future__ import annotations

import io
import json
from typing import Any

from chiops.etl.protocol import Events


class Heard(Events):
    """Events that are kept."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        super().__init__(self._text)

    def all(self, kind: str = "") -> list[dict[str, Any]]:
        """The events so far, or those of one kind."""
        events = [json.loads(line) for line in self._text.getvalue().splitlines()]
        return [event for event in events if not kind or event["event"] == kind]
