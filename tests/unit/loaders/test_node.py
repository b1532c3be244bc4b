"""What is read from the kernel: network counters and routes from stated texts, the page cache from a real file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chiops.loaders import environment, pagecache
from chiops.loaders.cache import CacheState
from chiops.loaders.network import byte_counters, interface_towards, resolve, round_trip_ms
from chiops.loaders.usage import snapshot, spent_since

NET_DEV = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0: 9000000    6000    0    0    0     0          0         0    70000     900    0    0    0     0       0          0
"""
ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
br0\t0000140A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth1\t0005140A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


def test_bytes_are_read_by_interface() -> None:
    assert byte_counters(NET_DEV) == {"lo": (100, 100), "eth0": (9_000_000, 70_000)}


@pytest.mark.parametrize(
    ("address", "interface"),
    [("8.8.8.8", "eth0"), ("10.20.1.1", "br0"), ("10.20.5.9", "eth1"), ("127.0.0.1", "lo"), ("2001:db8::1", None)],
)
def test_the_longest_prefix_decides_on_the_interface(address: str, interface: str | None) -> None:
    assert interface_towards(address, ROUTES) == interface


def test_no_route_no_interface() -> None:
    assert interface_towards("8.8.8.8", ROUTES.splitlines()[0]) is None


def test_an_endpoint_without_port_has_its_scheme_s() -> None:
    assert resolve("https://127.0.0.1") == ("127.0.0.1", 443)
    assert resolve("http://127.0.0.1:8333/") == ("127.0.0.1", 8333)
    assert resolve("http://nowhere.invalid") is None


def test_who_does_not_answer_has_no_round_trip() -> None:
    assert round_trip_ms("http://127.0.0.1:1") is None


def test_cpu_of_workers_that_have_ended_is_counted() -> None:
    before = snapshot()
    child = os.fork()
    if child == 0:
        while os.times().user < 0.05:
            pass
        os._exit(0)
    os.waitpid(child, 0)
    assert spent_since(before).cpu_s >= 0.04


def test_an_evicted_file_is_out_of_memory_and_a_read_one_in_it(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a", "b")]
    for path in files:
        path.write_bytes(os.urandom(300_000))
    pagecache.evict(files)
    share = pagecache.resident_share(files)
    if share is None or share > 0.5:
        pytest.skip("this file system keeps its pages, as one in memory does")
    pagecache.fill(files)
    assert pagecache.resident_share(files) == 1
    assert [path.stat().st_size for path in files] == [300_000, 300_000]


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        (CacheState(page_share=0.0), "cold"),
        (CacheState(page_share=0.4), "mixed"),
        (CacheState(page_share=1.0), "warm"),
        (CacheState(), "unknown"),
        (CacheState(page_share=1.0, chunk_share=0.0), "cold"),
        (CacheState(page_share=0.0, chunk_share=1.0), "warm"),
    ],
)
def test_cold_and_warm_are_what_was_measured(state: CacheState, verdict: str) -> None:
    assert state.verdict() == verdict
    assert state.as_json("cold")["verified"] is (verdict == "cold")


def test_the_environment_says_unknown_and_guesses_nothing() -> None:
    found = environment.capture(None)
    assert found["endpoint"] == found["endpoint_rtt_ms"] == "unknown"
    assert found["cores"] >= 1
    assert found["memory_bytes"] > 10**8
    assert all(found["packages"].values())
