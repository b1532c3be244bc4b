"""Where a site's network lies."""

from __future__ import annotations

from ipaddress import IPv4Network

from hypothesis import given, settings
from hypothesis import strategies as st

from chiops.cloud.local.subnet import PREFIX, Subnet, choose, routed

POOL = IPv4Network("172.16.0.0/12")
ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def test_routes_of_this_machine_are_read_without_the_default_one() -> None:
    assert routed(ROUTES) == [IPv4Network("192.0.2.0/24"), IPv4Network("172.17.0.0/16")]


@settings(deadline=None)
@given(st.text(min_size=1), st.lists(st.integers(0, 255), max_size=200))
def test_the_chosen_network_overlaps_nothing(seed: str, taken: list[int]) -> None:
    busy = [IPv4Network((int(POOL.network_address) + (index << 12), 20)) for index in taken]
    chosen = choose(POOL, busy, seed)
    assert chosen is not None
    assert chosen.subnet_of(POOL)
    assert chosen.prefixlen == PREFIX
    assert not any(chosen.overlaps(other) for other in busy)


def test_a_site_finds_the_same_network_again() -> None:
    assert choose(POOL, [], "a site") == choose(POOL, [], "a site")


def test_a_full_pool_has_none() -> None:
    assert choose(POOL, [POOL], "a site") is None
    assert choose(IPv4Network("10.0.0.0/20"), [IPv4Network("10.0.3.0/24")], "a site") is None


def test_addresses_of_servers_and_floating_ones_never_meet() -> None:
    subnet = Subnet(IPv4Network("10.0.0.0/20"), "bridge")
    fixed, floating = set(subnet.fixed()), set(subnet.floating())
    special = {subnet.gateway, subnet.s3_address, "10.0.0.0", "10.0.15.255"}
    assert (subnet.gateway, subnet.s3_address) == ("10.0.0.1", "10.0.0.2")
    assert min(len(fixed), len(floating)) > 2000
    assert not fixed & floating
    assert not {address for address in floating if address.endswith((".0", ".255"))}
    assert not (fixed | floating) & special
