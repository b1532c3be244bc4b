"""The fast cloud: its services put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from chiops.cloud.base import Check, Quota, SiteFacts
from tests.support.fast_cloud.compute import FastCompute
from tests.support.fast_cloud.leases import FastLeases
from tests.support.fast_cloud.network import FastNetwork
from tests.support.fast_cloud.objects import FastIdentity, FastObjects
from tests.support.fast_cloud.s3_http import S3Http
from tests.support.fast_cloud.volumes import FastVolumes
from tests.support.fast_cloud.world import World
from tests.support.watched import Watch, unwatched

SITE = "fast"
FACTS = SiteFacts(name=SITE, cloud="openstack", network="shared", max_lease_days=7)


class FastCloud:
    """`base.Cloud` in the file ``path``; ``user`` is the member of its one project who signs in, ``watch`` sees S3's changes."""

    def __init__(self, path: Path, *, user: str = "me", watch: Watch = unwatched) -> None:
        self.world = World(path, user)
        self._s3 = S3Http(self.world.store, watch)
        self.site = SITE
        self.node_settings: Mapping[str, object] = {}
        self.leases = FastLeases(self.world)
        self.compute = FastCompute(self.world)
        self.network = FastNetwork(self.world)
        self.volumes = FastVolumes(self.world)
        self.objects = FastObjects(self.world, self._s3)
        self.identity = FastIdentity(self.world)

    def prepare(self) -> None:
        """The site is always there."""

    def check(self) -> Sequence[Check]:
        return [Check("site fast", "ok", str(self.world.path))]

    def quotas(self) -> Sequence[Quota]:
        return ()

    def close(self) -> None:
        self._s3.close()
        self.world.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
