"""What a run is told on stdin, read strictly: an unknown or ill-typed key is an error, not a surprise later."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import EtlError

STAGES = ("extract", "transform", "load")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Config:
    """The bucket to load into, and the key that opens it."""

    endpoint: str
    bucket: str
    access: str
    secret: str = field(repr=False)
    region: str = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What shapes datasets and formats; each uses what concerns it.

    Args:
        images: images of a synthetic dataset, all splits together.
        seed: what randomness grows from; the same seed gives the same bytes.
        shard_bytes: size of a shard; 0 lets the format choose by the size of the split.
        url: where an archive is downloaded from, instead of the dataset's own place.
        file: an archive that is already on the node, as a path in the container; wins over ``url``.
        sha256: the archive's checksum, hexadecimal; empty where none is published.
        workers: processes that make images; 0 means one per processor.
        threads: objects sent or fetched at once.
        name: a dataset of one's own: its name and root.
        source: where it comes from: ``sent`` (over stdin), ``folder:<path in the container>`` or ``bucket:<prefix>``.
        origin: what a person calls the source, where ``source`` or ``index`` does not tell one from another.
        index: a JSON list of the keys in the bucket that make it up: ``sent`` or ``bucket:<key>``; no ``source`` then.
        split: the split that all of its images belong to; empty to go by the folders' names.
        skip_damaged: 1 to leave damaged images out, 0 to fail.
    """

    images: int = 1200
    seed: int = 0
    shard_bytes: int = 0
    url: str = ""
    file: str = ""
    sha256: str = ""
    workers: int = 0
    threads: int = 16
    name: str = ""
    source: str = ""
    origin: str = ""
    index: str = ""
    split: str = ""
    skip_damaged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One run, of some stages or all. Without ``s3`` the formats are made on the node and loaded nowhere."""

    dataset: str
    formats: tuple[str, ...]
    staging: Path
    s3: S3Config | None = None
    stages: tuple[str, ...] = STAGES
    options: Options = Options()


_LOWEST = {"images": 1, "seed": 0, "shard_bytes": 0, "skip_damaged": 0, "workers": 0, "threads": 1}


def parse(text: str) -> Config:
    """The configuration in a JSON document.

    Raises:
        EtlError: the document is no JSON, or a key is missing, unknown or ill-typed.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _wrong("the document on stdin is not JSON", str(error)) from None
    top = _keys(document, "the configuration", Config)
    for key in ("formats", "stages"):
        names = top.setdefault(key, list(STAGES))
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise _wrong(f"{key} must be a list of at least one name")
    if unknown := sorted(set(top["stages"]) - set(STAGES)):
        raise _wrong(f"there is no stage {unknown[0]!r}")
    for key in ("dataset", "staging"):
        if not isinstance(top[key], str) or not top[key]:
            raise _wrong(f"{key} must be a text")
    s3 = top.get("s3")
    return Config(
        dataset=str(top["dataset"]),
        formats=tuple(dict.fromkeys(top["formats"])),
        stages=tuple(stage for stage in STAGES if stage in top["stages"]),
        staging=Path(str(top["staging"])),
        s3=None if s3 is None else S3Config(**_typed(_keys(s3, "s3", S3Config), "s3", S3Config)),
        options=Options(**_typed(_keys(top.get("options") or {}, "options", Options), "options", Options)),
    )


def _keys(value: object, where: str, shape: type) -> dict[str, typing.Any]:
    if not isinstance(value, Mapping):
        raise _wrong(f"{where} must be an object")
    fields = {item.name: item for item in dataclasses.fields(shape)}
    if unknown := sorted(set(value) - set(fields)):
        raise _wrong(f"{where} has no key {unknown[0]!r}")
    missing = [name for name, item in fields.items() if item.default is dataclasses.MISSING and name not in value]
    if missing:
        raise _wrong(f"{where} lacks {missing[0]!r}")
    return dict(value)


def _typed(values: dict[str, object], where: str, shape: type) -> dict[str, typing.Any]:
    hints = typing.get_type_hints(shape)
    for key, value in values.items():
        if type(value) is not hints[key]:
            raise _wrong(f"{where}.{key} must be {'a text' if hints[key] is str else 'a whole number'}")
        if key in _LOWEST and isinstance(value, int) and value < _LOWEST[key]:
            raise _wrong(f"{where}.{key} must be at least {_LOWEST[key]}")
    return values


def _wrong(what: str, why: str = "") -> EtlError:
    return EtlError(what, why=why, todo="correct the configuration", kind="usage")
