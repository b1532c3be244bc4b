"""The container image that datasets are prepared and pipelines are timed in: built on each node, once per content."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chiops import assets
from chiops.cloud.base import Node
from chiops.progress import Task
from chiops.remote import built_image, image_store
from chiops.remote.ansible import run_playbook
from chiops.remote.ssh import Ssh

_SETTINGS = ("bench_base_image", "bench_requirements")
_PACKAGES = ("etl", "loaders")


def bench_image_tag(settings: Mapping[str, object]) -> str:
    """The image's name: it tells the content, so that a node that has it needs no build.

    Args:
        settings: the site's ``node_settings``. ``bench_base_image`` is the image to start from; ``bench_requirements``
            (lines of a requirements file) replaces our own.
    """
    return built_image.tag("bench", _parts(settings), *(settings.get(key) for key in _SETTINGS))


def ensure_bench_image(
    nodes: Sequence[Node], settings: Mapping[str, object], *, parent_task: Task | None = None
) -> str:
    """Have the image on every node, building it where it is missing, and return its name.

    Args:
        nodes: where it is needed; Docker must be there.
        settings: the site's ``node_settings``; see `bench_image_tag`. ``bench_base_archive``, if set, is a tar on the
            nodes that the base image is imported from instead of being pulled; for the rest see `image_store`.
        parent_task: the progress task to report under.

    Raises:
        RemoteFailed: a node is not reached, or packages or base image could not be had.
    """
    tag = bench_image_tag(settings)
    with ThreadPoolExecutor(max_workers=max(1, len(nodes))) as pool:
        missing = [
            node for node, there in zip(nodes, pool.map(lambda node: _has(node, tag), nodes), strict=True) if not there
        ]
    if missing:
        with tempfile.TemporaryDirectory() as folder:
            context = Path(folder) / "bench.tar"
            context.write_bytes(built_image.archive(_parts(settings)))
            variables = {
                "bench_tag": tag,
                "bench_context": str(context),
                **built_image.base_variables(settings),
            }
            run_playbook("bench_image", missing, variables=variables, parent_task=parent_task)
        image_store.keep(missing[0], [tag], settings)
    return tag


def _has(node: Node, tag: str) -> bool:
    return Ssh(node).run("docker", "image", "inspect", "--format=ok", tag, check=False).returncode == 0


def _parts(settings: Mapping[str, object]) -> Iterator[tuple[str, bytes]]:
    """What the image is built from, by its path in the build context, in a fixed order."""
    for name, content in built_image.recipe("bench"):
        if name == "requirements.txt" and (lines := settings.get("bench_requirements")):
            assert isinstance(lines, list | tuple)  # noqa: S101 - the sites' schema says so
            yield name, "".join(f"{line}\n" for line in lines).encode()
        else:
            yield name, content
    for package in _PACKAGES:
        root = assets.package(package)
        for file in sorted(root.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield f"{package}/{file.relative_to(root).as_posix()}", file.read_bytes()
