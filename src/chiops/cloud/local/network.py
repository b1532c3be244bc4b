"""Floating addresses and security groups of the local site: what the database says, the nodes do.

Both are kept as files in the node's folder, which the node reads when it starts; a running node is told at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from chiops import files
from chiops.cloud.base import FloatingIp, Mark, Rule, SecurityGroup
from chiops.cloud.local import containers, ingress
from chiops.cloud.local.addresses import Addresses
from chiops.cloud.local.groups import Groups
from chiops.cloud.local.locks import locked
from chiops.errors import NotFound

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite

_APPLY_GROUPS = ["nft", "-f", "/etc/chiops-site/ingress.nft"]
# Floating addresses are the /32 ones; neighbours are told, or they would ask the former holder until their memory fades
_APPLY_ADDRESSES = """
for there in $(ip -4 -o address show dev eth0 | sed -n 's/.* inet \\([0-9.]*\\)\\/32 .*/\\1/p'); do
  grep -qx "$there" /etc/chiops-site/addresses || ip address del "$there/32" dev eth0
done
while read -r address; do
  ip -4 -o address show dev eth0 | grep -q " inet $address/32 " && continue
  ip address add "$address/32" dev eth0
  arping -q -c 1 -U -I eth0 "$address"
done </etc/chiops-site/addresses
"""


class LocalNetwork:
    """`base.Network` at the local site."""

    def __init__(self, site: LocalSite) -> None:
        self._site = site
        self.groups = Groups(site.store)
        self.addresses = Addresses(site.store)

    def floating_ips(self) -> Sequence[FloatingIp]:
        """All floating addresses."""
        return self.addresses.floating()

    def create_floating_ip(self, *, mark: Mark) -> FloatingIp:
        """A floating address, bound to nothing."""
        return self.addresses.create(self._site.subnet().floating(), mark)

    def bind_floating_ip(self, floating_ip_id: str, server_id: str) -> FloatingIp:
        """Have a server answer at the address."""
        containers.one(self._site, server_id)
        address = self.addresses.bind(floating_ip_id, server_id)
        self._apply_addresses(server_id)
        return address

    def unbind_floating_ip(self, floating_ip_id: str) -> FloatingIp:
        """Have the address answer no more; fine if it is not bound."""
        address, server_id = self.addresses.unbind(floating_ip_id)
        self._apply_addresses(server_id)
        return address

    def delete_floating_ip(self, floating_ip_id: str) -> None:
        """Unbind the address and give it back."""
        _, server_id = self.addresses.delete(floating_ip_id)
        self._apply_addresses(server_id)

    def security_groups(self) -> Sequence[SecurityGroup]:
        """All groups."""
        return self.groups.every()

    def create_security_group(self, name: str, *, description: str, mark: Mark) -> SecurityGroup:
        """A group that opens nothing yet."""
        return self.groups.create(name, description, mark)

    def add_rule(self, group_id: str, rule: Rule) -> None:
        """Open what the rule says on every server in the group."""
        self.groups.add_rule(group_id, rule)
        self._apply_to_members(group_id)

    def remove_rule(self, group_id: str, rule: Rule) -> None:
        """Close what the rule opened, unless another group of a server opens it too."""
        self.groups.remove_rule(group_id, rule)
        self._apply_to_members(group_id)

    def delete_security_group(self, group_id: str) -> None:
        """Delete a group that no server is in."""
        self._forget_gone_servers()
        self.groups.delete(group_id)

    def server_groups(self, server_id: str) -> Sequence[str]:
        """The ids of a server's groups."""
        containers.one(self._site, server_id)
        return self.groups.of(server_id)

    def set_server_groups(self, server_id: str, groups: Sequence[str]) -> None:
        """Put a server into exactly these groups."""
        containers.one(self._site, server_id)
        self.groups.assign(server_id, self.groups.resolve(groups))
        self._apply_groups(server_id)

    def write_node_files(self, server_id: str) -> None:
        """Write what a node reads when it starts: its rules and its floating addresses."""
        folder = self._site.node_dir(server_id)
        files.replace(folder / "ingress.nft", ingress.render(self.groups.rules_for(server_id)))
        files.replace(
            folder / "addresses", "".join(f"{address}\n" for address in self.addresses.floating_of(server_id))
        )

    def forget_server(self, server_id: str) -> None:
        """A server is gone: it is in no group and has no address any more."""
        self.groups.assign(server_id, [])
        self.addresses.forget_server(server_id)

    def _apply_to_members(self, group_id: str) -> None:
        for server_id in self.groups.members(group_id):
            self._apply_groups(server_id)

    def _apply_groups(self, server_id: str) -> None:
        self._apply(server_id, _APPLY_GROUPS)

    def _apply_addresses(self, server_id: str) -> None:
        if server_id:
            self._apply(server_id, ["sh", "-c", _APPLY_ADDRESSES])

    def _apply(self, server_id: str, command: list[str]) -> None:
        """One at a time per server, each with the newest state, so that concurrent changes all arrive."""
        if not self._site.node_dir(server_id).exists():
            return
        with suppress(NotFound), locked(self._site.node_lock(server_id, "network")):
            container = containers.one(self._site, server_id)
            self.write_node_files(server_id)
            if containers.is_running(container):
                containers.run(self._site, server_id, command)

    def _forget_gone_servers(self) -> None:
        """A server that was deleted while we were killed still counts as a member; ask Docker which ones there are."""
        there = containers.server_ids(self._site)
        for server_id in set(self.groups.names_by_server()) - there:
            if not self._site.node_dir(server_id).exists():
                self.forget_server(server_id)
