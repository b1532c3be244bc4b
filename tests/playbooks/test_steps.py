"""The steps that configure a node, on a real one, in the order in which a lab takes them."""

from __future__ import annotations

import pytest

from chiops.cloud.local.cloud import LocalCloud
from chiops.errors import RemoteFailed
from chiops.remote.ssh import Ssh
from tests.playbooks.conftest import FILES, PATH, Lab
from tests.support.nodes import as_root, succeeds, wait_ssh
from tests.support.poll import wait_for

pytestmark = pytest.mark.nodes

UNIT = "chiops-bucket-mnt-object.service"
LIST = f"cd {PATH} && find . -type f -printf '%P\\n' | sort"


def mounted(lab: Lab) -> bool:
    return succeeds(lab.node, f"mountpoint -q {PATH} && ls {PATH}/Food-11")


def test_docker_comes_to_a_node_without_it(lab: Lab) -> None:
    as_root(lab.node, "DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq docker.io; gpasswd -d cc docker || true")
    Ssh(lab.node).close()
    assert not succeeds(lab.node, "docker version")
    assert lab.play("docker").changed > 0
    # As the user, without sudo: the run has ended the login that knew nothing of the group.
    assert Ssh(lab.node).run("docker", "info", "--format", "{{.Driver}}").stdout.strip()
    assert succeeds(lab.node, "systemctl is-enabled -q docker && systemctl is-active -q docker")
    assert lab.play("docker").changed == 0


def test_a_bucket_becomes_a_folder(lab: Lab) -> None:
    assert lab.play("rclone", "mount_bucket").changed > 0
    assert as_root(lab.node, LIST).splitlines() == sorted(FILES)
    # Root reads it, as Docker must; the user owns it; nobody writes it.
    assert as_root(lab.node, f"stat -c %U {PATH}/index.json; cat {PATH}/index.json").splitlines() == ["cc", "{}"]
    assert not succeeds(lab.node, f"touch {PATH}/new")


def test_a_second_run_changes_nothing(lab: Lab) -> None:
    assert lab.play("docker", "rclone", "mount_bucket").changed == 0


def test_the_key_is_in_one_file_of_the_user(lab: Lab) -> None:
    secret = lab.access.secret
    ssh = Ssh(lab.node)
    config = "/home/cc/.config/rclone/rclone.conf"
    assert ssh.run("stat", "-c", "%a %U %G", config).stdout.split() == ["600", "cc", "cc"]
    # The pattern goes over stdin, or grep's own command line would be found.
    look = "set +e; grep -r -l -s -F -f - /etc /home /root /var/log /var/lib/chiops /tmp /run/systemd /run/log"
    found = ssh.run("sudo", "sh", "-c", look, input=secret, check=False, timeout=120).stdout.split()
    assert found == [config]
    seen = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; journalctl --no-pager; systemctl show '*'"
    assert secret not in as_root(lab.node, seen)


def test_the_mount_can_be_stopped_and_started(lab: Lab) -> None:
    as_root(lab.node, f"systemctl stop {UNIT}")
    assert not succeeds(lab.node, f"mountpoint -q {PATH}")
    as_root(lab.node, f"systemctl start {UNIT}")
    assert mounted(lab)


def test_a_reader_does_not_keep_it_from_stopping(lab: Lab) -> None:
    as_root(lab.node, f"cd {PATH} && (sleep 30 </dev/null >/dev/null 2>&1 &) ; systemctl stop {UNIT}")
    assert not succeeds(lab.node, f"mountpoint -q {PATH}")
    as_root(lab.node, f"systemctl start {UNIT}")
    assert mounted(lab)


def test_a_mount_whose_process_died_comes_back(lab: Lab) -> None:
    as_root(lab.node, f"systemctl kill -s KILL {UNIT}")
    wait_for("the mount", lambda: mounted(lab), within=30)


def test_a_dead_mount_is_healed_by_the_playbook(lab: Lab) -> None:
    as_root(lab.node, f"systemctl disable -q --now {UNIT}; rm /etc/systemd/system/{UNIT}; systemctl daemon-reload")
    mount = f"rclone mount rclone_s3:{lab.access.bucket} {PATH} --daemon --allow-other"
    as_root(lab.node, f"sudo -u cc {mount}; pkill -KILL -x rclone")
    assert "not connected" in as_root(lab.node, f"ls {PATH} 2>&1 || true")
    assert lab.play("mount_bucket").changed > 0
    assert mounted(lab)


