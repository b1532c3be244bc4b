"""The local site as a cloud: its services put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from chiops.cloud.base import Check, Quota
from chiops.cloud.local import idle
from chiops.cloud.local.identity import LocalIdentity
from chiops.cloud.local.leases import LocalLeases
from chiops.cloud.local.network import LocalNetwork
from chiops.cloud.local.objects import LocalObjects
from chiops.cloud.local.servers import LocalCompute
from chiops.cloud.local.site import LocalSite
from chiops.cloud.local.volumes import LocalVolumes


class LocalCloud:
    """`base.Cloud` on this machine. Opening it starts nothing; the first request that needs Docker does.

    While it is open no other process puts the site to sleep. When the last one closes and the site has neither servers nor
    active leases, everything that runs is stopped; data stays.
    """

    def __init__(self, root: Path | None = None, cache: Path | None = None, *, session: bool = True) -> None:
        """Open the site; ``session`` is off for the agent, whose look at the site must not keep it awake."""
        self._local = LocalSite(root, cache)
        if session:
            self._local.session.acquire(shared=True)
        try:
            self._identity = LocalIdentity(self._local)
            self._network = LocalNetwork(self._local)
            self._volumes = LocalVolumes(self._local)
            self._objects = LocalObjects(self._local, self._identity)
            self._compute = LocalCompute(self._local, self._network)
            self._leases = LocalLeases(self._local, self._compute)
            if session:
                idle.catch_up(self._local, self._compute, self._leases)
        except BaseException:
            self._local.session.release()
            raise

    @property
    def site(self) -> str:
        """Always ``local``."""
        return "local"

    @property
    def local(self) -> LocalSite:
        """What only the local site has: paths, labels, ``node_settings``."""
        return self._local

    @property
    def node_settings(self) -> Mapping[str, object]:
        """Where base image and packages of containers on a node come from; see `image.node_settings`."""
        return self._local.node_settings

    @property
    def leases(self) -> LocalLeases:
        """Leases, enforced by `agent` when no chiops runs."""
        return self._leases

    @property
    def compute(self) -> LocalCompute:
        """Servers, as system containers."""
        return self._compute

    @property
    def network(self) -> LocalNetwork:
        """Floating IPs and security groups."""
        return self._network

    @property
    def volumes(self) -> LocalVolumes:
        """Volumes, as sparse files on loop devices."""
        return self._volumes

    @property
    def objects(self) -> LocalObjects:
        """Buckets, of a real S3 server."""
        return self._objects

    @property
    def identity(self) -> LocalIdentity:
        """The one user of the site, and its S3 keys."""
        return self._identity

    def prepare(self) -> None:
        """Install and start what the site needs and build its images, with progress; quick when all is there."""
        from chiops.cloud.local.prepare import prepare

        prepare(self._local)

    def check(self) -> Sequence[Check]:
        """What `chiops doctor` asks; starts nothing."""
        from chiops.cloud.local.prepare import check

        return check(self._local)

    def quotas(self) -> Sequence[Quota]:
        """None: what this machine has is the limit."""
        return ()

    def close(self) -> None:
        """Let go of the site; the last one out of an idle site stops what runs."""
        if self._local.session.held:
            self._local.session.release()
            if not self.sleep_if_idle():
                idle.stay_minded(self._local, self._leases)

    def sleep_if_idle(self) -> bool:
        """Stop all that runs if nothing and nobody needs it; whether the site sleeps now."""
        return idle.sleep_if_idle(self._local, self._leases)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
