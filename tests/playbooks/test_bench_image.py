"""The benchmark image, built on a real node out of what the site says."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from chiops.cloud.base import Node
from chiops.cloud.local.cloud import LocalCloud
from chiops.remote.ansible import run_playbook
from chiops.remote.bench_image import bench_image_tag, ensure_bench_image
from chiops.remote.ssh import Ssh
from tests.conftest import ServerFactory

pytestmark = pytest.mark.nodes


@pytest.fixture(scope="module")
def settings(local_cloud: LocalCloud) -> Mapping[str, object]:
    """A small image is enough: what takes minutes, the libraries, is the journey's."""
    return {**local_cloud.node_settings, "bench_requirements": ["pillow"]}


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
    variables = {"bench_tag": bench_image_tag(settings), "bench_context": "/nowhere", "bench_base_image": "not used"}
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


def test_nothing_else_is_left_on_the_node(node: Node) -> None:
    assert Ssh(node).run("docker", "ps", "--all", "--quiet").stdout == ""
