"""Neutron's part: floating IPs, and which groups a server is in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chiops.cloud.base import FloatingIp, Mark, Rule, SecurityGroup
from chiops.cloud.openstack import marks, times, told
from chiops.cloud.openstack.groups import OpenStackGroups
from chiops.cloud.openstack.once import once, word
from chiops.cloud.openstack.site import Site
from chiops.errors import Conflict, InvalidRequest


class OpenStackNetwork:
    """`base.Network` at one site."""

    def __init__(self, site: Site, groups: OpenStackGroups) -> None:
        self._site = site
        self._groups = groups

    @property
    def _neutron(self) -> Any:
        return self._site.neutron

    # Floating IPs

    def floating_ips(self) -> Sequence[FloatingIp]:
        """The project's addresses, with the servers that they lead to."""
        with self._site.doing("listing floating IPs"):
            found = told.with_ids(self._neutron.ips(project_id=self._site.me.project_id))
            if all(item.port_id is None or item.port_details for item in found):
                return [_address(item) for item in found]
            # Without Neutron's fip-port-details extension the ports say which server it is: one more request
            ports = told.with_ids(self._neutron.ports(project_id=self._site.me.project_id))
            devices = {port.id: told.text(port.device_id) for port in ports}
            return [_address(it, None if it.port_details else devices.get(told.text(it.port_id), "")) for it in found]

    def create_floating_ip(self, *, mark: Mark) -> FloatingIp:
        """Allocate an address; it is marked from the start, so that a killed run never leaks one.

        Raises:
            Quota, Capacity: the project's or the site's addresses are used up.
        """
        request = word()
        body = {
            "floating_network_id": self._site.external_network_id(),
            "description": marks.description("", mark, request),
        }

        def make() -> FloatingIp:
            with self._site.doing("allocating a floating IP"):
                return _address(self._neutron.create_ip(**body))

        def find() -> FloatingIp | None:
            with self._site.doing("listing floating IPs"):
                found = list(self._neutron.ips(description=body["description"]))
            return next((_address(item) for item in found if item.description == body["description"]), None)

        return once(make, find, what="the floating IP")

    def bind_floating_ip(self, floating_ip_id: str, server_id: str) -> FloatingIp:
        """Have the address lead to the server's port on the site's network.

        Raises:
            Conflict: it leads to another server, or the server has an address already.
        """
        address = self._get(floating_ip_id)
        if address.server_id == server_id:
            return address
        if address.server_id:
            raise Conflict(
                f"the address {address.address} is bound to another server",
                why=address.server_id,
                todo="unbind it first",
            )
        return self._point(floating_ip_id, self._port(server_id), server_id)

    def unbind_floating_ip(self, floating_ip_id: str) -> FloatingIp:
        """Have the address lead nowhere; it stays the project's."""
        return self._point(floating_ip_id, None, "")

    def delete_floating_ip(self, floating_ip_id: str) -> None:
        """Give the address back."""
        with self._site.doing(f"releasing the floating IP {floating_ip_id}", f"floating IP {floating_ip_id}"):
            self._neutron.delete_ip(floating_ip_id, ignore_missing=False)

    def _get(self, floating_ip_id: str) -> FloatingIp:
        with self._site.doing(f"reading the floating IP {floating_ip_id}", f"floating IP {floating_ip_id}"):
            item = self._neutron.get_ip(floating_ip_id)
            if item.port_id and not item.port_details:
                return _address(item, told.text(self._neutron.get_port(item.port_id).device_id))
            return _address(item)

    def _point(self, floating_ip_id: str, port_id: str | None, server_id: str) -> FloatingIp:
        with self._site.doing(f"binding the floating IP {floating_ip_id}", f"floating IP {floating_ip_id}"):
            return _address(self._neutron.update_ip(floating_ip_id, port_id=port_id), server_id)

    def _ports(self, server_id: str) -> list[Any]:
        with self._site.doing(f"reading the ports of the server {server_id}", f"server {server_id}"):
            ports = list(self._neutron.ports(device_id=server_id))
            if not ports:
                self._site.nova.get_server(server_id)
        return ports

    def _port(self, server_id: str) -> str:
        """The server's port on the site's network, or its only one."""
        ports = [port for port in self._ports(server_id) if _has_ipv4(port)]
        if len(ports) > 1:
            network_id = self._site.network_id()
            ports = [port for port in ports if port.network_id == network_id]
        if not ports:
            raise InvalidRequest(
                f"the server {server_id} has no port that a floating IP could lead to",
                todo="wait until it is active, or check the site's network in sites.yaml",
            )
        return str(ports[0].id)

    # Security groups

    def security_groups(self) -> Sequence[SecurityGroup]:
        """The project's security groups with their rules."""
        return self._groups.list()

    def create_security_group(self, name: str, *, description: str, mark: Mark) -> SecurityGroup:
        """A group that lets nothing in yet."""
        return self._groups.create(name, description=description, mark=mark)

    def add_rule(self, group_id: str, rule: Rule) -> None:
        """Let something in."""
        self._groups.add_rule(group_id, rule)

    def remove_rule(self, group_id: str, rule: Rule) -> None:
        """Stop letting it in."""
        self._groups.remove_rule(group_id, rule)

    def delete_security_group(self, group_id: str) -> None:
        """Delete a group that no server uses."""
        self._groups.delete(group_id)

    def server_groups(self, server_id: str) -> Sequence[str]:
        """The ids of the groups that any of the server's ports is in; Nova would tell names alone, which several may bear."""
        return list(dict.fromkeys(id_ for port in self._ports(server_id) for id_ in port.security_group_ids or ()))

    def set_server_groups(self, server_id: str, groups: Sequence[str]) -> None:
        """Put the server's ports into these groups and no others, in one request per port: never a moment without any.

        Raises:
            NotFound: no such server, or no such group; nothing is changed.
            Ambiguous: several groups bear a name, and not just one of them has the server's mark.
        """
        with self._site.doing(f"reading the server {server_id}", f"server {server_id}"):
            metadata = told.words(self._site.nova.get_server(server_id).metadata)
        ids = self._groups.ids(groups, Mark.from_metadata(metadata))
        for port in self._ports(server_id):
            with self._site.doing(f"setting the security groups of the server {server_id}"):
                self._neutron.update_port(port.id, security_groups=ids)


def _address(item: Any, server_id: str | None = None) -> FloatingIp:
    if server_id is None:
        server_id = told.text(told.mapping(item.port_details).get("device_id")) if item.port_id else ""
    address = told.text(item.floating_ip_address)
    return FloatingIp(
        id=told.text(item.id),
        name=address,
        status=told.text(item.status),
        mark=Mark.from_text(told.text(item.description)),
        created=times.parse(item.created_at),
        address=address,
        server_id=server_id,
        reservation_id=_reservation(item.tags),
    )


def _reservation(tags: object) -> str:
    """Which reservation an address was made for: Blazar's word is two tags, ``blazar`` and ``reservation:ID``."""
    words = [told.text(tag) for tag in tags] if isinstance(tags, list | tuple) else []
    found = [word.removeprefix("reservation:") for word in words if word.startswith("reservation:")]
    return found[0] if "blazar" in words and found else ""


def _has_ipv4(port: Any) -> bool:
    return any("." in told.text(fixed.get("ip_address")) for fixed in told.mappings(port.fixed_ips))
