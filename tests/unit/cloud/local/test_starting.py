"""How Docker has a halted node go on: one that is paused is not started anew."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from chiops.cloud.local import containers
from chiops.cloud.local.network import LocalNetwork
from chiops.cloud.local.servers import LocalCompute
from chiops.cloud.local.site import LocalSite
from tests.unit.cloud.local.test_node import SPEC


@pytest.mark.parametrize(
    ("state", "asked"), [("paused", ["unpause"]), ("exited", ["restart"]), ("running", []), ("restarting", [])]
)
def test_each_goes_on_from_where_it_stands(
    site: LocalSite, monkeypatch: pytest.MonkeyPatch, state: str, asked: list[str]
) -> None:
    calls: list[str] = []
    api = SimpleNamespace(
        **{name: lambda *_, name=name, **__: calls.append(name) for name in ("unpause", "restart", "start")}
    )
    monkeypatch.setattr(site.engine, "client", lambda: SimpleNamespace(api=api))
    container: dict[str, Any] = {"Id": "c", "State": state, "Labels": {"chiops-spec": SPEC.to_json()}}
    monkeypatch.setattr(containers, "one", lambda *_: container)
    network = LocalNetwork(site)
    monkeypatch.setattr(network, "write_node_files", lambda _: None)
    compute = LocalCompute(site, network)
    monkeypatch.setattr(compute._boot_disks, "ready", lambda _: None)
    told: list[str] = []
    site.on_node_started(told.append)
    compute.start("s")
    assert calls == asked
    assert told == (["s"] if asked == ["restart"] else [])
