"""Each noun's life on the local site, by the commands that a person types: made, listed, changed, told apart, deleted."""

from __future__ import annotations

import shlex
import stat
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.cli import Chiops
from tests.support.poll import wait_for

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(1200)]
FLAVOR = "m1.tiny"
LEASE, SERVER, GROUP = "lease-nouns", "node-nouns", "allow-ssh-nouns"


def another_persons(chiops: Chiops, code: str) -> str:
    """Have another member of the project make something, straight at the site; what it prints."""
    program = (
        "from chiops.cloud.base import *\nfrom chiops.cloud.sites import connect\n"
        f"mark = Mark('their-lab', 'somebody')\nwith connect('local') as cloud:\n    {code}"
    )
    done = subprocess.run([chiops.argv()[0], "-c", program], env=chiops.env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def names(found: list[dict[str, Any]]) -> set[str]:
    return {one["name"] for one in found}


@pytest.fixture(scope="module")
def lease(chiops: Chiops) -> dict[str, Any]:
    """A lease of one small server; it goes with the test of its deletion."""
    return dict(chiops.ok("lease", "create", LEASE, "--flavor", FLAVOR, "--duration", "2h", "-o", "json").json())


@pytest.fixture(scope="module")
def group(chiops: Chiops) -> dict[str, Any]:
    return dict(chiops.ok("secgroup", "create", GROUP, "--open", "22", "-o", "json").json())


@pytest.fixture(scope="module")
def server(chiops: Chiops, lease: dict[str, Any], group: dict[str, Any]) -> dict[str, Any]:
    """A server on it that answers ssh at a floating IP."""
    return dict(
        chiops.ok(
            "server",
            "create",
            SERVER,
            "--lease",
            LEASE,
            "--security-group",
            GROUP,
            "--floating-ip",
            "--wait",
            "-o",
            "json",
        ).json()
    )


@pytest.fixture(scope="module", autouse=True)
def cleared(chiops: Chiops) -> Iterator[None]:
    """Whatever a failed test leaves goes, so that the site can sleep."""
    yield
    for noun, key in (("lease", "id"), ("fip", "id"), ("secgroup", "id"), ("keypair", "name")):
        for one in chiops.ok(noun, "list", "-o", "json").json():
            if one["ours"]:
                chiops.run(noun, "delete", one[key], "--yes")
    another_persons(
        chiops,
        "[cloud.leases.delete(one.id) for one in cloud.leases.list()]",
    )


def run_there(shown: Mapping[str, Any], *command: str) -> str:
    """Run a command on a server by the ssh command that chiops printed."""
    done = subprocess.run(
        [*shlex.split(shown["ssh"]), *command], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_flavors_and_images_are_found_by_name(chiops: Chiops) -> None:
    assert FLAVOR in names(chiops.ok("flavor", "list", "-o", "json").json())
    assert chiops.ok("flavor", "show", FLAVOR, "-o", "json").json()["vcpus"] == 1
    assert names(chiops.ok("image", "list", "ubuntu24", "-o", "json").json()) == {"CC-Ubuntu24.04"}
    assert "Did you mean 'CC-Ubuntu24.04'" in chiops.refused("image", "show", "CC-Ubuntu24.4")
    assert "there is no flavor 'm1.tinny'" in chiops.refused("flavor", "show", "m1.tinny")


def test_a_lease_is_booked_once_and_shows_its_time(chiops: Chiops, lease: dict[str, Any]) -> None:
    assert lease["new"]
    assert 7000 < lease["seconds_left"] <= 7200
    again = chiops.ok("lease", "create", LEASE, "--flavor", FLAVOR, "-o", "json").json()
    assert (again["new"], again["id"]) == (False, lease["id"])
    shown = chiops.ok("lease", "show", LEASE).out
    assert "UTC" in shown
    assert "1 × m1.tiny" in shown


def test_a_lease_is_extended_only_with_a_word(chiops: Chiops, lease: dict[str, Any]) -> None:
    assert "add --yes" in chiops.refused("lease", "extend", LEASE, "--by", "1h").lower()
    longer = chiops.ok("lease", "extend", lease["id"], "--by", "1h", "--yes", "-o", "json").json()
    assert longer["seconds_left"] > lease["seconds_left"] + 3000
    assert "lasts that long already" in chiops.refused("lease", "extend", LEASE, "--end", "2020-01-01T00:00Z", "--yes")


def test_a_lease_that_is_yet_to_start_is_waited_for(chiops: Chiops) -> None:
    later = chiops.ok(
        "lease", "create", "later", "--flavor", FLAVOR, "--start", "2099-01-01 10:00", "--duration", "1h", "-o", "json"
    ).json()
    assert later["state"] == "pending"
    assert "did not happen within 1 s" in chiops.refused("lease", "wait", "later", "--timeout", "1s")
    assert "is PENDING" in chiops.refused("server", "create", "x", "--lease", "later")
    chiops.ok("lease", "delete", "later", "--yes")


def test_a_lease_longer_than_the_site_allows_is_never_asked_for(chiops: Chiops, lease: dict[str, Any]) -> None:
    folder = chiops.folder / "config" / "chiops"
    folder.mkdir(parents=True)
    rules = "max_lease_days: 7\n  lease_days: {m1.t*: 1}\n  extension_window_hours: 1\n"
    (folder / "sites.yaml").write_text(f"local:\n  cloud: local\n  {rules}")
    strict = Chiops(chiops.state_home, chiops.folder, {"XDG_CONFIG_HOME": str(folder.parent)})
    told = strict.refused("lease", "create", "long", "--flavor", FLAVOR, "--duration", "25h")
    assert "a lease of 1 d 1 h is longer than local allows: at most 1 day." in told
    assert "only in the last 1 hours" in strict.refused("lease", "extend", LEASE, "--by", "1h", "--yes")
    assert "long" not in names(chiops.ok("lease", "list", "-o", "json").json())


def test_two_of_a_name_are_told_apart_by_id(chiops: Chiops, lease: dict[str, Any]) -> None:
    code = (
        "from datetime import *; now = datetime.now(UTC); "
        "print(cloud.leases.create('twin', end=now + timedelta(hours=1), mark=Mark('none', cloud.identity.whoami().user_id), "
        f"reservations=[ReservationRequest(kind='flavor:instance', flavor='{FLAVOR}')]).id)"
    )
    ids = [another_persons(chiops, code) for _ in range(2)]
    told = chiops.refused("lease", "delete", "twin", "--yes")
    assert all(one in told for one in ids)
    for one in ids:
        chiops.ok("lease", "delete", one, "--yes")


def test_a_server_answers_ssh_at_its_address(chiops: Chiops, server: dict[str, Any]) -> None:
    assert server["new"]
    assert server["floating_address"]
    assert run_there(server, "hostname") == SERVER
    again = chiops.ok(
        "server", "create", SERVER, "--lease", LEASE, "--security-group", GROUP, "--floating-ip", "-o", "json"
    ).json()
    assert (again["new"], again["id"]) == (False, server["id"])
    assert len([one for one in chiops.ok("fip", "list", "-o", "json").json() if one["ours"]]) == 1


def test_a_server_is_shown_by_name_and_by_id(chiops: Chiops, server: dict[str, Any]) -> None:
    shown = chiops.ok("server", "show", server["id"], "-o", "json").json()
    assert (shown["name"], shown["lease"], shown["ssh"]) == (SERVER, LEASE, server["ssh"])
    assert server["ssh"] in chiops.ok("server", "show", SERVER).out
    assert chiops.ok("server", "ssh", SERVER, "--print").out.strip() == server["ssh"]
    assert chiops.ok("server", "ssh", SERVER, "--", "sh", "-c", "echo $((6 * 7))").out == "42\n"
    assert chiops.ok("server", "wait", SERVER, "-o", "json").json()["state"] == "ready"
    assert SERVER in names(chiops.ok("server", "list", "-o", "json").json())
    assert chiops.ok("lease", "show", LEASE, "-o", "json").json()["servers"] == [SERVER]


def test_the_console_shows_how_it_booted(chiops: Chiops, server: dict[str, Any]) -> None:
    shown = chiops.ok("server", "console", SERVER, "--lines", "5", "-o", "json").json()
    assert 0 < len(shown["console"]) <= 5
    assert "systemd" in chiops.ok("server", "console", SERVER).out


def test_a_server_is_the_same_after_a_reboot_and_another_after_a_rebuild(
    chiops: Chiops, server: dict[str, Any]
) -> None:
    run_there(server, "touch", "/home/cc/mine")
    chiops.ok("server", "reboot", SERVER, "--wait")
    assert run_there(server, "ls", "/home/cc") == "mine"
    assert "add --yes" in chiops.refused("server", "rebuild", SERVER).lower()
    rebuilt = chiops.ok("server", "rebuild", SERVER, "--wait", "--yes", "-o", "json").json()
    assert run_there(server, "ls", "/home/cc") == ""
    assert {key: rebuilt[key] for key in ("id", "floating_address", "fixed_address")} == {
        key: server[key] for key in ("id", "floating_address", "fixed_address")
    }


def test_a_servers_place_and_name_are_checked_before_it_is_made(chiops: Chiops, server: dict[str, Any]) -> None:
    assert "only on a lease" in chiops.refused("server", "create", "x", "--flavor", FLAVOR)
    assert "does not book m1.large" in chiops.refused("server", "create", "x", "--lease", LEASE, "--flavor", "m1.large")
    assert "has no room" in chiops.refused("server", "create", "x", "--lease", LEASE)
    told = chiops.refused("server", "create", SERVER, "--lease", LEASE, "--image", "CC-Debian12")
    assert "exists already, from the image CC-Ubuntu24.04" in told
    assert "would never answer" in chiops.refused("server", "create", "x", "--lease", LEASE, "--wait")
    assert "no boot volume to keep" in chiops.refused("server", "create", "x", "--lease", LEASE, "--keep-boot-volume")
    assert "has no room" in chiops.refused("server", "create", "x", "--lease", LEASE, "--boot-volume", "60")
    assert chiops.ok("volume", "list", "-o", "json").json() == []
    assert f"Did you mean '{SERVER}'" in chiops.refused("server", "show", "node-noun")


def test_a_bucket_is_mounted_on_a_server_and_unmounted(chiops: Chiops, server: dict[str, Any]) -> None:
    bucket, where = "bucket-nouns", ("--server", SERVER)
    chiops.ok("bucket", "create", bucket)
    with_key = ("-o", "json", "--show-secret")
    assert chiops.run("bucket", "mount", bucket, *where, "--path", "mnt").code == 2
    assert chiops.run("bucket", "mount", bucket, *where, "--by", "nfs").code == 2
    assert chiops.run("bucket", "mount", "no-such-bucket", *where).code == 1
    made = chiops.ok("bucket", "mount", bucket, *where, "--write", "-o", "json").json()
    assert (made["path"], made["read_only"]) == ("/mnt/object", False)
    run_there(server, "echo hello > /mnt/object/greeting; sync")
    assert chiops.ok("bucket", "show", bucket, "-o", "json").json()["objects"] == 1
    chiops.ok("bucket", "mount", bucket, *where)
    assert run_there(server, "cat", "/mnt/object/greeting") == "hello"
    taken = chiops.run("bucket", "mount", bucket, *where, "--path", "/proc")
    assert "is mounted at /proc" in taken.err
    (key,) = chiops.ok("creds", "list", "-o", "json").json()
    secret = chiops.ok("creds", "show", key["access"], *with_key).json()["secret"]
    assert secret not in run_there(server, "cat /proc/[0-9]*/cmdline /etc/systemd/system/*.service 2>/dev/null || true")
    assert chiops.ok("bucket", "unmount", bucket, *where, "-o", "json").json()[0]["path"] == "/mnt/object"
    assert "not mounted" in chiops.ok("bucket", "unmount", bucket, *where).out
    assert run_there(server, "ls", "/mnt/object") == ""
    chiops.ok("creds", "revoke", key["access"], "--yes")
    chiops.ok("bucket", "delete", bucket, "--purge", "--yes")


def test_an_address_moves_away_and_back(chiops: Chiops, server: dict[str, Any]) -> None:
    address = server["floating_address"]
    assert "has the address" in chiops.refused("fip", "create", "--server", SERVER)
    assert chiops.ok("fip", "unbind", address, "-o", "json").json()["server_id"] == ""
    assert chiops.ok("server", "show", SERVER, "-o", "json").json()["floating_address"] == ""
    assert chiops.ok("fip", "bind", address, SERVER, "-o", "json").json()["server_id"] == server["id"]
    (shown,) = chiops.ok("fip", "list", "-o", "json").json()
    assert (shown["address"], shown["server"]) == (address, SERVER)
    spare = chiops.ok("fip", "create", "-o", "json").json()
    chiops.ok("fip", "delete", spare["id"], "--yes")
    assert "there is no floating IP" in chiops.refused("fip", "delete", spare["address"], "--yes")


def test_a_groups_rules_are_compared_and_repaired(chiops: Chiops, group: dict[str, Any]) -> None:
    opened = chiops.ok("secgroup", "open", GROUP, "8888", "22", "-o", "json").json()
    assert (opened["opened"], len(opened["rules"])) == ("8888/tcp", 2)
    assert "add --yes" in chiops.refused("secgroup", "create", GROUP, "--open", "22").lower()
    assert chiops.ok("secgroup", "create", GROUP, "--open", "22", "--yes", "-o", "json").json()["closed"] == "8888/tcp"
    assert "has no rule 99/tcp" in chiops.refused("secgroup", "close", GROUP, "99", "--yes")
    assert "is no port to open" in chiops.refused("secgroup", "open", GROUP, "ssh")


def test_a_group_is_put_on_a_server_and_taken_off(chiops: Chiops, server: dict[str, Any]) -> None:
    chiops.ok("secgroup", "create", "allow-8888", "--open", "8888")
    attached = chiops.ok("secgroup", "attach", "allow-8888", SERVER, "-o", "json").json()
    assert set(attached["security_groups"]) == {GROUP, "allow-8888"}
    assert chiops.ok("secgroup", "show", "allow-8888", "-o", "json").json()["servers"] == [SERVER]
    assert f"is used by {SERVER}" in chiops.refused("secgroup", "delete", "allow-8888", "--yes")
    assert chiops.ok("secgroup", "detach", "allow-8888", SERVER, "-o", "json").json()["security_groups"] == [GROUP]
    chiops.ok("secgroup", "delete", "allow-8888", "--yes")


def test_key_pairs_are_registered_from_a_file(chiops: Chiops, key: tuple[Any, str]) -> None:
    file = chiops.folder / "laptop.pub"
    file.write_text(key[1] + "\n")
    made = chiops.ok("keypair", "create", "laptop", "--file", str(file), "-o", "json").json()
    assert made["new"]
    assert not chiops.ok("keypair", "create", "laptop", "--file", str(file), "-o", "json").json()["new"]
    assert "with another key exists" in chiops.refused("keypair", "create", "laptop")
    assert "is a private key" in chiops.refused("keypair", "create", "x", "--file", str(key[0]))
    assert "add --yes" in chiops.refused("keypair", "delete", "laptop").lower()
    chiops.ok("keypair", "delete", "laptop", "--yes")
    assert "laptop" not in names(chiops.ok("keypair", "list", "-o", "json").json())


def test_a_key_to_s3_works_is_rotated_and_is_revoked(chiops: Chiops, monkeypatch: pytest.MonkeyPatch) -> None:
    made = chiops.ok("creds", "create", "-o", "json").json()
    assert not chiops.ok("creds", "create", "-o", "json").json()["new"]
    file = chiops.folder / "credentials"
    chiops.ok("creds", "export", "--format", "aws", "--name", "lab", "--file", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    old = boto3.Session(profile_name="lab").client("s3")
    assert old.list_buckets()["Buckets"] == []
    rotated = chiops.ok("creds", "rotate", "--yes", "-o", "json").json()
    assert rotated["revoked"] == [made["access"]]
    wait_for("the old key to be refused", lambda: _refused(old), within=15)
    chiops.ok("creds", "export", "--format", "aws", "--name", "lab", "--file", str(file))
    assert boto3.Session(profile_name="lab").client("s3").list_buckets()["Buckets"] == []
    assert (
        chiops.ok("creds", "revoke", rotated["access"][:8], "--yes", "-o", "json").json()["revoked"]
        == rotated["access"]
    )
    assert chiops.ok("creds", "list", "-o", "json").json() == []
    assert "no EC2 credential at local yet" in chiops.refused("creds", "export", "--show-secret")


def _refused(client: Any) -> bool:
    try:
        client.list_buckets()
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return False


def test_a_secret_is_shown_only_when_asked_for(chiops: Chiops) -> None:
    quiet = [chiops.ok("creds", "create", "-v"), chiops.ok("creds", "list", "-o", "json"), chiops.ok("creds", "show")]
    quiet.append(chiops.ok("creds", "show", "-o", "yaml"))
    asked = chiops.ok("creds", "show", "--show-secret", "-o", "json").json()["secret"]
    assert len(asked) > 20
    told = chiops.refused("creds", "export", "--format", "env") + chiops.refused("creds", "export", "--file", "-")
    log = (chiops.state_home / "chiops" / "chiops.log").read_text()
    assert asked not in "".join([told, log, *(done.out + done.err for done in quiet)])
    assert f"AWS_SECRET_ACCESS_KEY={asked}\n" in chiops.ok("creds", "export", "--format", "env", "--show-secret").out
    assert f"secret_access_key = {asked}\n" in chiops.ok("creds", "export", "--file", "-", "--show-secret").out
    chiops.ok("creds", "rotate", "--yes")


def test_what_another_member_made_is_not_touched(chiops: Chiops, server: dict[str, Any], key: tuple[Any, str]) -> None:
    theirs = {
        "fip": another_persons(chiops, "print(cloud.network.create_floating_ip(mark=mark).address)"),
        "secgroup": another_persons(
            chiops, "print(cloud.network.create_security_group('theirs', description='', mark=mark).id)"
        ),
        "keypair": another_persons(
            chiops, f"print(cloud.compute.create_keypair('theirs', '{key[1]}', mark=mark).name)"
        ),
        "creds": another_persons(chiops, "print(cloud.identity.create_ec2_credential(mark=mark).access)"),
        "lease": another_persons(
            chiops,
            "from datetime import *; print(cloud.leases.create('theirs', end=datetime.now(UTC) + timedelta(hours=1), "
            f"reservations=[ReservationRequest(kind='flavor:instance', flavor='{FLAVOR}')], mark=mark).id)",
        ),
    }
    told = [
        chiops.refused("creds", "revoke", theirs["creds"], "--yes"),
        chiops.refused("creds", "rotate", theirs["creds"], "--yes"),
        chiops.refused("fip", "bind", theirs["fip"], SERVER),
        chiops.refused("fip", "unbind", theirs["fip"]),
        chiops.refused("secgroup", "open", "theirs", "80"),
        chiops.refused("lease", "extend", "theirs", "--by", "1h", "--yes"),
        *(chiops.refused(noun, "delete", theirs[noun], "--yes") for noun in theirs if noun != "creds"),
    ]
    assert [one for one in told if "was not made by your chiops" not in one] == []
    found = {noun: chiops.ok(noun, "list", "-o", "json").json() for noun in theirs}
    assert all(any(not one["ours"] for one in listed) for listed in found.values())
    another_persons(
        chiops,
        f"cloud.network.delete_floating_ip(next(f.id for f in cloud.network.floating_ips() if f.address == '{theirs['fip']}')); "
        f"cloud.network.delete_security_group('{theirs['secgroup']}'); cloud.compute.delete_keypair('theirs'); "
        f"cloud.identity.delete_ec2_credential('{theirs['creds']}'); cloud.leases.delete('{theirs['lease']}')",
    )


def test_a_server_goes_and_its_address_stays_for_the_next(chiops: Chiops, server: dict[str, Any]) -> None:
    assert "with all that is on its own disk" in chiops.refused("server", "delete", SERVER)
    gone = chiops.ok("server", "delete", SERVER, "--yes", "-o", "json").json()
    assert gone["addresses"] == [server["floating_address"]]
    again = chiops.ok(
        "server", "create", SERVER, "--lease", LEASE, "--security-group", GROUP, "--floating-ip", "--wait", "-o", "json"
    ).json()
    assert again["floating_address"] == server["floating_address"]
    assert again["id"] != server["id"]
    assert run_there(again, "hostname") == SERVER


def test_the_end_of_a_lease_names_and_takes_its_servers(
    chiops: Chiops, server: dict[str, Any], lease: dict[str, Any]
) -> None:
    assert f"and with it the server {SERVER}?" in chiops.refused("lease", "delete", LEASE)
    ended = chiops.ok("lease", "delete", LEASE, "--yes", "-o", "json").json()
    assert ended["servers"] == [SERVER]
    assert chiops.ok("server", "list", "-o", "json").json() == []
    chiops.ok("fip", "delete", ended["addresses"][0], "--yes")
    chiops.ok("secgroup", "delete", GROUP, "--yes")
    assert chiops.ok("fip", "list").out == "No floating IPs.\n"
    assert not list((chiops.state_home / "chiops" / "ssh").glob("known_hosts.server-*"))
