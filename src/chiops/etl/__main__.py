"""``python -m etl``: the configuration in the first line of stdin, events on stdout, whatever libraries print on stderr.

Status 1 after an error.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import TextIO

from . import config, pipeline
from .errors import EtlError, from_os_error
from .protocol import Events


def main() -> int:
    """Run what stdin says."""
    events = Events(_take_stdout())
    try:
        events.result(pipeline.run(config.parse(sys.stdin.buffer.readline().decode()), events))
    except EtlError as error:
        events.error(error)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise  # nobody listens any more
        traceback.print_exc()
        events.error(from_os_error(error))
    except Exception as error:  # noqa: BLE001  (the last line of defence: the control side gets a sentence, stderr the rest)
        traceback.print_exc()
        events.error(EtlError("the data pipeline failed", why=f"{type(error).__name__}: {error}", kind="internal"))
    else:
        return 0
    return 1


def _take_stdout() -> TextIO:
    """Keep stdout for events alone: libraries, and processes they start, find stderr in its place."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return kept


if __name__ == "__main__":
    sys.exit(main())
