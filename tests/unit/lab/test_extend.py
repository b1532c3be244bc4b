"""More time for a lab: rules first, then the question, then one request, and what came of it is read anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chiops.cloud import sites
from chiops.cloud.base import Lease, State
from chiops.errors import Conflict, Declined, NotFound, Policy, ResourceFailed, Timeout, Transient, UsageError
from chiops.lab import extend, release, session
from chiops.lab.journal import Journal, LabRecord
from chiops.lab.lock import lab_lock, work_lock
from chiops.resources import waiting
from tests.support.memory import SITE, Memory
from tests.unit.lab.conftest import FACTS
from tests.unit.lab.labs import agree, bring_up, take_down, write

TWO_HOURS = timedelta(hours=2)


@pytest.fixture
def lab(memory: Memory, tmp_path: Path) -> LabRecord:
    """The lab, up."""
    bring_up(write(tmp_path))
    return session.pick(Journal(), "lab")


def test_the_end_moves_once_it_was_agreed_to(lab: LabRecord, memory: Memory) -> None:
    asked: list[str] = []
    before = memory.find("lease", "lease-x").end
    moved = extend.extend(lab, asked.append, by=TWO_HOURS)
    assert moved.end == memory.find("lease", "lease-x").end == before + TWO_HOURS
    # Two m1.tiny at half a unit an hour
    assert asked[0].startswith("Extend lease-x by 2 h, to ")
    assert asked[0].endswith("It costs 2.00 service units more.")


def test_a_no_or_a_rule_sends_nothing(lab: LabRecord, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(_: str) -> None:
        raise Declined("nothing was changed")

    with pytest.raises(Declined):
        extend.extend(lab, no, by=TWO_HOURS)
    strict = replace(FACTS, extension_window_hours=1)
    monkeypatch.setattr(sites, "site", lambda _: strict)
    with pytest.raises(Policy, match="only in the last 1 hours"):
        extend.extend(lab, agree, by=TWO_HOURS)
    with pytest.raises(UsageError, match="longer than any lease"):
        extend.extend(lab, agree, by=timedelta(days=999_999_999))
    assert "leases.extend" not in memory.requests


@pytest.mark.parametrize("hours", [20, -1])
@pytest.mark.parametrize("to_that_end", [False, True])
def test_an_end_that_moves_while_the_question_stands_is_not_moved_back(
    lab: LabRecord, memory: Memory, hours: int, to_that_end: bool
) -> None:
    before: datetime = memory.find("lease", "lease-x").end
    moved = before + timedelta(hours=hours)

    def ask(_: str) -> None:
        memory.change("lease", "lease-x", end=moved)

    how = {"end": before + TWO_HOURS} if to_that_end else {"by": TWO_HOURS}
    with pytest.raises(Conflict, match=r"the end of lease-x moved meanwhile to .*\. Run it again if it is still"):
        extend.extend(lab, ask, **how)  # type: ignore[arg-type]
    assert memory.find("lease", "lease-x").end == moved
    assert "leases.extend" not in memory.requests


def test_nor_is_one_that_moves_while_another_change_is_waited_for(lab: LabRecord, memory: Memory) -> None:
    later = memory.find("lease", "lease-x").end + timedelta(hours=20)
    memory.change("lease", "lease-x", state=State.PENDING, status="UPDATING")

    def settle(request: str) -> None:
        if request == "leases.get":
            memory.change("lease", "lease-x", state=State.READY, status="ACTIVE", end=later)

    memory.hook = settle
    with pytest.raises(Conflict, match="moved meanwhile"):
        extend.extend(lab, agree, by=TWO_HOURS)
    assert "leases.extend" not in memory.requests


def test_one_that_ends_while_the_question_stands_is_told(lab: LabRecord, memory: Memory) -> None:
    def ask(_: str) -> None:
        memory.change("lease", "lease-x", state=State.ENDED, status="TERMINATED")

    with pytest.raises(Policy, match="is TERMINATED and can't be extended"):
        extend.extend(lab, ask, by=TWO_HOURS)
    assert "leases.extend" not in memory.requests


def test_one_that_is_just_being_changed_is_waited_for(lab: LabRecord, memory: Memory) -> None:
    memory.change("lease", "lease-x", state=State.PENDING, status="UPDATING")

    def settle(request: str) -> None:
        assert request != "leases.extend" or memory.find("lease", "lease-x").state is State.READY
        if request == "leases.get":
            memory.change("lease", "lease-x", state=State.READY, status="ACTIVE")

    memory.hook = settle
    extend.extend(lab, agree, by=TWO_HOURS)
    assert "leases.extend" in memory.requests


def test_a_lease_that_the_site_breaks_is_told_with_its_fault(lab: LabRecord, memory: Memory) -> None:
    def broken(request: str) -> None:
        if request == "leases.extend":
            memory.change("lease", "lease-x", state=State.FAILED, status="ERROR", fault="its update failed")

    memory.after = broken
    with pytest.raises(ResourceFailed, match="its update failed"):
        extend.extend(lab, agree, by=TWO_HOURS)


def test_a_look_that_fails_afterwards_is_repeated(
    lab: LabRecord, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: datetime = memory.find("lease", "lease-x").end
    failures = iter([Transient("the site is busy"), Timeout("no answer")])
    monkeypatch.setattr(waiting, "FIRST_PAUSE_S", 0.0)

    def busy(request: str) -> None:
        if request == "leases.get" and "leases.extend" in memory.requests and (failure := next(failures, None)):
            raise failure

    memory.hook = busy
    assert extend.extend(lab, agree, by=TWO_HOURS).end == before + TWO_HOURS
    assert memory.requests.count("leases.extend") == 1


def test_a_site_that_moves_it_less_is_told(lab: LabRecord, memory: Memory) -> None:
    before: datetime = memory.find("lease", "lease-x").end
    memory.after = moved_to(memory, before + timedelta(minutes=30))
    with pytest.raises(Exception, match="moved the end of lease-x only to"):
        extend.extend(lab, agree, by=TWO_HOURS)


def moved_to(memory: Memory, end: datetime) -> Callable[[str], None]:
    def after(request: str) -> None:
        if request == "leases.extend":
            memory.change("lease", "lease-x", end=end)

    return after


def test_without_a_lease_there_is_nothing_to_extend(
    lab: LabRecord, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.of("lease")["t"] = Lease(id="t", name="theirs", start=datetime.now(UTC), end=datetime.now(UTC) + TWO_HOURS)
    monkeypatch.setattr(release, "_answering", lambda _: [])
    take_down()
    with pytest.raises(NotFound, match="has no lease that runs"):
        extend.extend(lab, agree, by=TWO_HOURS)


def test_a_lab_that_another_command_changes_is_left_alone(lab: LabRecord) -> None:
    assert lab.site == SITE
    with lab_lock("lab", "up lab"), pytest.raises(Conflict, match="`chiops up lab`"):
        extend.extend(lab, agree, by=TWO_HOURS)


def test_a_lab_is_extended_while_its_nodes_are_measured(lab: LabRecord) -> None:
    with work_lock("lab", "bench run"):
        assert extend.extend(lab, agree, by=TWO_HOURS).end
