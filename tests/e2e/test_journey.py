"""The journey of `make demo`, smaller: up, data, bench, report, down, by the commands that a person types."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Chiops
from tests.support.exposed import Arguments, exposed, secrets
from tests.support.leftovers import assert_clean
from tests.unit.etl.test_formats import STRANGE
from tests.unit.etl.trees import plant

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(1800)]
IMAGES = "330"
FORMATS = ("imagefolder", "webdataset", "litdata", "mds")


@pytest.fixture(scope="module")
def arguments() -> Iterator[Arguments]:
    """Watches from before the first command."""
    with Arguments() as watched:
        yield watched


@pytest.fixture(scope="module")
def lab(chiops: Chiops, arguments: Arguments) -> Iterator[dict[str, Any]]:
    """The object lab, up; its JSON."""
    yield chiops.ok("up", "object-lab", "--site", "local", "--yes", "-o", "json", "--set", "net_id=e2e").json()
    chiops.ok("down", "--purge-bucket", "--purge-volume", "--yes")
    assert chiops.ok("status", "-o", "json").json() == []


@pytest.fixture(scope="module")
def prepared(chiops: Chiops, lab: dict[str, Any]) -> dict[str, Any]:
    """A small dataset in every format, in the bucket; what `data prepare` said."""
    formats = [word for name in FORMATS for word in ("--format", name)]
    return chiops.ok(
        "data", "prepare", "--dataset", "food11-synthetic", "--images", IMAGES, *formats, "-o", "json"
    ).json()


def test_the_printed_ssh_command_works(lab: dict[str, Any]) -> None:
    (node,) = lab["nodes"]
    done = subprocess.run(
        [*shlex.split(node["ssh"]), "hostname"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == node["name"], done.stderr


def test_a_second_up_changes_nothing(chiops: Chiops, lab: dict[str, Any]) -> None:
    again = chiops.ok("up", "object-lab", "--yes", "-o", "json").json()
    assert (again["changed"], again["configured"]) == (0, 0)
    assert again["nodes"] == lab["nodes"]


def test_the_plan_of_a_lab_that_is_up_is_empty(chiops: Chiops, lab: dict[str, Any]) -> None:
    plan = chiops.ok("plan", "object-lab", "-o", "json").json()
    assert plan["changes"] == 0
    assert {step["op"] for step in plan["steps"]} == {"keep"}


def test_a_rule_removed_by_hand_is_found_and_repaired(chiops: Chiops, lab: dict[str, Any]) -> None:
    code = (
        "from chiops.cloud.sites import connect\n"
        "with connect('local') as cloud:\n"
        "    group = next(g for g in cloud.network.security_groups() if g.name == 'allow-8888')\n"
        "    cloud.network.remove_rule(group.id, group.rules[0])"
    )
    subprocess.run([chiops.argv()[0], "-c", code], env=chiops.env, check=True)
    (change,) = [step for step in chiops.ok("plan", "object-lab", "-o", "json").json()["steps"] if step["op"] != "keep"]
    assert (change["op"], change["name"]) == ("update", "allow-8888")
    (drift,) = chiops.ok("status", "-o", "json").json()[0]["drift"]
    assert (drift["field"], drift["has"], drift["wants"]) == ("tcp 8888 from 0.0.0.0/0", "closed", "open")
    assert chiops.ok("up", "object-lab", "--yes", "-o", "json").json()["changed"] == 1


def test_status_tells_the_time_left_and_the_way_in(chiops: Chiops, lab: dict[str, Any]) -> None:
    (status,) = chiops.ok("status", "-o", "json").json()
    parts = {part["kind"]: part for part in status["parts"]}
    assert 0 < parts["lease"]["extra"]["seconds_left"] <= 4 * 3600
    assert parts["server"]["extra"]["ssh"] == lab["nodes"][0]["ssh"]
    assert (parts["server"]["health"], parts["bucket"]["health"], status["drift"]) == ("ok", "ok", [])
    (end,) = status["endings"]
    assert (end["servers"], end["safe"], end["lost"]) == ([lab["nodes"][0]["name"]], ["/mnt/object"], ["/home/cc"])
    assert "lease-object-e2e" in chiops.ok("status").out


def test_doctor_finds_nothing_to_mend(chiops: Chiops, lab: dict[str, Any]) -> None:
    findings = chiops.ok("doctor", "-o", "json").json()
    assert [one for one in findings if one["verdict"] == "failed"] == []
    assert any(one["name"] == "object-lab: /mnt/object" for one in findings)


def test_a_lab_that_was_forgotten_is_found_and_taken_up_again(chiops: Chiops, lab: dict[str, Any]) -> None:
    for file in (chiops.state_home / "chiops").glob("chiops.db*"):
        file.unlink()
    assert chiops.ok("status", "-o", "json").json() == []
    left = chiops.ok("sweep", "-o", "json").json()
    assert {one["lab"] for one in left["leftovers"]} == {"object-lab"}
    assert left["deleted"] == 0
    adopted = chiops.ok("adopt", "object-lab", "--site", "local", "-o", "json").json()
    assert (adopted["settings"]["net_id"], adopted["drift"]) == ("e2e", [])
    assert chiops.ok("up", "object-lab", "--yes", "-o", "json").json()["changed"] == 0
    assert chiops.ok("sweep", "-o", "json").json()["leftovers"] == []


def test_exec_gives_each_nodes_output_and_code(chiops: Chiops, lab: dict[str, Any]) -> None:
    assert chiops.ok("exec", "--", "id", "-un").out == "cc\n"
    assert chiops.run("exec", "--", "sh", "-c", "exit 7").code == 7


def test_the_data_are_in_the_bucket_and_on_the_mount(chiops: Chiops, prepared: dict[str, Any]) -> None:
    assert set(prepared["formats"]) == set(FORMATS)
    top = set(chiops.ok("exec", "--", "ls", "/mnt/object").out.split())
    assert {"Food-11", "Food-11-webdataset", "Food-11-litdata", "Food-11-mds"} <= top
    shown = chiops.ok("bucket", "show", "object-chi-e2e", "-o", "json").json()
    assert shown["objects"] >= int(IMAGES)
    chiops.ok("data", "verify")


def test_jupyter_reads_the_mount_also_when_it_was_mounted_anew(chiops: Chiops, prepared: dict[str, Any]) -> None:
    assert "/lab?token=" in chiops.ok("jupyter", "url").out
    inside = ("exec", "--", "docker", "exec", "jupyter")
    assert "Food-11" in chiops.ok(*inside, "ls", "/mnt/object").out.split()
    assert "Read-only" in chiops.run(*inside, "touch", "/mnt/object/x").err
    chiops.ok("exec", "--", "sudo", "systemctl", "restart", "chiops-bucket-mnt-object.service")
    assert "Food-11" in chiops.ok(*inside, "ls", "/mnt/object").out.split()


def test_preparing_again_uploads_nothing(chiops: Chiops, prepared: dict[str, Any]) -> None:
    again = chiops.ok(
        "data", "prepare", "--dataset", "food11-synthetic", "--images", IMAGES,
        *(word for name in FORMATS for word in ("--format", name)), "-o", "json",
    ).json()  # fmt: skip
    assert {one["uploaded"] for one in again["formats"].values()} == {0}
    assert [one["sha256"] for one in again["formats"].values()] == [
        one["sha256"] for one in prepared["formats"].values()
    ]


def test_images_of_ones_own_go_by_stages_from_here_into_the_bucket_and_out_of_an_index(
    chiops: Chiops, lab: dict[str, Any], tmp_path: Path
) -> None:
    folder = plant(tmp_path / "my pets", [f"{split}/{name}" for split in ("train", "val") for name in STRANGE])
    told = chiops.refused("data", "prepare", "--dataset", "imagefolder", "--source", str(folder / "train" / "-rf"))
    assert "is a tree without classes: '--.jpg' lies in no folder" in told
    torn = folder / "val" / STRANGE[0]
    whole = torn.read_bytes()
    torn.write_bytes(whole[:-9])
    mine = ("data", "prepare", "--dataset", "imagefolder", "--source", str(folder), "--format", "all")
    assert "not extracted yet" in chiops.refused(*mine, "--stage", "transform")
    chiops.ok(*mine, "--stage", "extract")
    assert f"the image validation/{STRANGE[0]} is damaged" in chiops.refused(*mine, "--stage", "transform")
    torn.write_bytes(whole)
    made = chiops.ok(*mine, "-o", "json").json()
    assert made["classes"] == sorted(name.partition("/")[0] for name in STRANGE)
    assert {name: split["images"] for name, split in made["splits"].items()} == {
        "training": len(STRANGE), "validation": len(STRANGE)
    }  # fmt: skip
    assert {one["prefix"] for one in made["formats"].values()} == {
        "my-pets", "my-pets-webdataset", "my-pets-litdata", "my-pets-mds"
    }  # fmt: skip
    assert len(chiops.ok("data", "verify", "--dataset", "my-pets", "-o", "json").json()) == 4
    assert "there are no images under" in chiops.refused("data", "index", "nothing/here")
    assert chiops.ok("data", "index", "my-pets/validation", "--to", "val.json", "-o", "json").json()["keys"] == 5
    listed = ("data", "prepare", "--dataset", "index", "--source", "val.json", "--format", "webdataset")
    again = chiops.ok(*listed, "-o", "json").json()
    assert again["splits"] == {"validation": made["splits"]["validation"]}
    staged = ("data", "prepare", "--dataset", "imagefolder", "--source", "node:/var/lib/chiops/data/my-pets/my-pets")
    same = chiops.ok(*staged, "--name", "again", "-o", "json").json()
    assert same["splits"] == made["splits"]


def test_a_full_disk_on_the_node_is_foreseen(chiops: Chiops, prepared: dict[str, Any]) -> None:
    place = "/var/lib/chiops/data/food11-synthetic"
    chiops.ok("exec", "--", "sudo", "mount", "-t", "tmpfs", "-o", "size=70m", "tmpfs", place)
    try:
        told = chiops.refused("data", "prepare", "--images", IMAGES, "--seed", "7")
        assert "on the node's disk, and it has" in told
    finally:
        chiops.ok("exec", "--", "sudo", "umount", place)


def test_the_benchmark_measures_every_pipeline_and_gives_a_report(chiops: Chiops, prepared: dict[str, Any]) -> None:
    small = ("--repeat", "1", "--workers", "1", "--batches", "4", "--cache", "cold")
    choices = ("--format", "all", "--fetcher", "stream", "--mount", "s3fs", "--emulate", "h100")
    run = chiops.ok("bench", "run", *choices, *small, "-o", "json").json()
    assert run["state"] == "complete"
    arms = {arm["format"]: arm for arm in run["arms"]}
    assert len(arms) == 7
    assert len({arm["metrics"]["content_hash"] for arm in run["arms"]}) == 1
    for arm in run["arms"]:
        assert arm["metrics"]["images_per_s"] > 0
        assert 0 < arm["metrics"]["accelerator_utilisation"] < 1
        assert {"getitem", "fetch", "worker_loop", "epoch"} <= set(arm["metrics"]["layers"])
    assert (arms["object"]["client"], arms["object"]["fetcher"]) == ("obstore", "stream")
    # 128 samples, a request each, the listing apart
    assert 128 <= arms["object"]["metrics"]["client_requests"] <= 140
    assert 0.95 < arms["object"]["metrics"]["net_ratio"] < 1.25
    before = arms["imagefolder-mount"]["mount_before"]
    assert (before["backend"], before["restarted"], before["cache_files"]) == ("s3fs", True, 0)
    assert chiops.ok("exec", "--", "sh", "-c", "mount | grep -c chiops-bench || true").out == "0\n"
    unknown = [name for name, value in run["environment"].items() if value == "unknown"]
    assert unknown == []
    (file,) = (chiops.folder / "results").glob("bench-*.json")
    assert json.loads(file.read_text()) == run
    report = chiops.ok("bench", "report", "-o", "json").json()
    page = Path(report["html"] if report["html"].startswith("/") else chiops.folder / report["html"]).read_text()
    assert all(name in page for name in arms)
    assert not re.search(r"""(src|href)=["']?(https?:)?//|url\(["']?(https?:)?//""", page)
    assert {line["layer"] for line in chiops.ok("bench", "layers", "-o", "json").json()} >= {"getitem", "epoch"}


def test_no_secret_is_where_others_can_read_it(
    chiops: Chiops, lab: dict[str, Any], prepared: dict[str, Any], arguments: Arguments
) -> None:
    words = secrets(chiops)
    said = [chiops.ok("status", "-o", "json"), chiops.ok("up", "object-lab", "--yes", "-v", "-o", "json")]
    said.append(chiops.ok("data", "verify", "-v"))
    assert list(exposed(chiops, words, said, arguments, lab["nodes"][0]["ssh"])) == []
    assert any(b"python\0-m\0etl" in told for told in arguments.seen), "the data's container was watched"


def test_down_needs_a_word_and_keeps_the_bucket(chiops: Chiops, lab: dict[str, Any], prepared: dict[str, Any]) -> None:
    assert "add --yes" in chiops.refused("down").lower()
    down = chiops.ok("down", "--yes", "-o", "json").json()
    assert [(one["kind"], one["name"]) for one in down["kept"]] == [("bucket", "object-chi-e2e")]
    assert_clean(chiops.state_home)


def test_the_bucket_is_there_again_after_up(chiops: Chiops, lab: dict[str, Any], prepared: dict[str, Any]) -> None:
    chiops.ok("up", "object-lab", "--yes")
    assert "Food-11" in chiops.ok("exec", "--", "ls", "/mnt/object").out
