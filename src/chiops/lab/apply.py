"""Carrying a plan out: what is independent at once, what depends in order, each change journaled before and after."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from graphlib import TopologicalSorter

from chiops import progress
from chiops.errors import ChiopsError, Timeout
from chiops.lab.journal import Journal
from chiops.lab.plan import Plan, Step
from chiops.lab.wanted import Key
from chiops.resources import waiting
from chiops.resources.kind import Op

log = logging.getLogger(__name__)
PARALLEL = 8


def in_order(work: Mapping[Key, Callable[[], None]], needs: Mapping[Key, Iterable[Key]]) -> dict[Key, Exception]:
    """Run all ``work``, each piece once everything it needs has succeeded, up to 8 at once.

    A failure stops only what needs it. Ctrl-C starts nothing more, ends the waits of what runs, and comes through once
    that has ended, however often it is pressed: what comes next may rely on nothing being changed any more.

    Returns:
        The failures; pieces left out because of them are not in it.
    """
    sorter = TopologicalSorter({key: [need for need in needs.get(key, ()) if need in work] for key in work})
    sorter.prepare()
    failed: dict[Key, Exception] = {}
    running: dict[Future[None], Key] = {}
    under_way = _UnderWay()
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="apply") as pool:
        try:
            while sorter.is_active():
                running |= {pool.submit(under_way.run, work[key]): key for key in sorter.get_ready()}
                if not running:
                    break  # all that is left needs something that failed
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    key = running.pop(future)
                    error = future.exception()
                    if error is None:
                        sorter.done(key)
                    elif isinstance(error, Exception):
                        failed[key] = error
                    else:
                        raise error
        except BaseException:
            with _deaf():
                under_way.end()
                pool.shutdown(cancel_futures=True)
            raise
    return failed


class _UnderWay:
    """What runs, counted here: a pool knows nothing of a thread whose start Ctrl-C has interrupted."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def run(self, piece: Callable[[], None]) -> None:
        with self._changed:
            if waiting.cancel.is_set():
                raise Timeout("it was not begun")
            self._count += 1
        try:
            piece()
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            waiting.cancel.set()
            self._changed.wait_for(lambda: not self._count)


@contextmanager
def _deaf() -> Iterator[None]:
    """Ctrl-C changes nothing in the body."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


def apply(plan: Plan, journal: Journal) -> int:
    """Carry ``plan`` out and return how many resources were changed.

    Raises:
        ChiopsError: the first failure; all others that did not depend on it were carried out, or are named in the log.
    """
    steps = {step.key: step for step in plan.steps}
    work = {key: (lambda step=step: _carry_out(plan, step, journal)) for key, step in steps.items()}
    failed = in_order(work, {key: step.item.needs for key, step in steps.items()})
    raise_first(failed)
    return len(plan.changes)


def raise_first(failed: Mapping[Key, Exception]) -> None:
    """Raise the first failure, having logged all, and said the others in a line each."""
    for key, error in failed.items():
        log.error("%s failed", key, exc_info=error)
    errors = list(failed.values())
    for error in errors[1:]:
        progress.say(f"also: {error.sentence() if isinstance(error, ChiopsError) else error}")
    if errors:
        raise errors[0]


def _carry_out(plan: Plan, step: Step, journal: Journal) -> None:
    bench, kind, verdict = plan.benches[step.site], step.item.kind, step.verdict
    if not step.changes:
        bench.put(*step.key, kind.settle(step.item.wanted, verdict.found, bench))
        return
    title = f"{verdict.op.value} {kind.noun} {step.key.name}"
    with (
        progress.task(title),
        journal.entry(
            lab=plan.lab, site=step.site, op=verdict.op.value, kind=step.key.kind, name=step.key.name
        ) as entry,
    ):
        if verdict.op is Op.UPDATE:
            made = kind.mend(step.item.wanted, verdict.found, bench)
        else:
            if verdict.op is Op.REPLACE:
                kind.take(verdict.found, bench)
            made = kind.make(step.item.wanted, bench)
        entry.resource = str(getattr(made, "id", None) or getattr(made, "access", ""))
        bench.put(*step.key, made)
