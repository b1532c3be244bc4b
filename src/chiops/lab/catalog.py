"""The labs that there are to choose from: built in, in a folder, and brought up before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chiops.errors import ChiopsError
from chiops.lab.journal import Journal, LabRecord
from chiops.lab.loader import MAX_BYTES, Lab, builtin_labs, load
from chiops.lab.parameters import Value
from chiops.lab.records import meant

BUILT_IN = "built in"
_LAB = re.compile(r"^version:[ \t]*1[ \t]*(#.*)?$", re.MULTILINE)
_NAME = re.compile(r"^name:[ \t]*\S", re.MULTILINE)


@dataclass(frozen=True)
class Listed:
    """A lab to choose; ``lab`` is what commands call it by, ``problem`` is set where its file is not right."""

    lab: str
    where: str
    state: str
    description: str
    problem: str = ""


def listed(folder: Path) -> list[Listed]:
    """All labs that are built in, those whose files are in ``folder``, and those of elsewhere that are up or keep data."""
    records = Journal().labs()
    found = [_listed(name, name, BUILT_IN, records) for name in builtin_labs()]
    paths = list(_files(folder))
    found += [_listed(path.name, str(path), str(path), records) for path in paths]
    shown = {*builtin_labs(), *map(str, paths)}
    return found + [
        _listed(record.name, record.source, record.source, [record]) for record in records if record.source not in shown
    ]


def opened(name: str, settings: Mapping[str, Value]) -> tuple[Lab, LabRecord | None]:
    """A lab by name or file, rendered; one that is up with the settings that it was brought up with, unless told otherwise."""
    return meant(name, settings, Journal().labs())


def _listed(called: str, source: str, where: str, records: Sequence[LabRecord]) -> Listed:
    record = next((one for one in records if one.source == source), None)
    state = f"{record.phase} at {record.site}" if record else ""
    try:
        lab = load(source, record.settings if record else {})
    except ChiopsError as error:
        return Listed(called, where, state, "", error.what)
    return Listed(called, where, state, lab.spec.description)


def _files(folder: Path) -> Iterator[Path]:
    """What in a folder looks like a lab file, by name and by its first keys; other YAML is none of ours."""
    for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"), *folder.glob("*.yaml.j2"))):
        try:
            text = path.read_text(encoding="utf-8") if path.stat().st_size <= MAX_BYTES else ""
        except (OSError, UnicodeDecodeError):
            continue
        if _LAB.search(text) and _NAME.search(text):
            yield path.resolve()
