"""The files of results: one JSON document each, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from chiops.bench.results import PREFIX, SCHEMA_VERSION, BenchRun
from chiops.errors import DataError, NotFound


def save(run: BenchRun, folder: Path) -> Path:
    """Write the run to its file, whole or not at all, and give the path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / run.file_name
    partial = path.with_suffix(".part")
    partial.write_text(run.model_dump_json(indent=1) + "\n")
    partial.replace(path)
    return path


def load(path: Path) -> BenchRun:
    """Read a run's file.

    Raises:
        NotFound: there is no such file.
        DataError: it is no result, or of a major version that this chiops does not know.
    """
    import json

    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        raise NotFound(f"there is no result {path}", todo="run `chiops bench run`") from None
    except (ValueError, OSError) as error:
        raise DataError(f"{path} cannot be read as a result", why=str(error)) from None
    version = str(document.get("schema_version", "")) if isinstance(document, dict) else ""
    if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        raise DataError(
            f"{path} has schema version {version or 'none'}, and this chiops reads {SCHEMA_VERSION}",
            todo="use the chiops that wrote it, or run the benchmark again",
        )
    try:
        return BenchRun.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path} is damaged", why=f"{where}: {first['msg']}") from None


def results_in(folder: Path) -> list[Path]:
    """The result files in ``folder``, the newest last."""
    return sorted(folder.glob(f"{PREFIX}*.json"))


def latest(folder: Path) -> Path:
    """The newest result in ``folder``; `NotFound` if there is none."""
    found = results_in(folder)
    if not found:
        raise NotFound(f"there is no result in {folder}", todo="run `chiops bench run`")
    return found[-1]
