"""``python -m loaders``: a configuration on stdin, events on stdout.

{"action": "inspect", "arms": [{...}, ...]}    what can be read, and the environment
{"action": "run", "arm": {...}}                one arm, measured
"""

from __future__ import annotations

import json
import sys
import traceback
from typing import Any

from . import arm
from .config import ArmConfig
from .failures import full, last_line
from .protocol import ArmError, Channel


def perform(document: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Do what the configuration asks and give the result."""
    match document.get("action"):
        case "inspect":
            return arm.inspect([ArmConfig.from_json(one) for one in document["arms"]])
        case "run":
            return arm.run(ArmConfig.from_json(document["arm"]), channel)
        case other:
            raise ArmError(f"there is no action {other!r}", todo="use inspect or run")


def main() -> int:
    """Answer one configuration; 0 with a result event, 1 with an error event."""
    channel = Channel.on_stdout()
    try:
        channel.result(perform(json.load(sys.stdin), channel))
    except ArmError as failure:
        channel.error(failure)
        return 1
    except Exception as error:  # noqa: BLE001  # the last resort: the control machine must hear of it as an event
        traceback.print_exc()
        why = f"{type(error).__name__}: {last_line(error)}"
        channel.error(full(error) or ArmError("the benchmark code failed", why))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
