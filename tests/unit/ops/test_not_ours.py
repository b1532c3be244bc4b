"""What another member of the project made is neither changed nor deleted, whatever the command and whatever the answer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from chiops.cloud.base import Keypair, Rule
from chiops.errors import Conflict, Declined, NotOurs
from chiops.ops import addresses, credentials, groups, keypairs, leases, mounts, power, servers
from chiops.ops.desk import Desk
from chiops.resources.lease import servers_on
from tests.unit.ops.site import LABS, MINE, THEIRS, Touched, address, credential, desk, group, lease, server


def yes(question: str) -> None:
    """A person who agrees to everything."""


def theirs_everywhere(mark: object = THEIRS) -> Desk:
    return desk(
        leases_=[lease(mark=mark)],
        servers=[server(mark=mark, security_groups=("in",), image="img-1")],
        addresses=[address(mark=mark), address("192.0.2.8", mark=mark, server_id="id-n")],
        groups=[group("g", Rule("tcp", 22, 22), mark=mark), group("in", mark=mark)],
        keypairs=[Keypair(id="k", name="k", mark=mark, public_key="ssh-ed25519 AAAA")],  # type: ignore[arg-type]
        credentials=[credential(mark=mark)],
    )


COMMANDS: dict[str, Callable[[Desk], object]] = {
    "lease extend": lambda at: leases.extend(at, "l", yes, by=timedelta(hours=1)),
    "lease delete": lambda at: leases.delete(at, "l", yes),
    "server delete": lambda at: servers.delete(at, "n", yes, release_ip=True),
    "server reboot": lambda at: power.reboot(at, "n"),
    "server rebuild": lambda at: servers.rebuild(at, "n", yes, image="CC-Ubuntu24.04"),
    "fip bind": lambda at: addresses.bind(at, "192.0.2.7", "n"),
    "fip unbind": lambda at: addresses.unbind(at, "192.0.2.8"),
    "fip delete": lambda at: addresses.delete(at, "192.0.2.7", yes),
    "fip create --server": lambda at: addresses.create(at, "n"),
    "secgroup open": lambda at: groups.open_(at, "g", [Rule("tcp", 80, 80)]),
    "secgroup close": lambda at: groups.close(at, "g", [Rule("tcp", 22, 22)], yes),
    "secgroup delete": lambda at: groups.delete(at, "g", yes),
    "secgroup attach": lambda at: groups.attach(at, "g", "n"),
    "secgroup detach": lambda at: groups.detach(at, "in", "n"),
    "secgroup create": lambda at: groups.create(at, "g", [Rule("tcp", 80, 80)], "", yes),
    "keypair delete": lambda at: keypairs.delete(at, "k", yes),
    "bucket mount": lambda at: mounts.mount(at, at, "b", "n", "/mnt/object", "rclone", writable=False),
    "bucket unmount": lambda at: mounts.unmount(at, at, "b", "n"),
    "creds revoke": lambda at: credentials.revoke(at, "abcdef", yes),
    "creds rotate": lambda at: credentials.rotate(at, "abcdef", yes),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("mark", [THEIRS, None], ids=["another person's", "made without chiops"])
def test_it_is_refused_before_anything_is_asked_of_the_site(command: str, mark: object, state: Path) -> None:
    with pytest.raises(NotOurs):
        COMMANDS[command](theirs_everywhere(mark))
    assert not (state / "chiops.db").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_command_would_change_what_is_ours(command: str) -> None:
    """Otherwise the refusals above would prove nothing."""
    further = Conflict if command.startswith("bucket") else Touched  # on to whether its ssh key is this machine's
    with pytest.raises(further):
        COMMANDS[command](theirs_everywhere(MINE))


@pytest.mark.parametrize("command", [name for name in COMMANDS if name.split()[1] in ("delete", "revoke", "rotate")])
def test_a_no_leaves_everything_as_it_is(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(question: str) -> None:
        assert question.endswith(("?", "."))
        raise Declined("nothing was changed")

    monkeypatch.setitem(COMMANDS[command].__globals__, "yes", no)
    with pytest.raises(Declined):
        COMMANDS[command](theirs_everywhere(MINE))


def test_a_lease_that_carries_anothers_server_is_not_ended() -> None:
    at = desk(leases_=[lease()], servers=[server("mine"), server("hers", mark=THEIRS)])
    with pytest.raises(NotOurs, match="hers"):
        leases.delete(at, "l", yes)


def test_a_server_made_by_other_tools_is_known_by_its_reserved_flavor() -> None:
    on = servers_on(lease(), [server("x", lease_id="", flavor="reservation:r", mark=None), server("y", lease_id="")])
    assert [one.name for one in on] == ["x"]


def test_the_question_names_what_goes_with_a_lease() -> None:
    asked: list[str] = []

    def ask(question: str) -> None:
        asked.append(question)
        raise Declined("no")

    with pytest.raises(Declined):
        leases.delete(desk(leases_=[lease()], servers=[server("a"), server("b", mark=LABS)]), "l", ask)
    assert asked == ["Delete the lease l and with it the servers a, b?"]


def test_what_belongs_to_a_lab_of_ours_is_ours() -> None:
    assert desk().is_ours(server(mark=LABS))
    assert not desk().is_ours(server(mark=THEIRS))


def test_a_group_of_others_that_opens_enough_is_used_as_it_is() -> None:
    at = desk(groups=[group("allow-ssh", Rule("tcp", 22, 22), Rule("icmp"), mark=None)])
    made = groups.create(at, "allow-ssh", [Rule("tcp", 22, 22)], "", yes)
    assert (made.ours, made.new, made.opened, made.closed) == (False, False, (), ())


def test_a_group_in_use_is_not_deleted_and_its_users_are_named() -> None:
    at = desk(groups=[group("g")], servers=[server("hers", mark=THEIRS, security_groups=("g",))])
    with pytest.raises(Conflict, match="is used by hers"):
        groups.delete(at, "g", yes)


def test_an_address_that_leads_elsewhere_is_not_taken_away() -> None:
    at = desk(addresses=[address(server_id="id-a")], servers=[server("a"), server("b")])
    with pytest.raises(Conflict, match="leads to a"):
        addresses.bind(at, "192.0.2.7", "b")


def test_a_change_that_fails_is_in_the_journal(state: Path) -> None:
    with pytest.raises(Touched):
        keypairs.delete(theirs_everywhere(MINE), "k", yes)
    with sqlite3.connect(state / "chiops.db") as db:
        rows = db.execute("SELECT lab, site, op, kind, name, phase FROM operations").fetchall()
    assert rows == [("none", "somewhere", "delete", "key_pair", "k", "failed")]
