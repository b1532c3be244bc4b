"""Compares a bucket with what was loaded into it, by the manifest that lies beside the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from chiops.cloud.base import S3Access
from chiops.data.catalog import find_format, find_formats, root_of
from chiops.errors import DataError

_NAMED = 1000
_THREADS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Objects that are not as they should be: how many, and the first thousand names below the prefix, sorted."""

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

    @property
    def whole(self) -> bool:
        """Everything is there, as it was loaded, and nothing else."""
        return not (self.missing.count or self.damaged.count or self.extra.count)


def verify(s3: S3Access, format_name: str, root: str) -> Verified:
    """Compare names, sizes and checksums of a dataset's objects in a format with the manifest.

    Objects whose checksum the listing does not tell (those sent in parts, by other tools) count as damaged unless they still
    carry the checksum that chiops left with them.

    Args:
        s3: the bucket.
        format_name: one of `catalog.FORMATS`.
        root: the dataset's root, as `catalog.root_of` has it.

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
    with translated(f"verifying {prefix}/ in bucket {s3.bucket}"), Ledger() as ledger:
        service = client(s3)
        known = manifest.load(service, s3.bucket, prefix)
        if known is None or not known.get("complete"):
            raise DataError(
                f"bucket {s3.bucket} holds no complete {format_name} data of {root}",
                why="its manifest is missing" if known is None else "an upload did not finish",
                todo=f"run `chiops data prepare --format {format_name}`",
            )
        for name, file in manifest.load_files(service, s3.bucket, prefix):
            ledger.put(name, file)
        if ledger.totals() != (known["objects"], known["bytes"]):
            why = f"{manifest.files_key(prefix)} does not fit it"
            raise DataError(f"the manifest of {prefix}/ in bucket {s3.bucket} is torn", why=why, todo="prepare again")
        ledger.list(list_prefix(service, s3.bucket, prefix))

        def mark(name: str) -> str:
            head = service.head_object(Bucket=s3.bucket, Key=f"{prefix}/{name}")
            return str(head.get("Metadata", {}).get(MARK, ""))

        return Verified(
            format=format_name,
            prefix=prefix,
            dataset=str(known["dataset"]["name"]),
            objects=int(known["objects"]),
            bytes=int(known["bytes"]),
            missing=_difference(ledger.missing()),
            damaged=_difference(damaged(ledger, mark, _THREADS)),
            extra=_difference(ledger.extra()),
        )


def require(s3: S3Access, format_name: str, root: str) -> Verified:
    """`verify`, for a caller that cannot go on with anything less than whole.

    Raises:
        DataError: objects are missing, damaged or too many.
    """
    found = verify(s3, format_name, root)
    if found.whole:
        return found
    counts = {"missing": found.missing, "damaged": found.damaged, "not ours": found.extra}
    why = ", ".join(f"{one.count} {word} (such as {one.names[0]})" for word, one in counts.items() if one.count)
    raise DataError(
        f"{found.prefix}/ in bucket {s3.bucket} is not what was loaded",
        why=why,
        todo=f"run `chiops data prepare --format {format_name}` again; it sends only what is wrong",
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


def _difference(names: Iterable[str]) -> Difference:
    every = iter(names)
    first = tuple(islice(every, _NAMED))
    return Difference(count=len(first) + sum(1 for _ in every), names=first)
