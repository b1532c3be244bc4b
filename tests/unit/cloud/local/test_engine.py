"""Which Docker is used: while the site has servers the one that has them, whatever else answers or could be started."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chiops import files
from chiops.cloud.base import Mark
from chiops.cloud.local import docker_api
from chiops.cloud.local import engine as engines
from chiops.cloud.local.cloud import LocalCloud
from chiops.cloud.local.engine import Engine
from chiops.cloud.local.node import Spec
from chiops.cloud.local.servers import LocalCompute
from chiops.cloud.local.shelf import Shelf
from chiops.cloud.local.site import LocalSite
from chiops.cloud.local.volumes import LocalVolumes
from chiops.errors import ChiopsError, CloudError, PrerequisiteMissing, Transient

HOST = "unix:///var/run/docker.sock"
OTHER = "unix:///run/other.sock"
OWN = "unix:///own.sock"


class Docker:
    """A Docker that answers, with the servers and networks of a site that it lists."""

    def __init__(self, name: str, *, servers: int = 0, networks: int = 0) -> None:
        self.name, self.api = name, self
        self.listed = {"containers": [{}] * servers, "networks": [{"Id": f"{name}-net"}] * networks}

    def containers(self, **_: Any) -> list[Any]:
        return self.listed["containers"]

    def networks(self, **_: Any) -> list[Any]:
        return self.listed["networks"]

    def close(self) -> None:
        """Nothing is open."""


class World:
    """This machine: the Dockers that answer, by address, and the site's own."""

    def __init__(self, site: LocalSite) -> None:
        self.site = site
        self.answering: dict[str, Docker] = {}
        self.own = Docker("own")
        self.daemon: Any = SimpleNamespace(in_use=False, may_return=False, socket="/own.sock", log="log", started=0)
        self.daemon.pid = lambda: int(self.daemon.in_use)
        self.daemon.start, self.daemon.stop = self.start, self.stop

    def start(self) -> None:
        if not self.daemon.in_use:
            self.daemon.started += 1
        self.daemon.in_use, self.answering[OWN] = True, self.own

    def stop(self) -> None:
        """Its folder below /run is gone, as after a reboot."""
        self.daemon.in_use = False
        self.answering.pop(OWN, None)

    def engine(self) -> Engine:
        """As another process finds it."""
        made = Engine(self.site.root, self.site.id, self.site.nodes_dir)
        made.daemon = self.daemon
        return made

    def have_node(self) -> None:
        """A server is being made, up to its folder."""
        engine = self.engine()
        client: Any = engine.client()
        client.listed["networks"] = [{"Id": f"{client.name}-net"}]
        with engine.keeping():
            self.site.node_dir("n").mkdir(exist_ok=True)

    def used(self) -> str:
        client: Any = self.engine().client()
        return str(client.name)


@pytest.fixture
def world(site: LocalSite, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(site)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engines, "connect", lambda url, *_: made.answering.get(url))
    there = SimpleNamespace(require=lambda *_, **__: None, find=lambda name: name, has_service_manager=lambda: False)
    monkeypatch.setattr(engines, "packages", there)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return made


def test_without_servers_any_docker_will_do(world: World) -> None:
    world.answering[HOST] = Docker("host")
    assert world.used() == "host"
    del world.answering[HOST]
    assert world.used() == "own"


def test_a_docker_with_servers_that_does_not_answer_is_told_and_no_other_is_started(world: World) -> None:
    world.answering[HOST] = Docker("host")
    world.have_node()
    host = world.answering.pop(HOST)
    for look in (Engine.client, Engine.running):
        with pytest.raises(Transient, match="which has the local site's servers, does not answer"):
            look(world.engine())
    assert world.daemon.started == 0
    world.answering[HOST] = host
    assert world.used() == "host"


