"""Nodes that fail: each time a bounded wait, one clear sentence, and the next `up` heals.

One site and one node for all; every test leaves the lab as it found it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.faults.site import SOON_S, UP, Site, alone, ansible_of, starting
from tests.support.poll import wait_for

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(1800)]

DOCKER = "/var/lib/docker"
LAB = """\
version: 1
name: fail-lab
lease: {name: lease-fail, duration: 2h}
security_groups:
  - {name: fail-ports, rules: [{port: 22}, {port: 8888}]}
servers:
  - {name: node-fail, flavor: m1.small, security_groups: [fail-ports], configure: [docker, rclone]}
volumes:
  - {name: disk-fail, size_gib: 4, server: node-fail}
buckets:
  - {name: bucket-fail}
mounts:
  - {bucket: bucket-fail, server: node-fail, path: /mnt/object}
"""
WITH_JUPYTER = LAB.replace("configure: [docker, rclone]", "configure: [docker, rclone], services: {jupyter: {}}")
HEAL = "run `chiops up fail-lab`"
LOST_NODE_S = 120
"""Ansible gives a node up that is silent for 30 s, as ssh's options have it, and tries twice more."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with alone(tmp_path_factory.mktemp("work"), LAB) as found:
        yield found


def failed(site: Site) -> dict[str, str]:
    """What doctor finds broken of the lab, each with the mend that it names."""
    return {name: one["todo"] for name, one in site.findings(code=1).items() if one["verdict"] == "failed"}


def well(site: Site) -> None:
    """The next `up` heals, and then there is nothing that doctor or status would tell."""
    site.up()
    broken = {name for name, one in site.findings(code=0).items() if one["verdict"] == "failed"}
    assert broken == set()
    assert {part["health"] for part in site.parts().values()} <= {"ok", ""}


def test_docker_on_the_node_is_dead(site: Site) -> None:
    site.on_node("systemctl stop docker.socket docker.service")
    assert failed(site) == {"node-fail: docker": HEAL}
    server = site.parts()["server"]
    assert server["health"] == "failed"
    assert "Docker is inactive" in server["detail"]
    well(site)
    assert site.on_node("systemctl is-active docker") == "active"


def test_the_mount_hangs_because_its_server_is_gone(site: Site) -> None:
    site.docker("[api.stop(one, timeout=1) for one in all_of('s3')]")
    # rclone answers a listing from its cache for ten seconds
    parts = wait_for("the mount fails", site.parts, until=lambda parts: parts["server"]["health"] == "failed")
    assert parts["bucket"]["health"] == "failed"
    assert "/mnt/object " in parts["server"]["detail"]
    assert (
        site.docker("print(sum(api.inspect_container(one)['State']['Running'] for one in all_of('s3')))").strip() == "0"
    )
    assert failed(site)["/mnt/object"] == HEAL
    well(site)
    site.on_node("timeout 20 ls /mnt/object")


def test_ssh_is_cut(site: Site) -> None:
    """By a rule that somebody took from the node's group: `up` finds it gone, and puts it back."""
    site.python(
        "from chiops.cloud.sites import connect\n"
        "with connect('local') as cloud:\n"
        "    group = next(one for one in cloud.network.security_groups() if one.name == 'fail-ports')\n"
        "    cloud.network.remove_rule(group.id, next(rule for rule in group.rules if rule.port_min == 22))"
    )
    error = site.told("exec", "--", "true")
    assert "node-fail cannot be reached by ssh: no answer from" in error
    assert "a security group opens port 22" in error
    server = site.parts()["server"]
    assert server["health"] == "failed"
    assert "no answer from" in server["detail"]
    assert failed(site)["node-fail"]
    well(site)
    site.on_node("true")


def test_sshd_has_ended(site: Site) -> None:
    """Nothing that `up` could reach: it waits for the node, and goes on once that was restarted."""
    site.run(
        "exec", "--", "sudo", "systemd-run", "--on-active=1", "sh", "-c", "systemctl stop ssh.socket ssh; pkill sshd"
    )
    wait_for("ssh cut", lambda: site.run("exec", "--", "true").code, until=bool, within=SOON_S)
    error = site.told("exec", "--", "true")
    assert "node-fail cannot be reached by ssh: nothing listens at port 22" in error
    with starting(site, *UP) as process:
        time.sleep(10)
        assert process.poll() is None, "it waits"
        site.soon("server", "reboot", "node-fail", "--yes", code=0)
        out, err = process.communicate(timeout=SOON_S)
        assert process.returncode == 0, out + err
    well(site)


def test_the_node_is_killed_while_it_is_configured(site: Site) -> None:
    site.reconfigure()
    with starting(site, *UP) as process:
        wait_for("the playbook", lambda: ansible_of(process.pid), within=SOON_S)
        site.docker("[api.kill(one) for one in all_of('server')]")
        began = time.monotonic()
        _, err = process.communicate(timeout=600)
        took = time.monotonic() - began
    assert took < LOST_NODE_S
    assert "Traceback" not in err
    (error,) = [line for line in err.splitlines() if line.startswith("Error: ")]
    assert process.returncode == 1, err
    assert "node-fail" in error
    well(site)
    site.on_node("timeout 20 ls /mnt/object; systemctl is-active docker")


def test_the_disk_of_docker_is_full(site: Site) -> None:
    """What the node's Docker keeps is on a volume for this: the node's own disk is this machine's."""
    disk = site.python(
        "from chiops.cloud.sites import connect\n"
        "with connect('local') as cloud:\n"
        "    print(next(at.by_id for one in cloud.volumes.list() for at in one.attachments))"
    ).strip()
    stop, start = "systemctl stop docker.socket docker", "systemctl start docker"
    site.on_node(
        f"{stop}; mkfs.ext4 -q {disk}; mount {disk} {DOCKER}; {start};"
        f" fallocate -l $(( $(df --output=avail -B1 {DOCKER} | tail -n 1) - (8 << 20) )) {DOCKER}/filler"
    )
    site.write(WITH_JUPYTER)
    try:
        error = site.told(*UP)
        assert "no space left on device" in error.lower(), error
        assert "node-fail" in error
        site.on_node(f"rm {DOCKER}/filler")
        well(site)
        assert site.run("jupyter", "url").code == 0
    finally:
        site.write(LAB)
        site.on_node(f"rm -f {DOCKER}/filler; {stop}; umount -l {DOCKER}; {start}")
    well(site)
