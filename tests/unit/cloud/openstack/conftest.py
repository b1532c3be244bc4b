"""A stub cloud, and a connection to it through everything that a person's would go through, clouds.yaml included."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chiops.cloud.base import Mark, SiteFacts
from chiops.cloud.openstack import once
from chiops.cloud.openstack.cloud import OpenStackCloud, connect
from tests.unit.cloud.openstack.stub import USER, Stub, serving

MARK = Mark("lab-1", USER)


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None of the person's own credentials, configuration and state."""
    import os

    for name in os.environ:
        if name.startswith(("OS_", "JUPYTERHUB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lookups after a lost answer come at once."""
    monkeypatch.setattr(once, "LOOKS_S", (0.0, 0.0, 0.0))


@pytest.fixture
def stub() -> Iterator[Stub]:
    """The stub cloud."""
    with serving() as stub:
        yield stub


def write_clouds(folder: Path, **clouds: object) -> None:
    """A clouds.yaml; JSON is YAML."""
    (folder / "clouds.yaml").write_text(json.dumps({"clouds": clouds}))


@pytest.fixture
def cloud(stub: Stub, tmp_path: Path) -> Iterator[OpenStackCloud]:
    """Signed in to the stub."""
    auth = {
        "auth_url": f"{stub.url}/v3",
        "username": "tester",
        "password": "p",
        "project_name": "lab",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    write_clouds(tmp_path, stub={"auth": auth, "region_name": "R"})
    facts = SiteFacts(
        name="stub", cloud="openstack", os_cloud="stub", region="R", network="sharednet1", external_network="public"
    )
    with connect(facts) as cloud:
        yield cloud
