"""Compares a bucket with what was loaded into it, by the manifest that lies beside the data."""

from __future__ import annotations

from dataclasses import dataclass

from chiops.cloud.base import S3Access
from chiops.data.catalog import FORMATS, find_format
from chiops.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a prefix holds beside what it should: names below the prefix, sorted."""

    format: str
    prefix: str
    dataset: str
    objects: int
    bytes: int
    missing: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Everything is there, as it was loaded, and nothing else."""
        return not (self.missing or self.damaged or self.extra)


def verify(s3: S3Access, format_name: str) -> Verified:
    """Compare names, sizes and checksums of a format's objects with the manifest.

    Objects whose checksum the listing does not tell (those sent in parts, by other tools) count as damaged unless they still
    carry the checksum that chiops left with them.

    Raises:
        UsageError: there is no such format.
        DataError: nothing complete was loaded there.
        CloudError: the service refuses or fails.
    """
    from chiops.etl import manifest
    from chiops.etl.listing import Listed, list_prefix
    from chiops.etl.upload import MARK
    from chiops.s3.client import client, translated

    prefix = find_format(format_name).prefix
    with translated(f"verifying {prefix}/ in bucket {s3.bucket}"):
        service = client(s3)
        known = manifest.load(service, s3.bucket, prefix)
        if known is None or not known.get("complete"):
            raise DataError(
                f"bucket {s3.bucket} holds no complete {format_name} data",
                why="its manifest is missing" if known is None else "an upload did not finish",
                todo=f"run `chiops data prepare --format {format_name}`",
            )
        there = list_prefix(service, s3.bucket, prefix)

        def same(name: str, found: Listed) -> bool:
            size, md5, sha256 = known["files"][name]
            if found.size != size or found.md5:
                return bool(found.size == size and found.md5 == md5)
            head = service.head_object(Bucket=s3.bucket, Key=f"{prefix}/{name}")
            return bool(head.get("Metadata", {}).get(MARK) == sha256)

        return Verified(
            format=format_name,
            prefix=prefix,
            dataset=str(known["dataset"]["name"]),
            objects=int(known["objects"]),
            bytes=int(known["bytes"]),
            missing=tuple(sorted(set(known["files"]) - set(there))),
            damaged=tuple(
                name for name, found in sorted(there.items()) if name in known["files"] and not same(name, found)
            ),
            extra=tuple(sorted(set(there) - set(known["files"]))),
        )


def require(s3: S3Access, format_name: str) -> Verified:
    """`verify`, for a caller that cannot go on with anything less than whole.

    Raises:
        DataError: objects are missing, damaged or too many.
    """
    found = verify(s3, format_name)
    if found.whole:
        return found
    counts = {"missing": found.missing, "damaged": found.damaged, "not ours": found.extra}
    why = ", ".join(f"{len(names)} {word} (such as {names[0]})" for word, names in counts.items() if names)
    raise DataError(
        f"{found.prefix}/ in bucket {s3.bucket} is not what was loaded",
        why=why,
        todo=f"run `chiops data prepare --format {format_name}` again; it sends only what is wrong",
    )


def loaded(s3: S3Access) -> list[str]:
    """The formats that the bucket has a manifest of.

    Raises:
        DataError: it has none.
        CloudError: the service refuses or fails.
    """
    from chiops.etl import manifest
    from chiops.s3.client import client, translated

    with translated(f"reading the manifests in bucket {s3.bucket}"):
        service = client(s3)
        found = [one.name for one in FORMATS.values() if manifest.load(service, s3.bucket, one.prefix) is not None]
    if not found:
        raise DataError(f"bucket {s3.bucket} holds no dataset", todo="run `chiops data prepare`")
    return found
