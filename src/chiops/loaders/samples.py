"""What a sample is, which ones an arm reads, and the hash that shows that all arms read the same."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .layers import Durations, merged

_MODULUS = 1 << 256


def digest(jpeg: bytes, label: int) -> int:
    """What stands for one sample: sha256 of the label's bytes and the encoded image, before any decoding.

    The label is one byte, or as many more as it needs, the highest first.
    """
    hashed = hashlib.sha256(label.to_bytes(max(1, (label.bit_length() + 7) // 8), "big"))
    hashed.update(jpeg)
    return int.from_bytes(hashed.digest(), "big")


def combine(digests: Iterable[int]) -> int:
    """One value for many samples whatever their order. A sum, not xor: a sample delivered twice must not cancel out."""
    return sum(digests) % _MODULUS


def as_text(combined: int) -> str:
    """The content hash as results carry it; for a whole split it is the ``sha256`` that ``data prepare`` found."""
    return f"{combined:064x}"


def canonical_order(keys: Iterable[str]) -> list[str]:
    """The order in which every format stores a split: by hash of the key (``class_00/0_12.jpg``), which mixes the classes.

    A run of n samples takes the first n of this order, in whichever format: a prefix is what a chunked format can read
    without fetching all its chunks, and hashing makes it a fair sample of the classes.
    """
    return sorted(keys, key=lambda key: hashlib.sha256(key.encode()).digest())


def epoch_order(count: int, access: str, seed: int, epoch: int) -> list[int]:
    """The places of ``count`` samples in the order of a pass: as stored, or shuffled anew for each pass (0, 1, …)."""
    order = list(range(count))
    if access == "random":
        random.Random(f"{seed} {epoch}").shuffle(order)  # noqa: S311 - reproducible, not secret
    return order


@dataclass(frozen=True, slots=True)
class Tally:
    """What one batch brought, counted in the worker that made it.

    Args:
        samples: how many.
        size: bytes of their JPEGs.
        digest: `combine` of their digests.
        decode_s: seconds spent on decoding and transforming.
        hash_s: seconds spent on hashing, the price of the proof; small beside ``decode_s``.
        layers: durations of what was done for it, by layer.
        worker: which worker made it, counted from 0.
        began: when that worker began its pass, on the machine's clock.
        ended: when the batch was ready.
    """

    samples: int
    size: int
    digest: int
    decode_s: float = 0.0
    hash_s: float = 0.0
    layers: Mapping[str, Durations] = field(default_factory=dict)
    worker: int = 0
    began: float = 0.0
    ended: float = 0.0

    @classmethod
    def total(cls, tallies: Iterable[Tally]) -> Tally:
        """The sum over many."""
        several = list(tallies)
        return cls(
            samples=sum(one.samples for one in several),
            size=sum(one.size for one in several),
            digest=combine(one.digest for one in several),
            decode_s=sum(one.decode_s for one in several),
            hash_s=sum(one.hash_s for one in several),
            layers=merged(one.layers for one in several),
        )
