"""The site's images: built or pulled once, and in Docker when a node needs them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chiops import progress
from chiops.cloud import handover
from chiops.cloud.base import Image
from chiops.cloud.local import bootstrap
from chiops.cloud.local.docker_api import translated
from chiops.cloud.local.locks import locked
from chiops.cloud.local.recipe import BENCH, FILES, NODE, Recipe
from chiops.errors import ChiopsError, CloudError, NotFound

if TYPE_CHECKING:
    from docker import DockerClient

    from chiops.cloud.local.site import LocalSite

NAMES = ("CC-Ubuntu24.04", "CC-Ubuntu22.04", "CC-Debian12")
"""Names that labs use; the site has one base for all."""
NOTE = "at the local site: a Debian 12 system container"
MIN_DISK_GIB = 2
"""The smallest volume that holds the base and leaves room to work."""
REGISTRY_BASE = "debian:bookworm"
REGISTRY_PYTHON = "python:3.11-slim-bookworm"
SITE_FILES = "/opt/chiops-site"
"""Where nodes see `files_dir`, read-only."""
BUILT = "images"
"""The folder there of images that nodes have built."""


def images() -> list[Image]:
    """What servers may be made from."""
    return [Image(id=name, name=name, min_disk_gib=MIN_DISK_GIB, note=NOTE) for name in NAMES]


def require_known(image_id: str) -> None:
    """Raise NotFound unless servers can be made from it."""
    if image_id not in NAMES:
        raise NotFound(f"No image {image_id} at the local site", todo=f"choose one of {', '.join(NAMES)}")


def files_dir(site: LocalSite) -> Path:
    """Files that every node sees, read-only, at `SITE_FILES`."""
    folder = site.cache / "site-files"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def ensure(site: LocalSite) -> str:
    """The name of the nodes' image in Docker, which has it afterwards. Built or pulled if it is nowhere yet.

    Raises:
        PrerequisiteMissing, Capacity, CloudError: as `bootstrap.archive`.
    """
    client = site.engine.client()
    if _present(client, NODE.image):
        return NODE.image
    with locked(site.root / "image.lock"):
        if not _present(client, NODE.image):
            if registry_answers(site):
                _build_on(client, NODE, REGISTRY_BASE)
            else:
                _import(client, NODE, bootstrap.archive(NODE, site.cache))
    return NODE.image


def ensure_bench_base(site: LocalSite) -> None:
    """Have the benchmarks' base image lie where nodes find it, if they cannot pull one."""
    if registry_answers(site):
        return
    target = files_dir(site) / f"bench-base-{BENCH.tag}.tar"
    if target.exists():
        return
    made = bootstrap.archive(BENCH, site.cache)
    with locked(site.cache / "site-files.lock"):
        target.unlink(missing_ok=True)
        target.hardlink_to(made)
        for old in set(target.parent.glob("bench-base-*.tar")) - {target}:
            old.unlink(missing_ok=True)


def node_settings(site: LocalSite) -> Mapping[str, object]:
    """Variables for playbooks on this site's nodes.

    ``bench_base_image`` is the benchmark container's base; ``bench_base_archive`` the tar on the node to import it from, empty
    where it is pulled; ``image_store`` where images lie that nodes have built, and ``image_store_here`` the same on this machine;
    ``pip_dirs`` the directories on the node that pip's settings name.
    """
    pulled = registry_answers(site)
    return {
        "bench_base_image": REGISTRY_PYTHON if pulled else BENCH.image,
        "bench_base_archive": "" if pulled else f"{SITE_FILES}/bench-base-{BENCH.tag}.tar",
        "image_store": f"{SITE_FILES}/{BUILT}",
        "image_store_here": str(files_dir(site) / BUILT),
        "pip_dirs": list(handover.collect().pip_dirs),
    }


def registry_answers(site: LocalSite) -> bool:
    """Whether images can be pulled. Asked once per site: what was decided then is what its images were made for."""
    if row := site.store.row("SELECT value FROM settings WHERE name = 'registry'"):
        return bool(int(row["value"]))
    from docker.errors import DockerException

    api: Any = site.engine.client().api
    try:
        api.inspect_distribution(REGISTRY_BASE)
        answers = True
    except DockerException:
        answers = False
    site.store.execute("INSERT OR REPLACE INTO settings VALUES ('registry', ?)", (str(int(answers)),))
    return answers


def _present(client: DockerClient, name: str) -> bool:
    with translated("Looking for the nodes' image"):
        return bool(client.api.images(name=name, quiet=True))


def _import(client: DockerClient, recipe: Recipe, tar: Path) -> None:
    changes = [f"LABEL chiops-recipe={recipe.tag}"]
    with (
        progress.task(f"Load the {recipe.title} into Docker"),
        translated(f"Loading the {recipe.title}"),
        tar.open("rb") as stream,
    ):
        answer: Any = client.api.import_image_from_data(stream, repository=recipe.name, tag=recipe.tag, changes=changes)
        if '"error"' in str(answer):
            raise CloudError(f"Docker refused the {recipe.title}", why=str(answer)[-300:])
    _forget_old(client, recipe)


def _forget_old(client: DockerClient, recipe: Recipe) -> None:
    """Remove what earlier recipes left in Docker, unless a node still uses it."""
    from docker.errors import APIError

    for image in client.api.images(name=recipe.name, filters={"label": "chiops-recipe"}):
        if recipe.image not in (image.get("RepoTags") or ()):
            with suppress(APIError):
                client.api.remove_image(image["Id"])


def _build_on(client: DockerClient, recipe: Recipe, base: str) -> None:
    """The same image on a pulled base, with this machine's package settings as far as apt needs them."""
    with progress.task(f"Build the {recipe.title} on {base} (once)") as task:
        try:
            _docker_build(client, recipe, base, task)
        except ChiopsError as error:
            raise type(error)(
                f"Building the {recipe.title} failed", why=error.why or error.what, todo=error.todo
            ) from error


def _docker_build(client: DockerClient, recipe: Recipe, base: str, task: progress.Task) -> None:
    import io
    import tarfile

    settings = handover.collect()
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, data in {
            "Dockerfile": _dockerfile(recipe, base).encode(),
            "apt.conf": "\n".join(settings.apt_options).encode() + b"\n",
            "finish.sh": (FILES / recipe.script).read_bytes(),
        }.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    context.seek(0)
    with translated("docker build"):
        for event in client.api.build(
            fileobj=context,
            custom_context=True,
            tag=recipe.image,
            rm=True,
            forcerm=True,
            pull=False,
            network_mode="host",
            decode=True,
        ):
            if "error" in event:
                raise CloudError("docker build failed", why=str(event["error"]))
            if text := str(event.get("stream", "")).strip():
                task.note(text.splitlines()[-1][:100])


def _dockerfile(recipe: Recipe, base: str) -> str:
    return (
        f"FROM {base}\n"
        "COPY apt.conf /etc/apt/apt.conf.d/90site\n"
        "COPY finish.sh /finish.sh\n"
        "RUN export DEBIAN_FRONTEND=noninteractive && apt-get -qq update"
        f" && apt-get -qq install -y --no-install-recommends {' '.join(recipe.packages)} && sh /finish.sh / && rm /finish.sh\n"
        f"LABEL chiops-recipe={recipe.tag}\n"
    )


def disk_free(site: LocalSite) -> int:
    """Free bytes where images, nodes and volumes are kept."""
    return shutil.disk_usage(site.root).free
