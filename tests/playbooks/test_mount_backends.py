"""Other backends than rclone on a real node, and the mounts that a benchmark makes for itself."""

from __future__ import annotations

import re

import pytest

from chiops.bench.mounts import Mounts
from chiops.errors import RemoteFailed
from chiops.remote import fuse
from chiops.remote.ssh import Ssh
from tests.playbooks.conftest import FILES, PATH, Lab
from tests.support.nodes import as_root, succeeds

pytestmark = pytest.mark.nodes

LEFT = "ls -d /run/chiops-bench /var/cache/chiops-bench /run/systemd/system/chiops-bench-* 2>/dev/null; mount | grep chiops-bench"
WANTED = ("s3fs -ouse_cache={cache}", "rclone --vfs-cache-mode=full")


def files(lab: Lab, path: str) -> list[str]:
    return as_root(lab.node, f"cd {path} && find . -type f -printf '%P\\n' | sort").splitlines()


def test_a_benchmark_has_mounts_of_its_own_that_it_empties_and_leaves_none(lab: Lab) -> None:
    ssh, secret = Ssh(lab.node), lab.access.secret
    # What a killed run leaves: mounted, and a daemon that died.
    Mounts(ssh, lab.access, ["rclone"]).__enter__()
    as_root(lab.node, "systemctl kill -s KILL 'chiops-bench-*.service'")
    with Mounts(ssh, lab.access, WANTED) as mounts:
        for mount in WANTED:
            path = mounts.path(mount)
            assert mounts.empty(mount).is_empty
            assert files(lab, path) == sorted(FILES)
            assert as_root(lab.node, f"cat {path}/index.json") == "{}"
            assert not succeeds(lab.node, f"touch {path}/new")
            held = mounts.state(mount)
            assert (held.cache_files > 0, held.restarted) == (True, False)
            assert held.flags.startswith("ro,")
            assert held.version != "unknown"
            assert mounts.empty(mount).is_empty
        assert held.counters["transfers"] > 0  # rclone counts; s3fs does not
        seen = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; journalctl --no-pager; systemctl show '*'"
        assert secret not in as_root(lab.node, seen)
        kept = as_root(lab.node, "stat -c '%a %U %n' /home/cc/.config/chiops/*").splitlines()
        assert kept == [f"600 cc /home/cc/.config/chiops/{name}" for name in ("rclone-bench.conf", "s3fs")]
    assert not succeeds(lab.node, LEFT)


def test_a_backend_that_is_not_there_says_so_and_stops_no_other(lab: Lab) -> None:
    with Mounts(Ssh(lab.node), lab.access, ["mountpoint-s3", "rclone"]) as mounts:
        assert list(mounts.missing) == ["mountpoint-s3"]
        assert re.search(
            r"mountpoint-s3 is not on .*: no distribution has a package of it", mounts.missing["mountpoint-s3"]
        )
        assert files(lab, mounts.path("rclone")) == sorted(FILES)
    assert not succeeds(lab.node, LEFT)


def test_a_lab_may_mount_by_s3fs_and_a_new_key_reaches_the_running_mount(lab: Lab) -> None:
    mount = {"bucket": lab.access.bucket, "path": PATH, "backend": "s3fs", "options": ["-omax_stat_cache_size=1000"]}
    key = fuse.key(lab.access)

    def play(**changes: str) -> int:
        return lab.play("mount_bucket", bucket_mounts=[mount], secrets={"mount_bucket_access": key | changes}).changed

    with pytest.raises(RemoteFailed, match=r"is not mounted at .*invalid credentials"):
        play(secret="wrong")
    assert play() > 0
    assert files(lab, PATH) == sorted(FILES)
    assert play() == 0
    assert succeeds(lab.node, "systemctl is-enabled -q chiops-bucket-mnt-object.service")
    assert lab.play("unmount_bucket").changed > 0
    assert not succeeds(lab.node, f"mountpoint -q {PATH}")
