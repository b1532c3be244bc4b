"""The benchmark image, built on a real node out of what the site says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from chiops.cloud.base import Node
from chiops.cloud.local.cloud import LocalCloud
from chiops.remote.ansible import run_playbook
from chiops.remote.bench_image import bench_image_tag, ensure_bench_image
from chiops.remote.ssh import Ssh
from tests.conftest import ServerFactory

pytestmark = pytest.mark.nodes


@pytest.fixture(scope="module")
def settings(local_cloud: LocalCloud) -> Iterator[Mapping[str, object]]:
    """A small image is enough: what takes minutes, the libraries, is the journey's. Its store is a folder of its own."""
    site = local_cloud.node_settings
    here = Path(str(site["image_store_here"])).with_name("images-of-a-test")
    shutil.rmtree(here, ignore_errors=True)
    seen = str(Path(str(site["image_store"])).with_name(here.name))
    yield {**site, "image_store": seen, "image_store_here": str(here), "bench_requirements": ["pillow"]}
    shutil.rmtree(here)


@pytest.fixture(scope="module")
def node(server: ServerFactory) -> Node:
    made = server()
    run_playbook("docker", [made])
    return made


def test_it_is_built_once_and_found_again(node: Node, settings: Mapping[str, object]) -> None:
    tag = ensure_bench_image([node], settings)
    assert tag == bench_image_tag(settings)
    created = Ssh(node).run("docker", "image", "inspect", "--format={{.Created}}", tag).stdout
    assert ensure_bench_image([node], settings) == tag
    assert Ssh(node).run("docker", "image", "inspect", "--format={{.Created}}", tag).stdout == created


def test_a_second_run_of_the_playbook_changes_nothing(node: Node, settings: Mapping[str, object]) -> None:
    variables = {"bench_tag": bench_image_tag(settings), "bench_context": "/nowhere", "built_image_base": "not used"}
    assert run_playbook("bench_image", [node], variables=variables).changed == 0


def test_our_code_is_in_it_and_the_packages_are(node: Node, settings: Mapping[str, object]) -> None:
    look = "import etl, loaders, PIL; print(PIL.__file__)"
    done = Ssh(node).run("docker", "run", "--rm", bench_image_tag(settings), "python", "-c", look)
    assert done.stdout.startswith("/opt/bench/")


def test_the_wheels_do_not_stay_in_it(node: Node, settings: Mapping[str, object]) -> None:
    done = Ssh(node).run(
        "docker", "run", "--rm", bench_image_tag(settings), "sh", "-c", "ls /wheels 2>/dev/null | wc -l"
    )
    assert done.stdout.strip() == "0"


def test_the_next_node_loads_it(node: Node, settings: Mapping[str, object]) -> None:
    """Built it can't be: there is no such base."""
    tag = bench_image_tag(settings)
    before = Ssh(node).run("docker", "image", "inspect", "--format={{.Id}}", tag).stdout
    Ssh(node).run("docker", "image", "rm", tag)
    variables = {"bench_tag": tag, "bench_context": "/nowhere", "built_image_base": "none:1"}
    done = run_playbook("bench_image", [node], variables={**variables, "built_image_store": settings["image_store"]})
    assert done.changed == 1
    assert Ssh(node).run("docker", "image", "inspect", "--format={{.Id}}", tag).stdout == before


def test_nothing_else_is_left_on_the_node(node: Node) -> None:
    assert Ssh(node).run("docker", "ps", "--all", "--quiet").stdout == ""
