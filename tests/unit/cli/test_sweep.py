"""What `chiops sweep` claims: nothing of sites that were not looked at; and its exit code: no failure for want of an account."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from chiops.cli import common
from chiops.cli.main import app
from chiops.cloud import sites
from chiops.cloud.base import Attachment, Bucket, Keypair, Mark, SiteFacts, Volume
from chiops.errors import Auth, Declined, NoCredentials, Timeout, Transient
from chiops.lab import sweep
from chiops.lab.lock import lab_lock
from chiops.lab.survey import Teardown
from tests.support.memory import ME, SITE, Memory
from tests.support.things import lease, server

Run = Callable[..., Result]
OTHERS = {"down": Timeout("down did not answer"), "not-mine": NoCredentials("there are no credentials for not-mine")}


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def run(memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``chiops sweep`` where one site answers, one fails to, and one is somebody else's."""

    def connect(name: str) -> Memory:
        if name in OTHERS:
            raise OTHERS[name]
        return memory

    monkeypatch.setattr(sites, "connect", connect)
    monkeypatch.setattr(sites, "site", lambda name: SiteFacts(name=name, cloud="openstack"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(common, "options", common.Options())
    monkeypatch.setattr("chiops.cli.sweep.options", common.options)

    def swept(names: list[str], *words: str) -> Result:
        monkeypatch.setattr(sweep, "all_sites", lambda: names)
        return CliRunner().invoke(app, ["sweep", *words])

    return swept


def test_nothing_is_claimed_of_a_site_that_failed_and_that_is_a_failure(run: Run) -> None:
    done = run([SITE, "down"], "--all-sites")
    assert (done.exit_code, done.stdout) == (1, "Nothing is left over at memory.\n")
    assert "down was left out: down did not answer." in done.stderr


def test_a_site_without_credentials_is_a_line_and_no_failure(run: Run) -> None:
    done = run([SITE, "not-mine"], "--all-sites")
    assert (done.exit_code, done.stdout) == (0, "Nothing is left over at memory.\n")
    assert [line for line in done.stderr.splitlines() if "not-mine" in line] == [
        "Not looked at, for want of credentials: not-mine."
    ]
    told = json.loads(run([SITE, "not-mine", "down"], "--all-sites", "-o", "json").stdout)
    assert (list(told["left_out"]), told["no_credentials"]) == (["down"], ["not-mine"])


@pytest.mark.parametrize("site", OTHERS)
def test_a_site_that_was_named_is_a_failure_either_way(run: Run, site: str) -> None:
    done = run([], "--site", site)
    assert (done.exit_code, done.stdout) == (1, "No site was looked at.\n")
    assert OTHERS[site].sentence() in done.stderr


def test_a_bucket_that_can_not_be_read_is_no_part_of_the_claim(run: Run, memory: Memory) -> None:
    def refuse(request: str) -> None:
        if request == "objects.get":
            raise Auth("not for you")

    memory.of("bucket")["hers"] = Bucket(id="hers", name="hers")
    memory.hook = refuse
    done = run([], "--site", SITE)
    assert done.exit_code == 0
    assert done.stdout == "Nothing is left over at memory, 1 buckets aside that can't be read.\n"
    assert "The bucket hers at memory was left out: not for you." in done.stderr


def test_a_lease_that_stays_after_all_is_told_and_not_counted(run: Run, memory: Memory) -> None:
    mark = Mark("old-lab", ME.user_id)
    memory.of("lease")["id-l"] = lease(mark=mark)
    memory.of("keypair")["k"] = Keypair(id="k", name="k", mark=mark)

    def start(request: str) -> None:
        if request == "compute.list":
            memory.of("server")["t"] = server("theirs", mark=None)

    memory.after = start
    done = run([], "--site", SITE, "--delete", "--yes")
    assert "The lease l stays after all: the lease l carries servers that are not the lab's: theirs." in done.stderr
    assert "\n1 deleted.\n" in done.stdout
    assert memory.count() == {"lease": 1, "server": 1}


def test_a_lab_that_fails_keeps_none_of_the_others(run: Run, memory: Memory) -> None:
    for lab in ("a-lab", "b-lab", "c-lab"):
        memory.of("keypair")[lab] = Keypair(id=lab, name=lab, mark=Mark(lab, ME.user_id))
    with lab_lock("b-lab", "up"):
        done = run([], "--site", SITE, "--delete", "--yes", "-o", "json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert {one["lab"]: one["op"] for one in told["leftovers"]} == {
        "a-lab": "delete",
        "b-lab": "failed",
        "c-lab": "delete",
    }
    (failed,) = told["failed"]
    assert (told["deleted"], failed["lab"], failed["site"]) == (2, "b-lab", SITE)
    assert f"Not all that b-lab has at {SITE} is deleted: {failed['problem']}" in done.stderr
    assert list(memory.of("keypair")) == ["b-lab"]


def test_whoever_says_no_about_one_lab_is_told_what_went(
    run: Run, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for lab in ("a-lab", "b-lab"):
        memory.of("keypair")[lab] = Keypair(id=lab, name=lab, mark=Mark(lab, ME.user_id))

    def let_go(teardown: Teardown, *_: object) -> list[Attachment]:
        if teardown.lab == "b-lab":
            raise Declined("nothing was changed")
        return []

    monkeypatch.setattr(sweep, "let_go", let_go)
    done = run([], "--site", SITE, "--delete", "--yes")
    assert (done.exit_code, list(memory.of("keypair"))) == (1, ["b-lab"])
    assert "\n1 deleted.\n" in done.stdout
    assert f"Not all that b-lab has at {SITE} is deleted: you said no." in done.stderr
    assert "nothing was changed" not in done.stderr
    done = run([], "--site", SITE, "--delete", "--yes")
    assert done.exit_code == 3
    assert "Error: nothing was changed." in done.stderr


def test_of_a_lab_that_fails_what_went_is_counted(run: Run, memory: Memory) -> None:
    mark = Mark("old-lab", ME.user_id)
    memory.of("server")["id-s"] = server("s", mark=mark)
    memory.of("volume")["v"] = Volume(id="v", name="v", size_gib=1, mark=mark)
    memory.of("keypair")["k"] = Keypair(id="k", name="k", mark=mark)

    def refuse(request: str) -> None:
        if request == "compute.delete_keypair":
            raise Transient("busy")

    memory.hook = refuse
    done = run([], "--site", SITE, "--delete", "--purge-volume", "--yes", "-o", "json")
    told = json.loads(done.stdout)
    assert memory.count() == {"keypair": 1}
    assert {one["name"]: one["op"] for one in told["leftovers"]} == {"s": "delete", "v": "delete", "k": "failed"}
    assert (done.exit_code, told["deleted"]) == (1, 2)
    assert told["failed"] == [{"site": SITE, "lab": "old-lab", "problem": "busy."}]
    assert f"Not all that old-lab has at {SITE} is deleted: busy." in done.stderr


def test_what_went_and_was_not_seen_to_be_gone_is_told(run: Run, memory: Memory) -> None:
    memory.of("keypair")["k"] = Keypair(id="k", name="k", mark=Mark("old-lab", ME.user_id))

    def refuse(request: str) -> None:
        if request == "compute.keypairs" and "compute.delete_keypair" in memory.requests:
            raise Auth("signed out")

    memory.hook = refuse
    done = run([], "--site", SITE, "--delete", "--yes")
    assert done.exit_code == 1
    assert f"What old-lab has at {SITE} is deleted, but not seen to be gone: signed out." in done.stderr
    assert "\n1 deleted.\n" in done.stdout


def test_a_lab_of_which_only_data_is_left_is_not_worked_on(run: Run, memory: Memory) -> None:
    memory.of("volume")["v"] = Volume(id="v", name="v", size_gib=1, mark=Mark("a-lab", ME.user_id))
    memory.of("keypair")["k"] = Keypair(id="k", name="k", mark=Mark("b-lab", ME.user_id))
    with lab_lock("a-lab", "up"):
        done = run([], "--site", SITE, "--delete", "--yes")
    assert done.exit_code == 0
    assert memory.count() == {"volume": 1}


def test_what_two_names_of_one_site_show_is_one(run: Run, memory: Memory) -> None:
    """As entries of clouds.yaml with another way to sign in each."""
    mark = Mark("old-lab", ME.user_id)
    memory.of("keypair")["k"] = Keypair(id="k", name="k", mark=mark)
    memory.of("bucket")["b"] = Bucket(id="b", name="b", mark=mark)
    done = run([SITE, "alias"], "--all-sites", "-o", "json")
    assert [(one["kind"], one["name"], one["site"]) for one in json.loads(done.stdout)["leftovers"]] == [
        ("key pair", "k", SITE),
        ("bucket", "b", SITE),
    ]
    done = run([SITE, "alias"], "--all-sites", "--delete", "--yes", "-o", "json")
    assert json.loads(done.stdout)["deleted"] == 1
