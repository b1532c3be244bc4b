"""Single servers: what is refused because it would take data that is told to stay."""

from __future__ import annotations

import pytest

from chiops.cloud.base import Attachment, State, Volume
from chiops.errors import InvalidRequest, ResourceFailed
from chiops.ops import servers
from tests.unit.ops.site import MINE, Touched, desk, server


def never(question: str) -> None:
    """Nobody may be asked."""
    raise AssertionError(question)


def yes(question: str) -> None:
    """A person who agrees to everything."""


def at_n(device: str, **changes: object) -> Volume:
    """A volume that is attached to the server n."""
    attached = (Attachment(volume_id="v", server_id="id-n", device=device),)
    return Volume(id="v", size_gib=60, attachments=attached, **{"name": "boot-n", "mark": MINE, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("image", [None, "CC-Ubuntu24.04"])
@pytest.mark.parametrize(
    ("volume", "told"),
    [
        (at_n("/dev/vda"), "boots from the volume boot-n, which a rebuild would overwrite"),
        (at_n("/dev/vda", name="", mark=None), "boots from a volume, which a rebuild would overwrite"),
        # An unusual name; Nova says no image of a server that has no disk of its own
        (at_n("/dev/xvda"), "boots from a volume"),
    ],
)
def test_a_server_that_boots_from_a_volume_is_never_rebuilt(volume: Volume, told: str, image: str | None) -> None:
    at = desk(servers=[server(volumes=("v",))], volumes_=[volume])
    with pytest.raises(InvalidRequest, match=told) as caught:
        servers.rebuild(at, "n", never, image=image)
    assert "`chiops server delete n`, then make it again" in caught.value.sentence()
    assert ("--boot-from boot-n" in caught.value.sentence()) == ("the volume boot-n" in told)


def test_a_server_that_fails_is_told_with_its_fault_and_what_to_do() -> None:
    failed = server(state=State.FAILED, status="ERROR", fault="No valid host was found")
    at = desk()
    with pytest.raises(ResourceFailed, match=r"the server n failed \(ERROR\): No valid host was found") as caught:
        servers.await_active(at, failed)
    assert "Run `chiops server delete n`, then make it again" in caught.value.sentence()
    with pytest.raises(ResourceFailed, match="Look at it"):
        servers.await_active(at, failed, "look at it")


def test_a_server_with_a_disk_of_its_own_is_rebuilt_whatever_is_attached() -> None:
    at = desk(servers=[server(image="img-1")], volumes_=[at_n("/dev/vdb")])
    with pytest.raises(Touched, match="rebuild"):
        servers.rebuild(at, "n", yes)
