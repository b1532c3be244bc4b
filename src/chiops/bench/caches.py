"""Whether a mount was cold or warm, by what its daemon fetched for an arm.

A look at the kernel's pages cannot tell: to look, a file must be opened, and FUSE drops its pages at that.
"""

from __future__ import annotations

from typing import Literal

from chiops.bench.results import Cache, Metrics, MountState

_MOST, _LEAST = 0.95, 0.05
_COUNTER = "bytes"


def seen_from_the_mount(cache: Cache, before: MountState, after: MountState, metrics: Metrics) -> Cache:
    """The arm's cache as the mount's counters have it; ``unknown`` of a backend that keeps none.

    What was fetched is compared with what one pass delivers: later ones may come from what the first has left.
    """
    # A daemon that was just started may not answer yet, and has fetched nothing
    at_first = before.counters.get(_COUNTER, 0.0 if before.restarted else None)
    if at_first is None or _COUNTER not in after.counters:
        note = f"{after.backend} keeps no counters: what it had cached is not known"
        return cache.model_copy(update={"measured": "unknown", "verified": False, "note": note})
    fetched = after.counters[_COUNTER] - at_first
    share = fetched * metrics.epochs / metrics.sample_bytes
    measured: Literal["cold", "warm", "mixed"] = "cold" if share >= _MOST else "warm" if share <= _LEAST else "mixed"
    note = f"{after.backend} fetched {fetched / 1e6:.1f} MB for the arm, {share:.0%} of what a pass delivers"
    return cache.model_copy(update={"measured": measured, "verified": measured == cache.declared, "note": note})
