"""The cloud's own view of what a run made, through a connection that is not counted: is it up, is it gone, and the broom."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from keystoneauth1.exceptions import ClientException
from openstack.connection import Connection
from openstack.exceptions import SDKException

TIMEOUT_S = 300
PAUSE_S = 0.5


def wait(check: Callable[[], bool], what: str) -> float:
    """Poll until it is so; the seconds that were waited, 0 if it was so at the first look.

    Raises:
        TimeoutError: it was not so within five minutes.
    """
    begun = time.perf_counter()
    looked = begun
    while not check():
        if time.perf_counter() - begun > TIMEOUT_S:
            raise TimeoutError(what)
        time.sleep(PAUSE_S)
        looked = time.perf_counter()
    return looked - begun


class Project:
    """The project of the credentials. A run's resources are those whose name or description has the run's own word."""

    def __init__(self, connection: Connection) -> None:
        self.conn = connection
        self.id = connection.current_project_id
        self.name = connection.current_project.name

    @property
    def _blazar(self) -> str:
        # Below this address as the catalogue has it: Blazar announces a newer version than leases are made with
        return str(self.conn.endpoint_for("reservation")).rstrip("/")

    def _leases(self, word: str) -> list[dict[str, Any]]:
        found = self.conn.session.get(f"{self._blazar}/leases").json()["leases"]
        return [it for it in found if word in it["name"]]

    def _servers(self, word: str) -> list[Any]:
        return [it for it in self.conn.compute.servers() if word in it.name]

    def _volumes(self, word: str) -> list[Any]:
        return [it for it in self.conn.block_storage.volumes() if word in (it.name or "")]

    def _groups(self, word: str) -> list[Any]:
        found = self.conn.network.security_groups(project_id=self.id)
        return [it for it in found if word in f"{it.name} {it.description}"]

    def _addresses(self, word: str) -> list[Any]:
        return [it for it in self.conn.network.ips(project_id=self.id) if word in (it.description or "")]

    def _keypairs(self, word: str) -> list[Any]:
        return [it for it in self.conn.compute.keypairs() if word in it.name]

    def is_up(self, word: str) -> bool:
        """Whether the lab is: lease active, server active with its address and both groups, volume attached to it."""
        found = [kind(word) for kind in (self._leases, self._servers, self._addresses, self._volumes)]
        if any(len(those) != 1 for those in found):
            return False
        lease, server, address, volume = (those[0] for those in found)
        ports = {port.id for port in self.conn.network.ports(device_id=server.id)}
        groups = [group["name"] for group in server.security_groups or []]
        return (
            lease["status"] == "ACTIVE"
            and server.status == "ACTIVE"
            and address.port_id in ports
            and all(any(it.startswith(name) for it in groups) for name in ("allow-ssh", "allow-8888"))
            and volume.status == "in-use"
            and volume.attachments[0]["server_id"] == server.id
        )

    def is_gone(self, word: str) -> bool:
        """Whether nothing of the run is left."""
        kinds = (self._servers, self._volumes, self._addresses, self._groups, self._keypairs, self._leases)
        return not any(kind(word) for kind in kinds)

    def sweep(self, word: str) -> None:
        """Delete what a run that failed left behind; what is gone or busy is tried again until nothing is left."""

        def gone() -> bool:
            for delete, found in (
                (self.conn.compute.delete_server, self._servers),
                (self.conn.network.delete_ip, self._addresses),
                (self.conn.block_storage.delete_volume, self._volumes),
                (lambda it: self.conn.session.delete(f"{self._blazar}/leases/{it['id']}"), self._leases),
                (self.conn.network.delete_security_group, self._groups),
                (self.conn.compute.delete_keypair, self._keypairs),
            ):
                for it in found(word):
                    with suppress(SDKException, ClientException):
                        delete(it)
            return self.is_gone(word)

        wait(gone, f"deleting what is named {word}")

    @contextmanager
    def more(self, word: str, count: int) -> Iterator[None]:
        """``count`` volumes of 1 GiB and as many security groups more, while it lasts."""
        try:
            for number in range(count):
                self.conn.block_storage.create_volume(name=f"{word}-{number}", size=1)
                self.conn.network.create_security_group(name=f"{word}-{number}")
            wait(lambda: all(it.status == "available" for it in self._volumes(word)), "volumes becoming available")
            yield
        finally:
            self.sweep(word)
