"""A lab comes up and goes down at a real OpenStack while a proxy loses, delays, cuts and repeats what is said.

Needs OS_CLOUD, with endpoints that speak plain HTTP. CHIOPS_TEST_ROUNDS says how many rounds, each with a seed of its own from
CHIOPS_TEST_SEED on; CHIOPS_TEST_OBJECT_CLOUD may name a second region for the buckets.
"""

from __future__ import annotations

import os
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from chiops.cloud.base import Cloud, Mark
from chiops.cloud.openstack.cloud import connect
from chiops.cloud.openstack.entries import facts_of
from chiops.cloud.sites import sites
from chiops.resources.kind import Seen, observe
from tests.support.cli import Done
from tests.support.faulty_proxy import Fault, by_seed, serving
from tests.support.forge import Forge
from tests.support.runs import UNKNOWN_LAB
from tests.support.target import FLAVOR

OS_CLOUD = os.environ.get("OS_CLOUD", "")
OBJECT_CLOUD = os.environ.get("CHIOPS_TEST_OBJECT_CLOUD", "")
ROUNDS = int(os.environ.get("CHIOPS_TEST_ROUNDS", "3"))
SEED = int(os.environ.get("CHIOPS_TEST_SEED", "1"))
SITE = "under-test"
RATES = (0.02, 0.05, 0.1)
TRIES = 3
LONGEST_S = 900.0
KINDS = ("leases", "keypairs", "servers", "floating_ips", "security_groups", "volumes", "buckets", "credentials")

pytestmark = [
    pytest.mark.openstack,
    pytest.mark.timeout(0),
    pytest.mark.skipif(not OS_CLOUD, reason="openstack: left out, OS_CLOUD is not set"),
]


@dataclass
class Rounds:
    """A folder with a lab's file and sites, and a process to run commands in it, each through a proxy of its own."""

    folder: Path
    forge: Forge
    name: str
    figures: Counter[str]

    def run(self, argv: tuple[str, ...], proxy: str = "") -> Done:
        """Run a command; it ends in time, well or with one sentence."""
        done = self.forge.run(self.folder, "tests.support.proxied:install", {"proxy": proxy}, *argv)
        assert done.code in (0, 1, UNKNOWN_LAB), str(done)
        assert "Traceback" not in done.out + done.err, str(done)
        errors = [line for line in done.err.splitlines() if line.startswith("Error: ")]
        assert len(errors) == bool(done.code), str(done)
        self.figures["runs"] += 1
        self.figures["failed"] += bool(done.code)
        return done

    def through(self, argv: tuple[str, ...], seed: str, rate: float) -> int:
        """A command until it is through: a few times through the proxy, and at last straight."""
        for number in range(TRIES):
            with serving(by_seed(f"{seed} {number}", rate)) as proxy:
                done = self.run(argv, proxy.url)
            self.figures.update(proxy.happened)
            if done.code == 0:
                return 0
        return self.run(argv).code


@pytest.fixture
def rounds(tmp_path: Path) -> Iterator[Rounds]:
    site = {"cloud": "openstack", "os_cloud": OS_CLOUD, "network": "sharednet1", "external_network": "public"}
    known: dict[str, Any] = {SITE: site}
    if OBJECT_CLOUD:
        known[SITE] = {**site, "object_site": f"{SITE}-objects"}
        known[f"{SITE}-objects"] = {**site, "os_cloud": OBJECT_CLOUD}
    (tmp_path / "config/chiops").mkdir(parents=True)
    (tmp_path / "config/chiops/sites.yaml").write_text(yaml.safe_dump(known))
    name = f"faults-{secrets.token_hex(3)}"
    lab = {
        "version": 1,
        "name": name,
        "lease": {"name": name, "duration": "1h"},
        "security_groups": [{"name": name, "rules": [{"port": 22}, {"port": 8888}]}],
        "servers": [{"name": f"node-{name}", "flavor": FLAVOR, "security_groups": [name]}],
        "volumes": [{"name": f"volume-{name}", "size_gib": 1, "server": f"node-{name}"}],
        "buckets": [{"name": f"bucket-{name}"}],
    }
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(lab))
    with Forge(LONGEST_S) as forge:
        found = Rounds(tmp_path, forge, name, Counter())
        yield found
        found.run(("down", name, "--purge-bucket", "--purge-volume", "--yes"))


def _cloud(entry: str) -> Cloud:
    facts = facts_of(entry, sites())
    assert facts, f"clouds.yaml has no entry {entry!r}"
    return connect(facts)


def _ours(lab: str) -> Counter[str]:
    """How much of the lab there is, by kind, whatever the journal says."""
    counts = Counter[str]()
    for entry in {OS_CLOUD, OBJECT_CLOUD or OS_CLOUD}:
        with _cloud(entry) as cloud:
            seen: Seen = observe(cloud)
            mark = Mark(lab, seen.me.user_id)
            for kind in KINDS:
                listed = getattr(seen, kind)
                if entry == OBJECT_CLOUD != OS_CLOUD and kind not in ("buckets", "credentials"):
                    continue  # two regions of one cloud may show the same
                counts[kind] += sum(one.mark == mark or getattr(one, "name", "") == f"bucket-{lab}" for one in listed)
    return +counts


def test_up_and_down_through_a_faulty_network(rounds: Rounds, told: Callable[[str], None]) -> None:
    by_hand = f"{rounds.name}-by-hand"
    with _cloud(OS_CLOUD) as cloud:
        theirs = cloud.network.create_security_group(by_hand, description="", mark=Mark(rounds.name, "somebody-else"))
        try:
            for seed in range(SEED, SEED + ROUNDS):
                _round(rounds, seed)
            assert theirs.id in {group.id for group in cloud.network.security_groups()}, "what is not ours was deleted"
        finally:
            cloud.network.delete_security_group(theirs.id)
    figures = rounds.figures
    faults = sum(figures[fault] for fault in Fault)
    told(
        f"faulty network before OpenStack: {ROUNDS} rounds from seed {SEED}, {figures['runs']} runs of up and down, "
        f"{figures['requests']} requests, {faults} faults, {figures['failed']} runs ended in a sentence"
    )
    assert faults


def _round(rounds: Rounds, seed: int) -> None:
    dice = random.Random(seed)
    rate = dice.choice(RATES)
    up = ("up", "lab.yaml", "--site", SITE, "--no-configure", "--yes", "-o", "json")
    assert rounds.through(up, f"{seed} up", rate) == 0, f"seed {seed}: up does not heal"
    plan = rounds.run(("plan", "lab.yaml", "-o", "json")).json()
    assert plan["changes"] == 0, f"seed {seed}: {plan}"
    down = ("down", rounds.name, "--purge-bucket", "--purge-volume", "--yes")
    assert rounds.through(down, f"{seed} down", rate) in (0, UNKNOWN_LAB), f"seed {seed}: down does not heal"
    left = _ours(rounds.name)
    assert not left, f"seed {seed}: left {left}"
