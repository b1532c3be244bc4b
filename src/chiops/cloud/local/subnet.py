"""The network of the site: one bridge, its addresses, and its way out to the world."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chiops.cloud.local import agent, packages
from chiops.cloud.local.docker_api import translated
from chiops.cloud.local.locks import locked
from chiops.errors import Capacity, CloudError, InvalidRequest

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite

POOL = "172.16.0.0/12"
"""Where a site takes its network from, unless the environment's CHIOPS_LOCAL_POOL names another."""
PREFIX = 20
"""Size of a site's network: half of its 4096 addresses for servers, half floating."""
_ROUTES = Path("/proc/net/route")
_RESERVED = 10


@dataclass(frozen=True, slots=True)
class Subnet:
    """The addresses of a site's network: lower half for servers, upper half floating."""

    network: IPv4Network
    bridge: str

    @property
    def gateway(self) -> str:
        """This machine's address on the network."""
        return str(self.network[1])

    @property
    def s3_address(self) -> str:
        """Where the S3 server listens."""
        return str(self.network[2])

    def fixed(self) -> Iterator[str]:
        """Addresses that servers may have, in order."""
        lower = next(self.network.subnets())
        return (str(lower[index]) for index in range(_RESERVED, lower.num_addresses))

    def floating(self) -> Iterator[str]:
        """Addresses that may float, in order; none that looks like a network's or a broadcast address."""
        _, upper = self.network.subnets()
        return (str(address) for address in upper if address.packed[3] not in (0, 255))


def ensure(site: LocalSite) -> Subnet:
    """The site's network, made if it is not there; with an own daemon also its way out.

    Raises:
        Capacity: no free network is left in the pool.
        InvalidRequest: the pool is not an IPv4 network of at least `PREFIX`.
    """
    client = site.engine.client()
    with locked(site.root / "network.lock"), translated("Making the site's network"):
        found = client.api.networks(filters=site.filters("network"))
        subnet = _from_docker(found[0]) if found else _create(site, client)
        if site.engine.own:
            _masquerade(site.network_name, subnet)
            agent.ensure(site)
        return subnet


def existing(site: LocalSite) -> Subnet | None:
    """The site's network if it is there; starts and makes nothing."""
    if (client := site.engine.running()) is None:
        return None
    with translated("Looking for the site's network"):
        found = client.api.networks(filters=site.filters("network"))
        return _from_docker(found[0]) if found else None


def remove(site: LocalSite) -> None:
    """Remove the network and its way out, if they are there."""
    if (client := site.engine.running()) is not None:
        with translated("Removing the site's network"):
            for network in client.api.networks(filters=site.filters("network")):
                client.api.remove_network(network["Id"])
    remove_remains(site)


def remove_remains(site: LocalSite) -> None:
    """Remove the way out, and the bridge with what hangs on it if Docker did not."""
    if packages.find("nft"):
        table = _table(site.network_name)
        _nft(f"table ip {table} {{}}\ndelete table ip {table}\n", check=False)
    ports = Path(f"/sys/class/net/{site.network_name}/brif")
    for port in [*(entry.name for entry in ports.glob("*")), site.network_name]:
        if Path(f"/sys/class/net/{port}").exists():
            subprocess.run([packages.find("ip") or "ip", "link", "delete", port], capture_output=True, check=False)


def choose(pool: IPv4Network, taken: Iterable[IPv4Network], seed: str) -> IPv4Network | None:
    """A network of `PREFIX` within ``pool`` that overlaps none of ``taken``; ``seed`` decides where the search begins."""
    busy = list(taken)
    count = 1 << (PREFIX - pool.prefixlen)
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) % count
    size = 1 << (32 - PREFIX)
    for step in range(count):
        index = (start + step) % count
        candidate = IPv4Network((int(pool.network_address) + index * size, PREFIX))
        if not any(candidate.overlaps(other) for other in busy):
            return candidate
    return None


def routed(table: str) -> list[IPv4Network]:
    """The networks that a routing table in the form of /proc/net/route leads to, without the default route."""
    networks = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8:
            continue
        address, mask = (IPv4Address(int.from_bytes(bytes.fromhex(fields[i]), "little")) for i in (1, 7))
        if int(mask):
            networks.append(IPv4Network((int(address), bin(int(mask)).count("1")), strict=False))
    return networks


def _create(site: LocalSite, client: Any) -> Subnet:
    from docker.types import IPAMConfig, IPAMPool

    pool = _pool()
    taken = routed(_ROUTES.read_text(encoding="ascii"))
    taken += [net for other in client.api.networks() for net in _subnets(other)]
    row = site.store.row("SELECT value FROM settings WHERE name = 'network'")
    before = IPv4Network(row["value"]) if row else None
    if before and before.subnet_of(pool) and not any(before.overlaps(other) for other in taken):
        network = before
    elif (chosen := choose(pool, taken, site.id)) is not None:
        network = chosen
    else:
        raise Capacity(
            f"No free /{PREFIX} network is left in {pool} for the local site",
            todo="free one, or name another pool in CHIOPS_LOCAL_POOL",
        )
    subnet = Subnet(network, site.network_name)
    client.api.create_network(
        site.network_name,
        driver="bridge",
        check_duplicate=True,
        labels=site.labels("network"),
        options={"com.docker.network.bridge.name": subnet.bridge, "com.docker.network.bridge.enable_icc": "true"},
        ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=str(network), gateway=subnet.gateway)]),
    )
    site.store.execute("INSERT OR REPLACE INTO settings VALUES ('network', ?)", (str(network),))
    return subnet


def _pool() -> IPv4Network:
    text = os.environ.get("CHIOPS_LOCAL_POOL", POOL)
    try:
        pool = IPv4Network(text)
    except ValueError as error:
        raise InvalidRequest("CHIOPS_LOCAL_POOL is not an IPv4 network", why=str(error)) from error
    if pool.prefixlen > PREFIX:
        raise InvalidRequest(f"CHIOPS_LOCAL_POOL ({pool}) is too small", todo=f"name one of at least a /{PREFIX}")
    return pool


def _subnets(network: dict[str, Any]) -> list[IPv4Network]:
    configs = (network.get("IPAM") or {}).get("Config") or []
    return [IPv4Network(config["Subnet"]) for config in configs if ":" not in config.get("Subnet", ":")]


def _from_docker(network: dict[str, Any]) -> Subnet:
    return Subnet(_subnets(network)[0], network["Name"])


def _table(network_name: str) -> str:
    return network_name.replace("-", "_")


def _masquerade(network_name: str, subnet: Subnet) -> None:
    """Our own daemon leaves the firewall alone, so the way out is a table of ours, replaced as a whole."""
    table = _table(network_name)
    _nft(
        f"table ip {table} {{}}\ndelete table ip {table}\n"
        f"table ip {table} {{\n chain out {{\n  type nat hook postrouting priority srcnat;\n"
        f'  ip saddr {subnet.network} oifname != "{subnet.bridge}" masquerade\n }}\n}}\n'
    )


def _nft(rules: str, *, check: bool = True) -> None:
    nft = packages.find("nft") or "nft"
    done = subprocess.run([nft, "-f", "-"], input=rules, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise CloudError(
            "The local site's network has no way out", why=done.stderr.strip().splitlines()[0] if done.stderr else ""
        )
