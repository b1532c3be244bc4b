"""Volumes that are taken from servers: never from under a file system that may be in use."""

from __future__ import annotations

import pytest

from chiops.cloud.base import Attachment, State
from chiops.errors import Conflict, Stuck
from chiops.ops import attachments, shell
from chiops.ops.desk import Desk
from tests.support.things import volume
from tests.unit.ops.site import Touched, desk, server


def attached(state: State, status: str) -> Desk:
    """The volume v, attached to the server n, which is in that state."""
    at = (Attachment(volume_id="id-v", server_id="id-n", device="/dev/vdb"),)
    return desk(servers=[server(state=state, status=status)], volumes_=[volume(attachments=at)])


@pytest.mark.parametrize(
    ("state", "status", "todo"),
    [
        (State.STOPPED, "PAUSED", "Run `chiops server start n` first; or add --no-unmount"),
        (State.STOPPED, "SUSPENDED", "Run `chiops server start n` first"),
        (State.STOPPED, "RESCUE", "Run `openstack server unrescue n` first"),
        (State.PENDING, "REBOOT", "Wait until the server is active"),
        (State.PENDING, "VERIFY_RESIZE", "Wait until the server is active"),
    ],
)
def test_a_server_that_stands_still_keeps_what_it_may_have_mounted(state: State, status: str, todo: str) -> None:
    with pytest.raises(Conflict, match=f"the server n is {status} and may have v mounted") as caught:
        attachments.detach(attached(state, status), "v", unmounting=True)
    assert todo in caught.value.sentence()
    with pytest.raises(Touched, match="detach"):
        attachments.detach(attached(state, status), "v", unmounting=False)


@pytest.mark.parametrize("status", ["SHUTOFF", "SHELVED", "SHELVED_OFFLOADED"])
def test_a_server_that_is_shut_down_has_nothing_mounted(status: str) -> None:
    with pytest.raises(Touched, match="detach"):
        attachments.detach(attached(State.STOPPED, status), "v", unmounting=True)


def test_a_volume_that_hangs_between_two_states_is_told_with_the_way_out() -> None:
    hangs = volume(state=State.FAILED, status="reserved", fault="it has been reserved since noon")
    with pytest.raises(Stuck, match="the volume v is reserved: it has been reserved since noon") as caught:
        attachments.attach(desk(servers=[server()], volumes_=[hangs]), "v", "n", None, mounting=False)
    assert "ask the site's help desk" in caught.value.sentence()


def test_a_server_that_runs_is_asked_to_unmount(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(shell, "require_our_key", lambda one, _: asked.append(one.name))
    monkeypatch.setattr(attachments, "unmount", lambda nodes: asked.extend(one.name for one in nodes) or [])
    with pytest.raises(Touched, match="detach"):
        attachments.detach(attached(State.READY, "ACTIVE"), "v", unmounting=True)
    assert asked == ["n", "n"]
