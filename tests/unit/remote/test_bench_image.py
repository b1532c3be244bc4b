"""The benchmark image's name, its parts, and when it is built."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chiops import assets
from chiops.cloud.base import Node
from chiops.remote import bench_image
from chiops.remote.bench_image import bench_image_tag, ensure_bench_image
from tests.unit.remote.conftest import program


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The parts, copied to where a test may change them."""
    root = tmp_path / "parts"
    shutil.copytree(assets.templates() / "docker", root / "templates" / "docker")
    for name in ("etl", "loaders"):
        shutil.copytree(assets.package(name), root / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(assets, "templates", lambda: root / "templates")
    monkeypatch.setattr(assets, "package", lambda name: root / name)
    return root


@pytest.mark.parametrize("part", ["templates/docker/bench/Dockerfile", "etl/__main__.py", "loaders/__main__.py"])
def test_the_name_changes_with_every_part(tree: Path, part: str) -> None:
    before = bench_image_tag({})
    with (tree / part).open("a") as file:
        file.write("# changed\n")
    assert bench_image_tag({}) != before


def test_the_name_changes_with_the_settings_that_matter(tree: Path) -> None:
    plain = bench_image_tag({})
    assert bench_image_tag({"bench_base_archive": "/a.tar", "elsewhere": 1}) == plain
    named = {bench_image_tag({"bench_base_image": "python:3.12"}), bench_image_tag({"bench_requirements": ["torch"]})}
    assert len(named | {plain}) == 3


def test_compiled_files_do_not_count(tree: Path) -> None:
    before = bench_image_tag({})
    (tree / "etl" / "__pycache__").mkdir()
    (tree / "etl" / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert bench_image_tag({}) == before


def docker(bin_dir: Path, code: int) -> None:
    program(bin_dir / "docker", f"#!/bin/sh\nexit {code}\n")


def test_nodes_that_have_it_are_left_alone(node: Node, bin_dir: Path, ssh_log: Path, monkeypatch: Any) -> None:
    docker(bin_dir, 0)
    monkeypatch.setattr(bench_image, "run_playbook", lambda *_args, **_more: pytest.fail("built again"))
    assert ensure_bench_image([node, replace(node, name="node-2")], {}) == bench_image_tag({})


def test_it_is_built_from_all_its_parts_where_it_is_missing(
    node: Node, bin_dir: Path, ssh_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(bin_dir, 1)
    seen: dict[str, Any] = {}

    def run(name: str, nodes: list[Node], *, variables: Mapping[str, Any], parent_task: object) -> None:
        with tarfile.open(fileobj=io.BytesIO(Path(variables["bench_context"]).read_bytes())) as tar:
            requirements = tar.extractfile("requirements.txt")
            seen.update(
                variables, name=name, nodes=nodes, names=tar.getnames(), asked=requirements and requirements.read()
            )

    monkeypatch.setattr(bench_image, "run_playbook", run)
    settings = {
        "bench_base_archive": "/srv/base.tar",
        "bench_base_image": "base:1",
        "bench_requirements": ["torch", "numpy"],
    }
    tag = ensure_bench_image([node], settings)
    assert seen["name"] == "bench_image"
    assert seen["nodes"] == [node]
    assert seen["bench_tag"] == tag
    assert (seen["built_image_base"], seen["built_image_base_archive"]) == ("base:1", "/srv/base.tar")
    assert {"Dockerfile", "constraints.txt", "etl/__main__.py", "loaders/__main__.py"} <= set(seen["names"])
    assert seen["asked"] == b"torch\nnumpy\n"
    assert not Path(seen["bench_context"]).exists()


def test_every_requirement_is_pinned_and_constrained() -> None:
    folder = assets.templates() / "docker" / "bench"

    def pins(name: str) -> dict[str, str]:
        lines = (line for line in (folder / name).read_text().splitlines() if line and not line.startswith("#"))
        return dict(line.split("==") for line in lines)

    wanted, all_pins = pins("requirements.txt"), pins("constraints.txt")
    assert wanted.items() <= all_pins.items()
