"""Carrying a plan out: what is independent at once, what depends in order, each change journaled before and after."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
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
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="apply") as pool:
        try:
            while sorter.is_active():
                running |= {pool.submit(_begin, work[key]): key for key in sorter.get_ready()}
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
            _end(pool)
            raise
    return failed


def _begin(piece: Callable[[], None]) -> None:
    if waiting.cancel.is_set():  # pressed while this one was handed to its thread
        raise Timeout("it was not begun")
    piece()


def _end(pool: ThreadPoolExecutor) -> None:
    while True:
        try:
            waiting.cancel.set()
            pool.shutdown(cancel_futures=True)
        except KeyboardInterrupt:
            continue
        return


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
