"""The labs that this machine knows: which one a name or a file means, with the values that it was brought up with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from chiops.errors import ChiopsError, LabFileError, UsageError
from chiops.lab.journal import LabRecord
from chiops.lab.loader import Lab, builtin_labs, find, load
from chiops.lab.parameters import Value


def meant(word: str, settings: Mapping[str, Value], records: Sequence[LabRecord]) -> tuple[Lab, LabRecord | None]:
    """The lab that a word means, and its record if it was brought up: then it keeps its values, but for those set now.

    A known lab's name comes first. A file may stand for several labs, as where a parameter is part of ``name:``: it means the
    known one whose name comes out of its own values and those set now, or else a new one.

    Args:
        word: a lab's name, a built-in lab or a lab file.
        settings: values for its parameters.
        records: the labs that are known.

    Raises:
        UsageError: no such lab; or the values make it another one, or fit several.
    """
    named = next((record for record in records if record.name == word), None)
    if named is None:
        return _of_file(word, settings, records)
    lab = load(named.source, {**named.settings, **settings})
    if lab.name != named.name:
        raise UsageError(
            f"{named.source} makes the lab {lab.name} of these values, not {named.name}",
            todo=f"name the file instead of {named.name} to bring {lab.name} up",
        )
    return lab, named


def portable(source: str) -> str:
    """A lab's source as later commands find it: a built-in lab's name, or a file's absolute path."""
    path = Path(source).resolve()
    name = path.name.removesuffix(".yaml.j2")
    return name if name in builtin_labs() and find(name).resolve() == path else str(path)


def _of_file(word: str, settings: Mapping[str, Value], records: Sequence[LabRecord]) -> tuple[Lab, LabRecord | None]:
    source = portable(str(find(word)))
    fitting: list[tuple[Lab, LabRecord]] = []
    failed: list[tuple[LabRecord, ChiopsError]] = []
    for record in [one for one in records if one.source == source]:
        try:
            lab = load(word, {**record.settings, **settings})
        except ChiopsError as error:
            failed.append((record, error))
            continue
        if lab.name == record.name:
            fitting.append((lab, record))
    if len(fitting) > 1:
        raise UsageError(
            f"{word} stands for several labs here",
            todo=f"name one: {', '.join(record.name for _, record in fitting)}; or set what makes it another",
        )
    return fitting[0] if fitting else (_new(word, settings, failed), None)


def _new(word: str, settings: Mapping[str, Value], failed: Sequence[tuple[LabRecord, ChiopsError]]) -> Lab:
    """The lab of these values alone; not where it can't be said that it is none of those known."""
    try:
        lab = load(word, settings)
    except LabFileError:
        raise
    except ChiopsError as error:
        raise (failed[0][1] if failed else error) from None
    if failed:
        record, problem = failed[0]
        raise UsageError(
            f"the lab {record.name} was brought up from {word} with values that can't be used now",
            why=problem.what,
            todo=f"mend the file, or take it down with `chiops down {record.name}`",
        ) from problem
    return lab
