"""The formats as the control side knows them: what each needs, and which choices it has. Node side: ``chiops.loaders``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from chiops.errors import UsageError
from chiops.names import suggestion

BASELINE = "imagefolder-local"
CEILING = "decode-ceiling"
ALL = "all"

CacheName = Literal["cold", "warm"]

FETCHERS: dict[str, str] = {
    "vanilla": "one request after the other",
    "threaded": "a batch's samples at once, by threads",
    "asyncio": "a batch's samples at once, by asyncio",
    "stream": "samples of many batches at once",
}
CLIENTS: dict[str, tuple[str, ...]] = {
    "obstore": tuple(FETCHERS),
    "boto3": ("vanilla", "threaded", "stream"),
    "s3fs": tuple(FETCHERS),
}
"""The S3 libraries, each with the fetchers that it can carry: asyncio means asyncio, which boto3 has not."""
_OF_FILES = ("vanilla", "threaded", "stream")


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Args:
        name: as typed, and the node side's pipeline.
        title: what it is, for a report.
        prepared_as: the ``--format`` of ``chiops data prepare`` that makes its data.
        mount: whether it reads through a mount of the bucket.
        clients: whether it reads the bucket with an S3 library that can be chosen.
        fetchers: the ways in which samples can be asked for; none if the format's library has its own way.
        caches: the cache states that make a difference.
    """

    name: str
    title: str
    prepared_as: str
    mount: bool = False
    clients: bool = False
    fetchers: tuple[str, ...] = ()
    caches: tuple[CacheName, ...] = ("cold", "warm")


FORMATS = {
    one.name: one
    for one in (
        Format(BASELINE, "JPEG files on the node's disk", "imagefolder", fetchers=_OF_FILES),
        Format(
            "imagefolder-mount", "JPEG files through a mount of the bucket", "imagefolder", mount=True,
            fetchers=_OF_FILES,
        ),
        Format(
            "object", "one request to the bucket for each sample", "imagefolder", clients=True,
            fetchers=tuple(FETCHERS), caches=("cold",),
        ),
        Format("webdataset", "tar shards streamed from the bucket", "webdataset", clients=True, caches=("cold",)),
        Format("litdata", "litdata chunks streamed from the bucket", "litdata"),
        Format("mds", "MosaicML shards streamed from the bucket", "mds"),
        Format(CEILING, "samples that are in memory already: decoding alone", "imagefolder", caches=("warm",)),
    )
}  # fmt: skip


def find(name: str) -> Format:
    """The format of that name; `UsageError` with the nearest one if there is none."""
    try:
        return FORMATS[name]
    except KeyError:
        raise UsageError(f"there is no benchmark format {name!r}", todo=suggestion(name, (*FORMATS, ALL))) from None


def expand(names: Iterable[str]) -> tuple[str, ...]:
    """The names with ``all`` replaced by every format, each once."""
    return tuple(dict.fromkeys(one for name in names for one in (FORMATS if name == ALL else (name,))))
