"""Which network interface carries a pipeline's bytes, what it counted, and how far the object store is."""

from __future__ import annotations

import ipaddress
import socket
import statistics
import time
from pathlib import Path
from urllib.parse import urlsplit


def byte_counters(text: str | None = None) -> dict[str, tuple[int, int]]:
    """Bytes received and sent by interface, from ``/proc/net/dev``: the whole network namespace's, other traffic included."""
    counters = {}
    for line in (Path("/proc/net/dev").read_text() if text is None else text).splitlines()[2:]:
        name, _, numbers = line.partition(":")
        fields = numbers.split()
        if len(fields) >= 9:
            counters[name.strip()] = (int(fields[0]), int(fields[8]))
    return counters


def interface_towards(address: str, table: str | None = None) -> str | None:
    """The interface that the kernel's IPv4 routes choose for ``address``: the longest matching prefix; None if none match."""
    target = ipaddress.ip_address(address)
    if target.is_loopback:
        return "lo"  # never in this table
    if target.version != 4:
        return None
    best: tuple[int, str] | None = None
    for line in (Path("/proc/net/route").read_text() if table is None else table).splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8:
            continue
        # The numbers are in the byte order of the machine, as a little-endian one prints them.
        network, mask = (int.from_bytes(bytes.fromhex(fields[place]), "little") for place in (1, 7))
        if int(target) & mask == network and (best is None or mask.bit_count() > best[0]):
            best = (mask.bit_count(), fields[0])
    return best[1] if best else None


def resolve(url: str) -> tuple[str, int] | None:
    """Address and port of an endpoint; None if its name does not resolve."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        address = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)[0][4]
    except OSError:
        return None
    return str(address[0]), port


def round_trip_ms(url: str, *, tries: int = 5) -> float | None:
    """Median time to open a TCP connection to the endpoint, name resolution excluded; None if it does not answer."""
    place = resolve(url)
    if place is None:
        return None
    times = []
    for _ in range(tries):
        begun = time.perf_counter()
        try:
            socket.create_connection(place, timeout=5).close()
        except OSError:
            return None
        times.append(1000 * (time.perf_counter() - begun))
    return round(statistics.median(times), 3)
