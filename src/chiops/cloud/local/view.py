"""Servers as the cloud interface shows them: what Docker says of their containers, and the database of what belongs to them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chiops.cloud.base import Lease, Reservation, Server, State
from chiops.cloud.local import containers
from chiops.cloud.local.docker_api import translated
from chiops.cloud.local.network import LocalNetwork
from chiops.cloud.local.node import Spec
from chiops.cloud.local.shelf import Shelf
from chiops.errors import Capacity, CloudError, NotFound

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite

_REBUILD = ".rebuild.json"
_CLEAN_EXITS = ("0", "130", "143")
"""How init ends when it is asked to: powered off from inside, or stopped."""
_KILLED = "it was killed"


@dataclass(frozen=True, slots=True)
class _Links:
    """What the database says of servers, by their ids."""

    floating: Mapping[str, str]
    groups: Mapping[str, tuple[str, ...]]
    volumes: Mapping[str, tuple[str, ...]]


class View:
    """Looks at servers; changes nothing."""

    def __init__(self, site: LocalSite, network: LocalNetwork) -> None:
        self._site = site
        self._network = network
        self._shelf = Shelf(site)

    def servers(self) -> list[Server]:
        """All servers, in the order they were made."""
        found = sorted(self.found(), key=lambda item: item[0].created)
        links = self._links()
        return [self._server(spec, container, links) for spec, container in found]

    def server(self, server_id: str) -> Server:
        """One server.

        Raises:
            NotFound: there is none of this id.
        """
        for spec, container in self.found():
            if spec.id == server_id:
                return self._server(spec, container, self._links())
        raise NotFound(f"No server {server_id} at the local site")

    def found(self) -> Iterator[tuple[Spec, Mapping[str, Any]]]:
        """Every server with its container; one that is just being rebuilt has none."""
        seen = set()
        for container in containers.every(self._site):
            # what bears our labels but not our spec is not a server, and must not keep the others from being listed
            with suppress(KeyError, ValueError, TypeError):
                spec = Spec.from_container(container)
                seen.add(spec.id)
                yield spec, container
        for file in self._site.nodes_dir.glob(f"*{_REBUILD}"):
            with suppress(OSError, ValueError, TypeError):
                spec = Spec.from_json(file.read_text(encoding="utf-8"))
                if spec.id not in seen:
                    yield spec, {"State": "rebuilding", "Id": ""}

    def require_room(self, lease: Lease, reservation: Reservation, name: str) -> None:
        """Raise Capacity if a reservation has no room for another server."""
        used = [spec.name for spec, _ in self.found() if spec.reservation_id == reservation.id]
        if len(used) >= reservation.amount:
            raise Capacity(
                f"Lease {lease.name} has no room for server {name}",
                why=f"its {reservation.amount} × {reservation.flavor_name} are used by {', '.join(used)}",
            )

    def _links(self) -> _Links:
        floating = {found.server_id: found.address for found in self._network.addresses.floating()}
        volumes: dict[str, tuple[str, ...]] = {}
        for row in self._shelf.all():
            volumes[row["server_id"]] = (*volumes.get(row["server_id"], ()), row["id"])
        return _Links(floating, self._network.groups.names_by_server(), volumes)

    def _server(self, spec: Spec, container: Mapping[str, Any], links: _Links) -> Server:
        status, state, fault = self.status(container)
        return Server(
            id=spec.id,
            name=spec.name,
            status=status,
            state=state,
            fault=fault,
            mark=spec.mark,
            created=datetime.fromisoformat(spec.created),
            flavor=spec.flavor,
            image=spec.image,
            keypair=spec.keypair,
            lease_id=spec.lease_id,
            fixed_address=spec.address,
            floating_address=links.floating.get(spec.id, ""),
            security_groups=links.groups.get(spec.id, ()),
            volumes=links.volumes.get(spec.id, ()),
            metadata=spec.metadata,
        )

    def status(self, container: Mapping[str, Any]) -> tuple[str, State, str]:
        """Nova's word, its meaning, and the fault if it failed."""
        word = container["State"]
        simple = {
            "created": ("BUILD", State.PENDING),
            "running": ("ACTIVE", State.READY),
            "restarting": ("REBOOT", State.PENDING),
            "rebuilding": ("REBUILD", State.PENDING),
            "removing": ("DELETING", State.DELETING),
            "paused": ("PAUSED", State.STOPPED),
        }
        if word in simple:
            return *simple[word], ""
        code = re.search(r"Exited \((\d+)\)", container.get("Status", ""))
        if word == "exited" and code and code.group(1) in _CLEAN_EXITS:
            return "SHUTOFF", State.STOPPED, ""
        fault = self._fault(container["Id"], code.group(1) if code else "")
        if word == "exited" and fault == _KILLED:
            # As when the power is cut: its disk is whole, and it can be started again.
            return "SHUTOFF", State.STOPPED, fault
        return "ERROR", State.FAILED, fault

    def _fault(self, container_id: str, code: str) -> str:
        with suppress(CloudError), translated("Looking at a server"):
            state = self._site.engine.client().api.inspect_container(container_id)["State"]
            if state.get("OOMKilled"):
                return "it ran out of memory and was killed"
            if state.get("Error"):
                return str(state["Error"])
        return _KILLED if code == "137" else f"its init process ended with {code or 'an unknown code'}"

    def rebuild_file(self, server_id: str) -> Path:
        """Where a server's new spec lies while it is being rebuilt, and has no container."""
        return self._site.nodes_dir / f"{server_id}{_REBUILD}"
