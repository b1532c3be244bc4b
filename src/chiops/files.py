"""Files replaced as a whole."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace(path: Path, text: str, *, durable: bool = False) -> None:
    """Replace a file, or make it: whoever reads it finds all of the old or all of the new, and only its owner may.

    Args:
        path: the file.
        text: all that it holds then.
        durable: whether it is there afterwards even if the machine fails, which takes a write to the disk.

    Raises:
        OSError: its folder is not there, can't be written to, or is full; the old file is as it was.
    """
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
