"""No secret is seen where it should not be, whatever a lab runs and however its commands end."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.faults.site import SOON_S, UP, Site, alone, ansible_of, starting
from tests.support.exposed import Arguments, exposed, secrets
from tests.support.poll import wait_for

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(1800)]

LAB = """\
version: 1
name: secret-lab
lease: {name: lease-secret, duration: 2h}
security_groups:
  - {name: secret-ports, rules: [{port: 22}, {port: 8888}]}
servers:
  - name: node-secret
    flavor: m1.small
    security_groups: [secret-ports]
    configure: [docker, rclone]
    services:
      jupyter: {port: 8888, mounts: [/mnt/object]}
      compose: {file: keeper.yaml, images: [jupyter], secrets: [keeper_password]}
buckets:
  - {name: bucket-secret}
mounts:
  - {bucket: bucket-secret, server: node-secret, path: /mnt/object}
"""
COMPOSE = """\
services:
  keeper:
    image: ${JUPYTER_IMAGE}
    user: "${USER_ID}:${GROUP_ID}"
    restart: unless-stopped
    init: true
    entrypoint: [sleep, infinity]
    secrets: [keeper_password]
secrets:
  keeper_password: {file: "${DATA}/secrets/keeper_password"}
"""
CONFIGURATION, TOKEN = "/home/cc/.config/rclone", "/var/lib/chiops/jupyter-service"
SERVICE_SECRETS = "/home/cc/services/secrets"


@pytest.fixture(scope="module")
def arguments() -> Iterator[Arguments]:
    """Watches from before the first command until after the last one."""
    with Arguments() as watched:
        yield watched


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, arguments: Arguments) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("work")
    (folder / "keeper.yaml").write_text(COMPOSE)
    with alone(folder, LAB) as found:
        yield found


def test_no_secret_is_seen(site: Site, arguments: Arguments) -> None:
    words = known(site)
    assert len(words) >= 5
    for asked in (
        ("status",), ("status", "-o", "json"), ("doctor", "-o", "json"), ("creds", "list"), ("creds", "list", "-o", "json"),
        ("bucket", "show", "bucket-secret", "-o", "json"), ("server", "show", "node-secret", "-o", "json"),
        ("plan", "fail.yaml", "-o", "yaml"), ("jupyter", "restart", "--yes"), ("-v", *UP),
    ):  # fmt: skip
        done = site.run(*asked)
        assert done.code == 0, str(done)
    done = site.run("jupyter", "rotate", "--yes")
    assert done.code == 0, str(done)
    words |= known(site)
    fail(site)
    words |= known(site)
    site.run("-v", *UP)
    ssh = str(site.parts()["server"]["extra"]["ssh"])
    seen = list(exposed(site.chiops, words, site.said, arguments, ssh))
    assert seen == []
    told = b"\n".join(arguments.seen)
    for program in (b"ansible-playbook", b"docker\0run", b"rclone\0mount"):
        assert program in told, "what runs here and on the node was watched"


def test_whatever_is_seen_is_found(site: Site, arguments: Arguments) -> None:
    """Else the test above could not fail."""
    ssh = str(site.parts()["server"]["extra"]["ssh"])
    journal = (site.chiops.state_home / "chiops/chiops.db").read_bytes()
    words = {
        "in the journal": "secret-lab",
        "in arguments": "ansible-playbook",
        "in a file of the node": "PRETTY_NAME",
    }
    assert b"secret-lab" in journal
    seen = "\n".join(exposed(site.chiops, words, site.said, arguments, ssh))
    for place in (
        "chiops.db: in the journal",
        "the arguments of",
        "others can read /usr/lib/os-release",
        "the output of",
    ):
        assert place in seen


def known(site: Site) -> dict[str, str]:
    """All secrets that there are now, those on the node included."""
    read = site.chiops.ok("exec", "--", "sudo", "sh", "-c", f"head -c 100 {SERVICE_SECRETS}/*").out
    return secrets(site.chiops) | {"a service's secret": read.strip()}


def fail(site: Site) -> None:
    """Fail where secrets are at hand: while they are written on the node, while the S3 server is gone, and killed."""
    for folder in (CONFIGURATION, TOKEN):
        site.reconfigure()
        like = f"mode=$(stat -c %a {folder}),uid=$(stat -c %u {folder}),gid=$(stat -c %g {folder})"
        site.on_node(f"mount -t tmpfs -o {like} tmpfs {folder} && mount -o remount,ro {folder}")
        try:
            assert "output holds secrets and is not shown" in site.told("-v", *UP)
        finally:
            site.on_node(f"umount {folder}")
    with starting(site, *UP) as process:
        wait_for("the playbook", lambda: ansible_of(process.pid), within=SOON_S)
        process.send_signal(signal.SIGKILL)
    site.docker("[api.stop(one, timeout=1) for one in all_of('s3')]")
    for asked in (("status", "-o", "json"), ("doctor",), ("-v", "bucket", "show", "bucket-secret")):
        site.run("-v", *asked)
