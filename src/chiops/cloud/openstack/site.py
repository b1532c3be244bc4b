"""What the services of one site share: the connection, the facts, and what is looked up once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chiops.cloud.base import Flavor, Identity, SiteFacts
from chiops.cloud.openstack import told
from chiops.cloud.openstack.errors import translated
from chiops.cloud.openstack.turns import Turns
from chiops.errors import Ambiguous, InvalidRequest, NotFound
from chiops.names import suggestion

if TYPE_CHECKING:
    from keystoneauth1.adapter import Adapter
    from openstack.connection import Connection


class Site:
    """One signed-in connection. Safe for threads: requests share keystoneauth's session, lookups a lock.

    Args:
        facts: what is known of the site.
        connection: signs in when the first request is sent.
    """

    def __init__(self, facts: SiteFacts, connection: Connection) -> None:
        self.facts = facts
        self.conn = connection
        self._lock = threading.Lock()
        self._flavors: list[Flavor] = []
        self._first = {name: Turns() for name in ("compute", "network", "block_storage", "image", "identity")}

    def _service(self, name: str) -> Any:
        """openstacksdk's side of a service. It asks for the service's versions at first use: once, not in each thread."""
        with self._first[name].turn():
            service: Any = getattr(self.conn, name)
            if name == "compute":
                service.get_endpoint_data()  # remembered; the first requests would each ask for Nova's microversions
            return service

    @property
    def nova(self) -> Any:
        """Servers, flavors, key pairs."""
        return self._service("compute")

    @property
    def neutron(self) -> Any:
        """Networks, addresses, security groups."""
        return self._service("network")

    @property
    def cinder(self) -> Any:
        """Volumes."""
        return self._service("block_storage")

    @property
    def glance(self) -> Any:
        """Images."""
        return self._service("image")

    @property
    def keystone(self) -> Any:
        """Credentials."""
        return self._service("identity")

    @property
    def region(self) -> str:
        """The service catalogue's region."""
        return str(self.conn.config.region_name or "")

    def adapter(self, service_type: str) -> Adapter:
        """Plain HTTP at the service's address in the catalogue, without discovering versions: Blazar's newest is not the
        one that leases are made with, and Swift has none."""
        from keystoneauth1.adapter import Adapter

        return Adapter(
            self.conn.session,
            service_type=service_type,
            region_name=self.region or None,
            interface=self.conn.config.get_interface(service_type),
        )

    @contextmanager
    def doing(self, what: str, thing: str = "") -> Iterator[None]:
        """Errors in the body become ours, and name the site."""
        with translated(f"{what} at {self.facts.name}", f"{thing} at {self.facts.name}" if thing else ""):
            yield

    @cached_property
    def me(self) -> Identity:
        """Who the token is for; costs no request beyond signing in."""
        with self._lock, self.doing("signing in"):
            auth: Any = self.conn.session.auth
            access = auth.get_access(self.conn.session)
            if not access.project_id:
                from chiops.errors import Auth

                raise Auth(
                    f"signing in at {self.facts.name} gave no project",
                    todo="set project_name in clouds.yaml or OS_PROJECT_NAME",
                )
            return Identity(
                access.user_id, access.username, access.project_id, access.project_name or access.project_id
            )

    @property
    def application_credential(self) -> bool:
        """Whether we are signed in with one, which may do less than its user."""
        kind = str(self.conn.config.config.get("auth_type") or "")
        return "applicationcredential" in kind.replace("_", "")

    def flavors(self) -> Sequence[Flavor]:
        """The flavors that the project may use; reservations' own excepted. One request."""
        with self.doing("listing flavors"):
            self._flavors = [
                Flavor(
                    id=item.id,
                    name=name,
                    vcpus=told.number(item.vcpus) or 0,
                    ram_mib=told.number(item.ram) or 0,
                    disk_gib=told.number(item.disk) or 0,
                    su_per_hour=self.facts.su_per_hour.get(name),
                )
                for item in told.with_ids(self.nova.flavors(details=True))
                if not (name := told.text(item.name)).startswith("reservation:")
            ]
        return self._flavors

    def flavor(self, name_or_id: str) -> Flavor:
        """One flavor; from the last listing, if that has it.

        Raises:
            NotFound: no such flavor; names the nearest.
        """
        for look in (lambda: self._flavors, self.flavors):
            for flavor in look():
                if name_or_id in (flavor.name, flavor.id):
                    return flavor
        raise NotFound(
            f"there is no flavor {name_or_id!r} at {self.facts.name}",
            todo=suggestion(name_or_id, [flavor.name for flavor in self._flavors]),
        )

    @cached_property
    def _networks(self) -> list[Any]:
        with self._lock, self.doing("listing networks"):
            return list(self.neutron.networks())

    def network_id(self, name_or_id: str = "") -> str:
        """The network that servers join: the one asked for, the site's, or the only one there is."""
        inner = [net for net in self._networks if not net.is_router_external]
        return _pick(inner, name_or_id or self.facts.network, "network", self.facts.name)

    def external_network_id(self, name_or_id: str = "") -> str:
        """The network that floating IPs come from."""
        outer = [net for net in self._networks if net.is_router_external]
        return _pick(outer, name_or_id or self.facts.external_network, "external network", self.facts.name)


def _pick(networks: list[Any], wanted: str, noun: str, site: str) -> str:
    found = [net for net in networks if not wanted or wanted in (net.name, net.id)]
    if len(found) == 1:
        return str(found[0].id)
    names = [str(net.name) for net in networks]
    if found and not wanted:
        raise InvalidRequest(f"{site} has several {noun}s", todo=f"name one in sites.yaml: {', '.join(sorted(names))}")
    if found:
        raise Ambiguous(f"{site} has several {noun}s named {wanted}", todo="give its id in sites.yaml")
    raise NotFound(f"there is no {noun} {wanted!r} at {site}".replace(" ''", ""), todo=suggestion(wanted, names))
