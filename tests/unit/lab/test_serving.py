"""What the playbook is told about services, and what of it changes when."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from chiops.cloud.base import Node
from chiops.lab import health, node_checks, serving
from chiops.lab.health import Health
from chiops.lab.loader import load, parse

NO_REGISTRY = {"bench_base_image": "base:1", "bench_base_archive": "/base.tar"}
LAB = """\
version: 1
name: lab
security_groups: [{name: web, rules: [{port: 8000, port_max: 8999}]}]
servers:
  - name: node
    flavor: m1.tiny
    security_groups: [web]
    services:
      compose: {file: mine.yaml, data: services, ports: {web: 8000}, variables: {COLOR: red}, secrets: [password]}
"""


def told(lab: str, settings: dict[str, object] | None = None, *, token: str = "", **values: str) -> dict[str, Any]:
    spec = load(lab, {"net_id": "ff524", **values}).spec
    return serving.wanted(spec, spec.servers[0], lab, settings or {}, token)


def test_jupyter_works_on_the_volume_and_is_built_where_nothing_can_be_pulled() -> None:
    found = told("block-lab", NO_REGISTRY)
    assert found["jupyter"]["work"] == "/mnt/block/workspace"
    assert found["images"] == [{"name": "jupyter", "tag": found["jupyter"]["image"]}]
    assert found["jupyter"]["image"].startswith("chiops-jupyter:")


def test_the_buckets_mount_is_passed_in_as_it_is_mounted() -> None:
    found = told("object-lab")
    assert found["jupyter"]["mounts"] == [{"path": "/mnt/object", "read_only": True}]
    assert found["jupyter"]["image"] == "quay.io/jupyter/minimal-notebook:latest"
    assert found["images"] == []


def test_a_lab_without_services_tells_nothing() -> None:
    assert told("block-lab", jupyter="false") == {}


def test_the_token_is_in_nothing_that_is_told_but_changes_its_digest() -> None:
    for lab, service in (("block-lab", "jupyter"), ("mlops-platform", "compose")):
        one, other = told(lab, token="a1b2c3"), told(lab, token="d4e5f6")
        assert "a1b2c3" not in json.dumps(one)
        assert one[service]["digest"] != other[service]["digest"]
        assert one == told(lab, token="a1b2c3")


def test_a_compose_file_that_holds_no_token_is_not_moved_by_it(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("services: {}\n")
    source = str(tmp_path / "lab.yaml")
    spec = parse(LAB, source, {}).spec
    one, other = (serving.wanted(spec, spec.servers[0], source, {}, token) for token in ("1", "2"))
    assert one == other
    assert one["compose"]["variables"] == {"WEB_PORT": "8000", "COLOR": "red"}
    assert one["compose"]["text"] == "services: {}\n"
    (tmp_path / "mine.yaml").write_text("services: {a: {image: b}}\n")
    changed = serving.wanted(spec, spec.servers[0], source, {}, "1")
    assert changed["compose"]["digest"] != one["compose"]["digest"]


def test_every_image_of_the_platform_reaches_its_compose_file() -> None:
    variables = told("mlops-platform", NO_REGISTRY)["compose"]["variables"]
    assert {key for key in variables if key.endswith("_IMAGE")} == {
        "POSTGRES_IMAGE", "SEAWEEDFS_IMAGE", "JUPYTER_IMAGE", "MLFLOW_IMAGE",
    }  # fmt: skip
    # MLflow's own image lacks the drivers, so ours is built everywhere.
    pulled = told("mlops-platform")
    assert [image["name"] for image in pulled["images"]] == ["mlflow"]
    assert pulled["compose"]["data"] == "/mnt/block/mlops"


def test_what_an_image_is_built_from_is_packed_once(tmp_path: Path) -> None:
    node = {"services": told("block-lab", NO_REGISTRY)}
    nodes = serving.with_contexts({"a": node, "b": node, "c": {"services": {}}}, tmp_path)
    (image,) = nodes["a"]["services"]["images"]
    assert nodes["b"]["services"]["images"] == [image]
    assert nodes["c"]["services"]["images"] == []
    with tarfile.open(image["context"]) as tar:
        assert tar.getnames() == ["Dockerfile", "constraints.txt", "requirements.txt"]


@pytest.mark.parametrize(("lab", "count"), [("block-lab", 1), ("mlops-platform", 2)])
def test_every_service_is_asked_whether_it_answers(lab: str, count: int) -> None:
    spec = load(lab, {"net_id": "ff524"}).spec
    checks = dict(serving.checks(spec.servers[0].services))
    assert len(checks) == count
    assert "http://127.0.0.1:8888/api" in checks["jupyter"]


def test_a_silent_service_is_what_ails_its_node(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load("block-lab", {"net_id": "ff524"}).spec
    (server,) = spec.servers
    node = Node(name=server.name, address="10.0.0.1", user="cc", key_file=Path("key"), known_hosts=Path("known_hosts"))
    well = "disk 99\ndocker active\nmount /mnt/block\nservice jupyter"
    monkeypatch.setattr(health, "ask", lambda *_: health.read(well))
    assert health.of_node(spec, node) == Health(True, "answers ssh, /mnt/block readable, jupyter answers")
    monkeypatch.setattr(health, "ask", lambda *_: health.read(f"{well} does not answer"))
    assert health.of_node(spec, node) == Health(False, "jupyter does not answer")
    silent = [one for one in node_checks.check(spec, node) if one.verdict == "failed"]
    assert [(one.name, one.detail) for one in silent] == [(f"block-lab: {server.name}: jupyter", "does not answer")]


@pytest.mark.parametrize(
    ("containers", "well"),
    [
        (["unless-stopped/running/0/healthy", "always/running/0/", "no/exited/0/"], True),
        (
            ["unless-stopped/exited/0/unhealthy"],
            False,
        ),  # stopped by hand: a database ends well, and is gone all the same
        (["always/running/0/healthy", "no/exited/1/"], False),
        (["always/running/0/starting"], False),
        (["always/restarting/1/"], False),
        ([], False),
    ],
)
def test_what_is_well_is_up_or_has_ended_for_good(tmp_path: Path, containers: list[str], well: bool) -> None:
    docker = tmp_path / "docker"
    lines = "".join(f"  echo {line}\n" for line in containers)
    docker.write_text(f"#!/bin/sh\nif [ $1 = ps ]; then echo {' '.join('x' * len(containers))}; else\n  :\n{lines}fi\n")
    docker.chmod(0o755)
    _, check = next(serving.checks(load("mlops-platform", {"net_id": "ff524"}).spec.servers[0].services))
    done = subprocess.run(
        ["sh", "-c", f"true && {check}"], env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=False
    )
    assert (done.returncode == 0) is well
