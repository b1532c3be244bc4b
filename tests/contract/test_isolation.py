"""A node that shares this machine's kernel can open no block device but its own volumes, whatever its root tries."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiops.cloud.base import Cloud, Node, Server
from tests.support.nodes import as_root
from tests.support.scratch import Scratch
from tests.support.target import NewServer, Reach

pytestmark = pytest.mark.usefixtures("shares_kernel", "real_nodes")

# Opens every block device of the list on stdin, by a device file of its own, for reading and for writing; prints what opened.
PROBE = """
import os, sys
for line in sys.stdin.read().split():
    major, minor = map(int, line.split(":"))
    path = f"/root/probe-{major}-{minor}"
    for mode in (os.O_RDONLY, os.O_WRONLY):
        try:
            os.mknod(path, 0o600 | 0o060000, os.makedev(major, minor))
            os.close(os.open(path, mode | os.O_NONBLOCK))
            print(line)
        except OSError:
            pass
        finally:
            if os.path.lexists(path):
                os.unlink(path)
"""


def host_devices() -> set[str]:
    """Every block device of this machine, and loop devices that do not exist yet, as `major:minor`."""
    there = {entry.read_text().strip() for entry in Path("/sys/class/block").glob("*/dev")}
    return there | {f"7:{minor}" for minor in range(64)}


def opened(node: Node, devices: set[str], *, before: str = ":") -> set[str]:
    """Those of ``devices`` that root on the node can open after running ``before``."""
    probe = f"cat >/root/probe.py <<'EOF'\n{PROBE}\nEOF\n{before}\npython3 /root/probe.py <<'EOF'\n{' '.join(sorted(devices))}\nEOF"
    return set(as_root(node, probe).split())


def number(node: Node, path: str) -> str:
    """A device's `major:minor` as the node sees it."""
    return as_root(node, f"stat -L -c %Hr:%Lr {path}")


def test_a_node_without_volumes_opens_none(scratch: Scratch, new_server: NewServer, reach: Reach) -> None:
    assert opened(reach(new_server()), host_devices()) == set()


def test_a_node_opens_its_own_volumes_and_no_others(
    scratch: Scratch, shared_server: Server, shared_node: Node, new_server: NewServer, reach: Reach
) -> None:
    other, before = new_server(), host_devices()
    other_node = reach(other)
    mine = number(shared_node, scratch.attached(scratch.volume(), shared_server).by_id)
    theirs = number(other_node, scratch.attached(scratch.volume(), other).by_id)
    after = host_devices()
    by_me, by_them = opened(shared_node, after), opened(other_node, after)
    assert mine in by_me
    assert theirs in by_them
    assert by_me & by_them == set()
    assert (by_me | by_them) & before == set(), "only what came with the two volumes"


def test_a_detached_volume_cannot_be_opened_any_more(
    cloud: Cloud, scratch: Scratch, shared_server: Server, shared_node: Node
) -> None:
    volume = scratch.volume()
    device = number(shared_node, scratch.attached(volume, shared_server).by_id)
    cloud.volumes.detach(volume.id, shared_server.id)
    scratch.until_free(volume)
    assert device not in opened(shared_node, host_devices())


def test_what_was_partitioned_elsewhere_stays_closed(
    scratch: Scratch, shared_server: Server, new_server: NewServer, reach: Reach, shared_node: Node
) -> None:
    attachment = scratch.attached(scratch.volume(), shared_server)
    as_root(
        shared_node,
        f"disk=$(readlink -f {attachment.by_id}); parted -s $disk mklabel gpt mkpart primary 1MiB 100%; udevadm settle",
    )
    assert opened(reach(new_server()), host_devices()) == set()


def test_root_cannot_lift_the_limits(scratch: Scratch, new_server: NewServer, reach: Reach) -> None:
    """Device rules stand in the cgroup: mounting it and writing to it must not help."""
    lift = """
    mkdir -p /root/cg
    mount -t cgroup -o devices none /root/cg 2>/dev/null || true
    for allow in $(find /sys/fs/cgroup /root/cg -name devices.allow 2>/dev/null); do
      { echo 'a *:* rwm' >$allow; } 2>/dev/null || true
      { echo 'b *:* rwm' >$allow; } 2>/dev/null || true
    done
    """
    assert opened(reach(new_server()), host_devices(), before=lift) == set()


def test_this_machines_device_folder_opens_nothing(scratch: Scratch, new_server: NewServer, reach: Reach) -> None:
    """Root that mounts may see the kernel's own device files; they open as little as those it makes."""
    node = reach(new_server())
    script = """
    mkdir -p /root/dev
    mount -t devtmpfs none /root/dev || exit 0
    trap 'umount /root/dev' EXIT
    find /root/dev -type b | while read -r device; do
      if (: <$device) 2>/dev/null; then echo "$device"; fi
    done
    """
    assert as_root(node, script) == ""


def test_a_node_makes_no_loop_devices(scratch: Scratch, new_server: NewServer, reach: Reach) -> None:
    node, image = reach(new_server()), scratch.name("image")
    as_root(
        node,
        "[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237; "
        f"truncate -s 1M /root/{image}; losetup -f /root/{image} 2>/dev/null || true",
    )
    backing = [file.read_text() for file in Path("/sys/block").glob("loop*/loop/backing_file")]
    assert [file for file in backing if image in file] == []


def test_a_node_cannot_reach_this_machines_memory_or_kernel(
    scratch: Scratch, new_server: NewServer, reach: Reach
) -> None:
    node = reach(new_server())
    script = """
    for device in '1 1' '1 2' '10 144' '10 223'; do
      mknod /root/c c $device 2>/dev/null && (: </root/c) 2>/dev/null && echo "char $device"
      rm -f /root/c
    done
    (: >/proc/sysrq-trigger) 2>/dev/null && echo sysrq
    (: >/sys/kernel/uevent_helper) 2>/dev/null && echo uevent_helper
    (: >/proc/sys/kernel/core_pattern) 2>/dev/null && echo core_pattern
    true
    """
    assert as_root(node, script).split("\n") == [""]
