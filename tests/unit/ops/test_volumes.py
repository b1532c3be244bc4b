"""Single volumes: a run that was killed has made one, and the next one finds it."""

from __future__ import annotations

from typing import Any

import pytest

from chiops.cloud.base import State, Volume
from chiops.errors import Conflict, Stuck
from chiops.ops import volumes
from tests.support.things import volume
from tests.unit.ops.site import LABS, THEIRS, Touched, desk


@pytest.mark.parametrize(
    "there",
    [
        [volume(status="available")],
        [volume(status="in-use", state=State.IN_USE, volume_type="ssd")],
        [volume(id="hers", mark=THEIRS), volume()],
    ],
)
def test_one_of_ours_that_is_like_that_is_taken_as_it_is(there: list[Volume]) -> None:
    found, new = volumes.create(desk(volumes_=there), "v", 2)
    assert (found.id, new) == ("id-v", False)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mark": THEIRS}, "a volume v of someone else exists"),
        ({"mark": None}, "a volume v of someone else exists"),
        ({"mark": LABS}, "your volume v exists already, in the lab my-lab"),
        ({"size_gib": 3}, "your volume v exists and has 3 GiB"),
        ({"bootable": True}, "your volume v exists and was made from an image"),
        ({"volume_type": "hdd"}, "your volume v exists and is of type hdd"),
        ({"state": State.FAILED, "status": "error"}, "the volume v is in error"),
    ],
)
def test_a_name_that_stands_for_another_volume_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(Conflict, match=told):
        volumes.create(desk(volumes_=[volume(**changes)]), "v", 2, "ssd" if "volume_type" in changes else "")


def test_one_without_a_lab_is_not_taken_into_one() -> None:
    with pytest.raises(Conflict, match="exists already, in no lab"):
        volumes.create(desk(lab="my-lab", volumes_=[volume()]), "v", 2)


def test_one_that_hangs_between_two_states_is_not_to_be_deleted() -> None:
    with pytest.raises(Stuck):
        volumes.create(desk(volumes_=[volume(state=State.FAILED, status="reserved")]), "v", 2)


def test_a_new_name_makes_a_new_one() -> None:
    with pytest.raises(Touched, match=r"volumes\.create"):
        volumes.create(desk(volumes_=[volume("another")]), "v", 2)