def test_what_docker_host_names_in_this_shell_is_not_used_instead(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.answering.update({HOST: Docker("host"), OTHER: Docker("other")})
    world.have_node()
    for elsewhere in (OTHER, "tcp://far:2375"):
        monkeypatch.setenv("DOCKER_HOST", elsewhere)
        assert world.used() == "host"
    monkeypatch.setenv("DOCKER_HOST", OTHER)
    del world.answering[HOST]
    with pytest.raises(CloudError, match="does not have the local site's servers"):
        world.used()
    world.answering[OTHER] = Docker("host", networks=1)
    assert world.used() == "host", "the same one at another address"


def test_another_docker_at_the_same_address_is_told(world: World) -> None:
    world.answering[HOST] = Docker("host")
    world.have_node()
    world.answering[HOST] = Docker("new")
    with pytest.raises(CloudError, match="does not have the local site's servers"):
        world.used()
    world.answering[HOST] = Docker("new", networks=1)
    with pytest.raises(CloudError, match="does not have the local site's servers"):
        world.used()
    world.answering[HOST] = Docker("pruned", servers=1)
    assert world.used() == "pruned", "it has them, if with no network or another"


def test_a_docker_that_this_account_may_not_use_is_told_as_such(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is told to do where Docker is down would have it forget its servers."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'socket'}")
    (tmp_path / "socket").touch()
    world.answering[f"unix://{tmp_path / 'socket'}"] = Docker("host")
    world.have_node()
    world.answering.clear()
    monkeypatch.setattr(docker_api.os, "access", lambda *_: False)
    with pytest.raises(PrerequisiteMissing, match="This account may not use the Docker that has") as caught:
        world.used()
    assert "truncate" not in caught.value.sentence()


def test_a_rebuild_that_is_brought_to_its_end_writes_down_where(
    world: World, site: LocalSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After servers were given up any Docker will do, and the next one that has a server is the one."""
    world.answering[HOST] = Docker("host")
    world.have_node()
    record = site.root / "docker-in-use"
    record.write_text("")
    cloud = LocalCloud(site.root, site.cache, session=False)
    spec = {field.name: "" for field in fields(Spec)} | {"id": "n", "metadata": {}}
    files.replace(cloud.compute._view.rebuild_file("n"), json.dumps(spec))
    monkeypatch.setattr(LocalCompute, "_build", lambda *_: None)
    monkeypatch.setattr(LocalSite, "node_started", lambda *_: None)
    cloud.compute.mend()
    assert record.read_text().startswith(HOST)


def test_a_person_can_give_up_servers_whose_docker_is_gone(world: World) -> None:
    world.answering[HOST] = Docker("host")
    world.have_node()
    world.answering[HOST] = Docker("new")
    with pytest.raises(CloudError) as caught:
        world.used()
    (file,) = [word.rstrip(".`)") for word in caught.value.sentence().split() if str(world.site.root) in word]
    os.truncate(file, 0)
    del world.answering[HOST]
    assert world.engine().running() is None
    world.answering[HOST] = Docker("new")
    assert world.used() == "new"
    world.have_node()
    del world.answering[HOST]
    with pytest.raises(Transient):
        world.used()


def test_an_own_docker_with_servers_is_started_after_a_reboot_although_another_answers(world: World) -> None:
    world.have_node()
    world.stop()
    world.answering[HOST] = Docker("host")
    assert world.engine().running() is None
    assert world.used() == "own"


def test_an_own_docker_is_roots_to_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.have_node()
    world.stop()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PrerequisiteMissing, match="only root can start"):
        world.used()


def test_a_client_from_before_the_first_server_is_not_used_where_another_docker_got_it(world: World) -> None:
    world.answering[OTHER] = world.answering[HOST] = Docker("host")
    mine = world.engine()
    assert mine.client() is not None
    del world.answering[HOST]
    world.have_node()
    found: Any = mine.client()
    assert found.name == "own"


@pytest.mark.parametrize(
    ("host", "own", "in_use", "wanted"),
    [
        pytest.param(Docker("host", servers=1), Docker("own"), False, "host", id="this machine's has them"),
        pytest.param(Docker("host"), Docker("own", servers=1), False, "own", id="the own one has them, after a reboot"),
        pytest.param(Docker("host", networks=1), Docker("own"), False, "host", id="killed in the making"),
        pytest.param(None, Docker("own", networks=1), True, "own", id="killed in the making, at the own one"),
        pytest.param(Docker("host"), Docker("own"), False, "does not have", id="none has them"),
        pytest.param(None, Docker("own"), False, "does not answer", id="this machine's is down"),
        pytest.param(
            None, Docker("own", networks=1), False, "does not answer", id="it is down, the own one is a leftover"
        ),
    ],
)
def test_a_site_of_an_earlier_version_finds_its_docker(
    world: World, host: Docker | None, own: Docker, in_use: bool, wanted: str
) -> None:
    world.site.node_dir("n").mkdir()
    world.own, world.daemon.may_return = own, True
    if in_use:
        world.start()
    if host:
        world.answering[HOST] = host
    if wanted in ("host", "own"):
        assert world.used() == wanted
        world.own = Docker("own", servers=1)
        assert world.used() == wanted, "from now on that is written down"
    else:
        with pytest.raises(ChiopsError, match=wanted):
            world.used()
        assert not world.daemon.in_use, "it was started only to be asked"


def test_while_docker_is_down_nothing_of_a_server_goes(
    world: World, site: LocalSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.answering[HOST] = Docker("host")
    world.have_node()
    LocalVolumes(site)
    shelf = Shelf(site)
    shelf.add("v", "disk", 1, Mark("lab", "1000"))
    shelf.place("v", "n", "vdb")
    monkeypatch.setattr(engines, "Daemon", lambda *_: world.daemon)
    del world.answering[HOST]
    with pytest.raises(Transient, match="does not answer"):
        LocalCloud(site.root, site.cache)
    assert site.node_dir("n").is_dir()
    assert shelf.row("v")["server_id"] == "n"
    assert world.daemon.started == 0
    world.answering[HOST] = Docker("host", networks=1)
    LocalCloud(site.root, site.cache, session=False).compute.mend()
    assert not site.node_dir("n").exists(), "a create that was killed is taken back where its container would be"
