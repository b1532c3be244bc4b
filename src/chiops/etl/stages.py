"""Which stages of a run are finished, so that a killed run continues instead of beginning again."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

from .errors import EtlError
from .protocol import human_bytes

PART = ".part"
"""How the names of files end that are not whole yet."""

_SPARE_BYTES = 64 * 2**20
"""Room to leave: the node has other things to write."""


def write_atomically(path: Path, data: bytes) -> None:
    """``path`` has either its old content or all of ``data``, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


def replace_file(path: Path, data: bytes) -> None:
    """Like `write_atomically`, but safe only against a killed process, not a crashed machine; many times as fast."""
    partial = draft_of(path)
    partial.write_bytes(data)
    partial.replace(path)


def draft_of(path: Path) -> Path:
    """A name beside ``path`` for its content while it is written; this thread's own, and short, as names may not be long."""
    return path.with_name(f".{os.getpid()}-{threading.get_ident():x}{PART}")


def check_room(folder: Path, needed: int) -> None:
    """Raise EtlError (``capacity``) unless the disk of ``folder``, which is made, has ``needed`` bytes and some to spare."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed + _SPARE_BYTES > free:
        raise EtlError(
            f"the images need {human_bytes(needed)} on the node's disk, and it has {human_bytes(free)} left",
            why=f"{human_bytes(_SPARE_BYTES)} of it are to stay free",
            todo="free space there, prepare fewer images, or take a flavor with a larger disk",
            kind="capacity",
        )


def replace_folder(finished: Path, place: Path) -> None:
    """Put the folder ``finished`` at ``place``, whatever was there, so that ``place`` is never half full."""
    old = place.with_name(f".old-{place.name}")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    finished.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def partial_of(folder: Path) -> Path:
    """Where a folder is made until it is whole."""
    return folder.with_name(f".{folder.name}{PART}")


class Stages:
    """The record of finished stages below one folder, one small file each.

    A stage counts as finished only for the parameters it was run with.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def finished(self, stage: str, parameters: Mapping[str, object]) -> dict[str, object] | None:
        """What the stage reported when it finished with these parameters; None if it has not."""
        try:
            record = json.loads(self._file(stage).read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(record, dict) or record.get("parameters") != _plain(parameters):
            return None
        report = record.get("report")
        return report if isinstance(report, dict) else None

    def finish(self, stage: str, parameters: Mapping[str, object], report: Mapping[str, object]) -> None:
        """Record the stage as finished; ``report`` is whatever the next stages want to know of it."""
        record = {"parameters": _plain(parameters), "report": dict(report)}
        write_atomically(self._file(stage), json.dumps(record, indent=1).encode())

    def forget(self, stage: str) -> None:
        """The stage has to run again."""
        self._file(stage).unlink(missing_ok=True)

    def _file(self, stage: str) -> Path:
        return self._folder / f"{stage}.json"


def _plain(parameters: Mapping[str, object]) -> object:
    return json.loads(json.dumps(dict(parameters)))
