"""Compares a bucket with what was loaded into it, by the manifest that lies beside the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from chiops import progress
from chiops.cloud.base import S3Access
from chiops.data.catalog import find_format, find_formats, root_of
from chiops.errors import DataError

NAMED = 10
"""So many names of objects of each kind are kept, unless all are asked for."""

_THREADS = 8

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Objects that are not as they should be: how many, and names below the prefix, sorted: the first, or all."""

    count: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a prefix holds beside what it should."""

    format: str
    prefix: str
    dataset: str
    objects: int
    bytes: int
    missing: Difference = Difference()
    damaged: Difference = Difference()
    extra: Difference = Difference()
    fault: str = ""

    @property
    def differences(self) -> dict[str, Difference]:
        """What is not as it should be, by kind."""
        kinds = {"missing": self.missing, "damaged": self.damaged, "not ours": self.extra}
        return {kind: one for kind, one in kinds.items() if one.count}

    @property
    def whole(self) -> bool:
        """Everything is there, as it was loaded, and nothing else."""
        return not (self.differences or self.fault)

    @property
    def state(self) -> str:
        """``whole``, or what is wrong."""
        counts = ", ".join(f"{one.count} {kind}" for kind, one in self.differences.items())
        return self.fault or counts or "whole"


def verify(s3: S3Access, format_name: str, root: str, *, names: int | None = NAMED) -> Verified:
    """Compare names, sizes and checksums of a dataset's objects in a format with the manifest.

    Objects whose checksum the listing does not tell (those sent in parts, by other tools) count as damaged unless they still
    carry the checksum that chiops left with them.

    Args:
        s3: the bucket.
        format_name: one of `catalog.FORMATS`.
        root: the dataset's root, as `catalog.root_of` has it.
        names: so many names of each kind of difference are told; None for all.

    Raises:
        UsageError: there is no such format.
        DataError: nothing complete was loaded there.
        CloudError: the service refuses or fails.
    """
    from chiops.etl import manifest
    from chiops.etl.ledger import Ledger
    from chiops.etl.listing import list_prefix
    from chiops.etl.upload import MARK, damaged
    from chiops.s3.client import client, translated

    prefix = find_format(format_name).prefix(root)
    where = f"{prefix}/ in bucket {s3.bucket}"
    with progress.task(f"Verify {where}") as task, translated(f"verifying {where}"), Ledger() as ledger:
        service = client(s3)
        known = manifest.load(service, s3.bucket, prefix)
        if known is None or not known.get("complete"):
            raise DataError(
                f"bucket {s3.bucket} holds no complete {format_name} data of {root}",
                why="its manifest is missing" if known is None else "an upload did not finish",
                todo=f"run `chiops data prepare --format {format_name}`",
            )
        expected = int(known["objects"])
        for name, file in _counted(manifest.load_files(service, s3.bucket, prefix), task, "lines", expected):
            ledger.put(name, file)
        if ledger.totals() != (known["objects"], known["bytes"]):
            why = f"{manifest.files_key(prefix)} does not fit it"
            raise DataError(f"the manifest of {where} is torn", why=why, todo="prepare again")
        ledger.list(_counted(list_prefix(service, s3.bucket, prefix), task, "objects", expected))

        def mark(name: str) -> str:
            head = service.head_object(Bucket=s3.bucket, Key=f"{prefix}/{name}")
            return str(head.get("Metadata", {}).get(MARK, ""))

        return Verified(
            format=format_name,
            prefix=prefix,
            dataset=str(known["dataset"]["name"]),
            objects=expected,
            bytes=int(known["bytes"]),
            missing=_difference(ledger.missing(), names),
            damaged=_difference(damaged(ledger, mark, _THREADS), names),
            extra=_difference(ledger.extra(), names),
        )


def verify_all(s3: S3Access, wanted: Iterable[tuple[str, str]], *, names: int | None = NAMED) -> list[Verified]:
    """`verify` each format and root in turn, whatever is wrong with those before; ``fault`` says why one cannot be compared.

    Raises:
        CloudError: the service refuses or fails.
    """
    found = []
    for format_name, root in wanted:
        try:
            found.append(verify(s3, format_name, root, names=names))
        except DataError as error:
            prefix = find_format(format_name).prefix(root)
            found.append(
                Verified(format=format_name, prefix=prefix, dataset=root, objects=0, bytes=0, fault=error.sentence())
            )
    return found


def require(found: Sequence[Verified], bucket: str) -> None:
    """Be satisfied with nothing less than whole.

    Raises:
        DataError: objects are missing, damaged or too many, or nothing whole was loaded.
    """
    wrong = [one for one in found if not one.whole]
    if wrong:
        formats = " ".join(f"--format {name}" for name in dict.fromkeys(one.format for one in wrong))
        raise DataError(
            f"{', '.join(f'{one.prefix}/' for one in wrong)} in bucket {bucket} is not what was loaded",
            why="; ".join(one.state for one in wrong),
            todo=f"run `chiops data prepare {formats}` again; it sends only what is wrong",
        )


def loaded(s3: S3Access) -> list[tuple[str, str]]:
    """What the bucket has manifests of: format and root, sorted by prefix.

    Raises:
        DataError: it has none.
        CloudError: the service refuses or fails.
    """
    from chiops.data.catalog import of_prefix
    from chiops.etl import manifest
    from chiops.etl.listing import list_prefix
    from chiops.s3.client import client, translated

    with translated(f"reading the manifests in bucket {s3.bucket}"):
        service = client(s3)
        prefixes = [manifest.prefix_of(name) for name, _ in list_prefix(service, s3.bucket, manifest.FOLDER)]
        found = []
        for prefix in sorted(one for one in prefixes if one):
            known = manifest.load(service, s3.bucket, prefix)
            if known is not None:
                found.append((str(known["format"]), of_prefix(prefix, str(known["format"]))))
    if not found:
        raise DataError(f"bucket {s3.bucket} holds no dataset", todo="run `chiops data prepare`")
    return found


def chosen(s3: S3Access, formats: Iterable[str], dataset: str) -> list[tuple[str, str]]:
    """What to check: the formats and datasets that were named, each ``(format, root)``; of what is not named all that is loaded.

    Raises:
        UsageError: there is no such format.
        DataError: nothing of it is loaded.
    """
    names = find_formats(formats)
    root = root_of(dataset)
    if names and dataset:
        return [(name, root) for name in names]
    found = [one for one in loaded(s3) if (not names or one[0] in names) and (not dataset or one[1] == root)]
    missing = [name for name in names if name not in {one[0] for one in found}]
    if missing or not found:
        what = f"no {missing[0]} data" if missing else f"nothing of {dataset}"
        raise DataError(f"bucket {s3.bucket} holds {what}", todo="run `chiops data prepare`")
    return found


def _difference(found: Iterable[str], most: int | None) -> Difference:
    every = iter(found)
    first = tuple(islice(every, most))
    return Difference(count=len(first) + sum(1 for _ in every), names=first)


def _counted(found: Iterable[T], task: progress.Task, unit: str, total: int) -> Iterator[T]:
    """All of it, and how far it is."""
    for number, one in enumerate(found, start=1):
        yield one
        if number % 1000 == 0:
            task.advance(number, total=max(total, number), unit=unit)
