"""An OpenStack site as a cloud: its services put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from chiops.cloud.base import Check, Quota, SiteFacts
from chiops.cloud.openstack.compute import OpenStackCompute
from chiops.cloud.openstack.groups import OpenStackGroups
from chiops.cloud.openstack.identity import OpenStackIdentity
from chiops.cloud.openstack.leases import OpenStackLeases
from chiops.cloud.openstack.network import OpenStackNetwork
from chiops.cloud.openstack.objects import OpenStackObjects
from chiops.cloud.openstack.signin import sign_in
from chiops.cloud.openstack.site import Site
from chiops.cloud.openstack.volumes import OpenStackVolumes


def connect(facts: SiteFacts) -> OpenStackCloud:
    """A connection to the site of these facts; it signs in with the first request.

    Raises:
        Auth: there are no credentials for the site.
    """
    return OpenStackCloud(facts)


class OpenStackCloud:
    """`base.Cloud` at one OpenStack site."""

    def __init__(self, facts: SiteFacts) -> None:
        self._site = Site(facts, sign_in(facts))
        groups = OpenStackGroups(self._site)
        self._leases = OpenStackLeases(self._site)
        self._network = OpenStackNetwork(self._site, groups)
        self._compute = OpenStackCompute(self._site, self._leases, groups, self._network)
        self._volumes = OpenStackVolumes(self._site)
        self._objects = OpenStackObjects(self._site)
        self._identity = OpenStackIdentity(self._site)

    @property
    def site(self) -> str:
        """The site's name."""
        return self._site.facts.name

    @property
    def leases(self) -> OpenStackLeases:
        """Blazar."""
        return self._leases

    @property
    def compute(self) -> OpenStackCompute:
        """Nova and Glance."""
        return self._compute

    @property
    def network(self) -> OpenStackNetwork:
        """Neutron."""
        return self._network

    @property
    def volumes(self) -> OpenStackVolumes:
        """Cinder."""
        return self._volumes

    @property
    def objects(self) -> OpenStackObjects:
        """Swift, or Ceph's gateway."""
        return self._objects

    @property
    def identity(self) -> OpenStackIdentity:
        """Keystone."""
        return self._identity

    @property
    def node_settings(self) -> Mapping[str, object]:
        """The site's variables for the playbooks, as sites.yaml has them, and this machine's package settings if it says so."""
        from chiops.cloud import handover

        facts = self._site.facts
        return {**facts.node_settings, **(handover.as_variables() if facts.hand_over_packages else {})}

    def prepare(self) -> None:
        """Make sure that we are signed in; the site itself is always there."""
        _ = self._site.me

    def check(self) -> Sequence[Check]:
        """What `chiops doctor` asks: sign-in, roles, services, quotas, clocks."""
        from chiops.cloud.openstack.checks import check

        return check(self._site)

    def quotas(self) -> Sequence[Quota]:
        """What Nova, Cinder and Neutron let the project have."""
        from chiops.cloud.openstack.checks import quotas

        return quotas(self._site)

    def close(self) -> None:
        """Let go of the connections; the token stays valid until it expires by itself."""
        self._site.conn.session.session.close()
        self._site.conn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
