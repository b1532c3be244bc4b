"""A folder for one run's secrets, gone when the run is; a killed run's is swept by the next."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

from chiops import paths


@contextmanager
def private_run_dir() -> Iterator[Path]:
    """A new folder that only we can enter, removed at the end.

    It is locked while we live. Folders that nobody locks are a killed run's, and go first.
    """
    base = paths.private_dir(paths.state_dir() / "runs")
    with _locked(base):
        _sweep(base)
        folder = Path(tempfile.mkdtemp(dir=base))
        own = _lock(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(own)


def _sweep(base: Path) -> None:
    for folder in filter(Path.is_dir, base.iterdir()):
        with suppress(OSError):
            lock = _lock(folder, fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = _lock(folder)
    try:
        yield
    finally:
        os.close(lock)


def _lock(folder: Path, how: int = 0) -> int:
    """Lock a folder until the descriptor is closed, at the latest when the process ends, however it does."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class _LiteralDumper(yaml.SafeDumper):
    """Marks every string ``!unsafe``, Ansible's word for: never a template."""


_LiteralDumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("!unsafe", text, style='"'))


def literal_yaml(data: object) -> str:
    """``data`` as YAML that Ansible takes literally, so that a value with braces stays what it is."""
    return str(yaml.dump(data, Dumper=_LiteralDumper, default_flow_style=False, sort_keys=False))
