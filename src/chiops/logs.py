"""The log file: tracebacks and what was run, readable by its owner only."""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
from pathlib import Path

from chiops import paths

logging.raiseExceptions = False  # a full disk must not print a traceback for every line that was not logged
_log = logging.getLogger("chiops")
_MAX_BYTES = 2_000_000


def path() -> Path:
    """Where the log is."""
    return paths.log_file()


def start(*, verbose: bool) -> None:
    """Log to the file; with ``verbose`` also to stderr. A log that can't be written never stops a command."""
    _log.setLevel(logging.DEBUG)
    _log.handlers.clear()
    _log.propagate = False
    try:
        file = path()
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
        handler: logging.Handler = logging.handlers.RotatingFileHandler(
            file, maxBytes=_MAX_BYTES, backupCount=2, delay=True
        )
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    _log.addHandler(handler)
    if verbose:
        screen = logging.StreamHandler(sys.stderr)
        screen.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        _log.addHandler(screen)


def exception(error: BaseException) -> None:
    """The error with its traceback, into the file."""
    for handler in _log.handlers:
        if isinstance(handler, logging.FileHandler):
            record = _log.makeRecord(
                "chiops", logging.ERROR, __file__, 0, "%s", (error,), (type(error), error, error.__traceback__)
            )
            handler.handle(record)
