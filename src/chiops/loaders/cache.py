"""What the caches held before an arm's first sample: declared, measured, and whether the two agree."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from .config import CacheName

_COLD_AT_MOST = 0.05
_WARM_AT_LEAST = 0.95


@dataclass(frozen=True, slots=True)
class CacheState:
    """Measured just before the clock starts.

    Args:
        page_share: share of the files' pages in memory, 0 to 1; None where the kernel does not say or no file matters.
        chunk_files: files in the pipeline's own cache; None if it keeps none.
        chunk_bytes: their size.
        chunk_share: share of the bytes that the arm needs and the cache holds, 0 to 1.
        note: what could not be controlled or measured.
    """

    page_share: float | None = None
    chunk_files: int | None = None
    chunk_bytes: int | None = None
    chunk_share: float | None = None
    note: str = ""

    @classmethod
    def without_any(cls) -> Self:
        """Of a pipeline that keeps nothing on the node: cold before every pass."""
        note = "nothing is kept on the node; what the object store's servers hold in memory is not seen"
        return cls(chunk_files=0, chunk_bytes=0, chunk_share=0.0, note=note)

    @property
    def decisive(self) -> float | None:
        """The share that decides between cold and warm: of the pipeline's own cache if it keeps one, else of the pages."""
        return self.chunk_share if self.chunk_share is not None else self.page_share

    def verdict(self) -> str:
        """``cold``, ``warm``, ``mixed`` or ``unknown``, as measured."""
        if self.decisive is None:
            return "unknown"
        if self.decisive <= _COLD_AT_MOST:
            return "cold"
        return "warm" if self.decisive >= _WARM_AT_LEAST else "mixed"

    def as_json(self, declared: CacheName) -> dict[str, Any]:
        """For the result."""
        measured = self.verdict()
        return {"declared": declared, "measured": measured, "verified": measured == declared, **asdict(self)}
