"""Attachments are taken also while others delete their server, and never by ending what they do not know of."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from chiops.cloud.base import Cloud, Mark, Server, ServerRequest, State, Volume
from chiops.errors import Conflict
from chiops.resources.kind import Seen, Workbench
from chiops.resources.volume import AttachmentKind
from tests.support.fast_cloud.cloud import FACTS, FastCloud
from tests.support.fast_lab import KEY
from tests.support.things import ME

MINE = Mark("lab", "me")


@pytest.fixture
def cloud(tmp_path: Path) -> FastCloud:
    return FastCloud(tmp_path / "cloud.db")


@pytest.fixture
def attached(cloud: FastCloud) -> tuple[Server, Volume]:
    cloud.compute.create_keypair("k", KEY, mark=MINE)
    request = ServerRequest(name="n", image_id="image-1", flavor_id="flavor-1", keypair="k", mark=MINE)
    made = cloud.compute.create(request)
    while cloud.compute.get(made.id).state is not State.READY:
        pass
    volume = cloud.volumes.create("v", size_gib=1, mark=MINE)
    while cloud.volumes.get(volume.id).state is not State.READY:
        pass
    cloud.volumes.attach(volume.id, made.id)
    while cloud.volumes.get(volume.id).state is not State.IN_USE:
        pass
    return cloud.compute.get(made.id), cloud.volumes.get(volume.id)


def take(cloud: FastCloud, server: Server, volume: Volume) -> None:
    """Take the attachment as it was when it was looked at."""
    bench = Workbench(cast(Cloud, cloud), FACTS, MINE, Seen(ME, servers=[server], volumes=[volume]))
    AttachmentKind().take(volume.attachments[0], bench)


def test_what_its_server_is_letting_go_of_is_waited_for(cloud: FastCloud, attached: tuple[Server, Volume]) -> None:
    server, volume = attached
    cloud.compute.delete(server.id)
    while cloud.compute.list():
        pass
    assert cloud.volumes.get(volume.id).status == "detaching"
    take(cloud, server, volume)
    assert cloud.volumes.get(volume.id).attachments == ()


def test_what_a_server_that_goes_still_holds_is_waited_for(cloud: FastCloud, attached: tuple[Server, Volume]) -> None:
    server, volume = attached
    cloud.compute.delete(server.id)
    take(cloud, server, volume)
    assert cloud.volumes.get(volume.id).attachments == ()


def test_what_stays_where_it_is_stays_an_error(
    cloud: FastCloud, attached: tuple[Server, Volume], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: str) -> None:
        raise Conflict("it is mounted")

    monkeypatch.setattr(cloud.volumes, "detach", refuse)
    with pytest.raises(Conflict, match="mounted"):
        take(cloud, *attached)
