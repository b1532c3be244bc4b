"""How long a service may have us wait."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from chiops.cloud.openstack.cloud import OpenStackCloud
from chiops.cloud.openstack.transport import MOST_S
from chiops.errors import Transient
from tests.unit.cloud.openstack.stub import PATHS, Answer, Stub

SERVICES: dict[str, Callable[[OpenStackCloud], object]] = {
    f"{PATHS['reservation']}/leases": lambda cloud: cloud.leases.list(),
    f"{PATHS['compute']}/servers/detail": lambda cloud: cloud.compute.list(),
    "/network/v2.0/floatingips": lambda cloud: cloud.network.floating_ips(),
    f"{PATHS['volumev3']}/volumes/detail": lambda cloud: cloud.volumes.list(),
    "/image/v2/images": lambda cloud: cloud.compute.images(),
    PATHS["object-store"]: lambda cloud: cloud.objects.list(),
}


@pytest.mark.parametrize("path", SERVICES)
@pytest.mark.parametrize(("asked", "waited"), [("2", 2.0), ("86400", MOST_S)])
def test_a_service_that_asks_for_a_day_is_not_given_it(
    stub: Stub, cloud: OpenStackCloud, monkeypatch: pytest.MonkeyPatch, path: str, asked: str, waited: float
) -> None:
    pauses: list[float] = []
    for library in ("urllib3.util.retry", "keystoneauth1.session"):
        monkeypatch.setattr(f"{library}.time", SimpleNamespace(sleep=pauses.append))
    stub.on("GET", path, Answer(503, {}, {"Retry-After": asked}))
    with pytest.raises(Transient):
        SERVICES[path](cloud)
    assert pauses == [waited] * 3
