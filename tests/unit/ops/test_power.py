"""Servers that are started or restarted: nothing is reset that has not written what it holds."""

from __future__ import annotations

import pytest

from chiops.cloud.base import Mark, State
from chiops.errors import Conflict, NotOurs
from chiops.ops import power, shell
from tests.unit.ops.site import THEIRS, Touched, desk, server


@pytest.mark.parametrize(
    ("status", "command"),
    [
        ("PAUSED", "chiops server start n"),
        ("SUSPENDED", "chiops server start n"),
        ("RESCUE", "openstack server unrescue n"),
    ],
)
def test_one_that_stands_still_is_not_reset(status: str, command: str) -> None:
    at = desk(servers=[server(state=State.STOPPED, status=status)])
    with pytest.raises(Conflict, match=f"has not written yet would be lost. Run `{command}` first"):
        power.reboot(at, "n")


@pytest.mark.parametrize("status", ["PAUSED", "SUSPENDED", "SHUTOFF", "SHELVED", "SHELVED_OFFLOADED"])
def test_one_that_is_halted_is_started(status: str) -> None:
    with pytest.raises(Touched, match=r"compute\.start"):
        power.start(desk(servers=[server(state=State.STOPPED, status=status)]), "n")


def test_one_that_is_active_is_left_alone() -> None:
    assert power.start(desk(servers=[server()]), "n").status == "ACTIVE"


def test_one_that_is_being_made_is_waited_for_before_its_address_is(monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[str] = []
    monkeypatch.setattr(shell, "require_our_key", lambda *_: None)
    monkeypatch.setattr(shell, "wait", lambda _, ready, __: reached.append(ready.status))
    at = desk(servers=[server(state=State.PENDING, status="BUILD")])
    at.cloud.compute._answers["get"] = server()  # type: ignore[attr-defined]
    assert power.start(at, "n", wait=True).status == "ACTIVE"
    assert reached == ["ACTIVE"]


@pytest.mark.parametrize("command", [power.start, power.reboot])
def test_a_failed_server_is_told_why(command: type[object]) -> None:
    at = desk(servers=[server(state=State.FAILED, status="ERROR", fault="No valid host")])
    with pytest.raises(Conflict, match="is in ERROR: No valid host"):
        command(at, "n")


@pytest.mark.parametrize(
    ("state", "status", "says"),
    [(State.STOPPED, "RESCUE", "openstack server unrescue n"), (State.DELETING, "DELETING", "is being deleted")],
)
def test_one_that_cannot_go_on_is_left_alone(state: State, status: str, says: str) -> None:
    with pytest.raises(Conflict, match=says):
        power.start(desk(servers=[server(state=state, status=status)]), "n")


@pytest.mark.parametrize("mark", [THEIRS, None])
def test_one_of_others_is_not_started(mark: Mark | None) -> None:
    with pytest.raises(NotOurs):
        power.start(desk(servers=[server(state=State.STOPPED, status="SHUTOFF", mark=mark)]), "n")