def test_it_survives_a_reboot(lab: Lab) -> None:
    before = as_root(lab.node, "cat /proc/1/stat | cut -d' ' -f22")
    as_root(lab.node, "systemctl reboot", check=False)
    Ssh(lab.node).close()

    def booted_anew() -> bool:
        try:
            return as_root(lab.node, "cat /proc/1/stat | cut -d' ' -f22", timeout=10) != before
        except RemoteFailed:
            return False

    wait_for("the node's reboot", booted_anew, within=90)
    wait_ssh(lab.node)
    wait_for("the mount after the reboot", lambda: mounted(lab), within=60)
    assert lab.play("docker", "rclone", "mount_bucket").changed == 0


def test_a_wrong_key_is_told_and_the_right_one_mends_it(lab: Lab) -> None:
    wrong = lab.secrets
    wrong["rclone_remotes"]["rclone_s3"]["secret_access_key"] = "wrong"
    with pytest.raises(RemoteFailed) as caught:
        lab.play("rclone", "mount_bucket", secrets=wrong)
    assert "Open the bucket" in caught.value.what
    assert "403" in caught.value.why or "SignatureDoesNotMatch" in caught.value.why
    assert lab.play("rclone", "mount_bucket").changed > 0
    assert mounted(lab)


def test_a_new_key_that_the_mount_was_never_told_of_reaches_it(lab: Lab) -> None:
    """As after a run that was killed between the two."""
    wrong, config = lab.secrets, "/home/cc/.config/rclone/rclone.conf"
    wrong["rclone_remotes"]["rclone_s3"]["secret_access_key"] = "wrong"
    as_root(lab.node, f"cp -p {config} /run/right.conf")
    lab.play("rclone", secrets=wrong)
    as_root(lab.node, f"mv /run/right.conf {config}")
    assert not mounted(lab)
    assert lab.play("rclone", "mount_bucket").changed == 1
    assert mounted(lab)


def test_a_mount_that_hangs_is_started_anew(lab: Lab) -> None:
    as_root(lab.node, f"systemctl kill -s STOP {UNIT}")
    assert lab.play("mount_bucket", mount_bucket_timeout=8).changed == 1
    assert mounted(lab)


def test_a_store_that_takes_connections_and_does_not_answer_is_told(lab: Lab, local_cloud: LocalCloud) -> None:
    api = local_cloud.local.engine.client().api
    (store,) = api.containers(filters=local_cloud.local.filters("s3"))
    api.pause(store["Id"])
    try:
        with pytest.raises(RemoteFailed, match=r"does not answer: .*timeout"):
            lab.play("mount_bucket", mount_bucket_timeout=8)
    finally:
        api.unpause(store["Id"])
    assert lab.play("mount_bucket").changed <= 1
    assert mounted(lab)


@pytest.mark.parametrize(
    "mount",
    [{"path": "mnt"}, {"path": "/mnt/a b"}, {"path": "/mnt/$(id)"}, {"options": ["--x=%h y"]}, {"bucket": "a;b"}],
)
def test_what_a_unit_could_not_hold_is_refused(lab: Lab, mount: dict[str, object]) -> None:
    with pytest.raises(RemoteFailed, match="is not understood"):
        lab.play("mount_bucket", bucket_mounts=[{"bucket": lab.access.bucket, "path": "/mnt/other", **mount}])


def test_a_folder_with_files_is_not_covered(lab: Lab) -> None:
    as_root(lab.node, "mkdir -p /mnt/full && touch /mnt/full/mine")
    with pytest.raises(RemoteFailed, match="/mnt/full holds files"):
        lab.play("mount_bucket", bucket_mounts=[{"bucket": lab.access.bucket, "path": "/mnt/full"}])
    assert as_root(lab.node, "ls /mnt/full") == "mine"


def test_unmounting_leaves_nothing_of_it(lab: Lab) -> None:
    assert mounted(lab)
    assert lab.play("unmount_bucket").changed > 0
    assert not succeeds(lab.node, f"mountpoint -q {PATH}")
    assert not succeeds(lab.node, f"systemctl cat {UNIT}")
    assert lab.play("unmount_bucket").changed == 0
