"""How long a service may have us wait."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from chiops.cloud.openstack.cloud import OpenStackCloud
from chiops.cloud.openstack.transport import MOST_S
from chiops.errors import Transient
from tests.unit.cloud.openstack.stub import PATHS, Answer, Stub


@pytest.mark.parametrize(("asked", "waited"), [("2", 2.0), ("86400", MOST_S)])
def test_a_service_that_asks_for_a_day_is_not_given_it(
    stub: Stub, cloud: OpenStackCloud, monkeypatch: pytest.MonkeyPatch, asked: str, waited: float
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time", SimpleNamespace(sleep=pauses.append))
    stub.on("GET", f"{PATHS['reservation']}/leases", Answer(503, {}, {"Retry-After": asked}))
    with pytest.raises(Transient):
        cloud.leases.list()
    assert pauses == [waited] * 3
