"""The services of a lab's servers, as the playbook that starts them has them, and how to see that they answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chiops.lab.services import JUPYTER_TOKEN, ServicesSpec, compose_path
from chiops.lab.spec import LabSpec, ServerSpec
from chiops.remote import built_image
from chiops.remote.service_images import ServiceImage, service_image

ANSWER_S = 10
"""Seconds that a service may take to answer."""
_WELL = (
    'ids=$(docker ps --all --quiet --filter label=com.docker.compose.project=chiops) && [ -n "$ids" ] && ! docker inspect'
    " --format '{{.HostConfig.RestartPolicy.Name}}/{{.State.Status}}/{{.State.ExitCode}}/{{with .State.Health}}{{.Status}}{{end}}'"
    " $ids | grep -vE '^([^/]*/running/[0-9]+/(healthy)?|(no)?/exited/0/.*)$'"
)
"""No published port would tell: Docker itself takes connections to them. As the role ``compose`` asks."""


def wanted(
    spec: LabSpec, server: ServerSpec, source: str, settings: Mapping[str, object], token: str
) -> dict[str, Any]:
    """What the playbook is told about a server's services; {} where it has none.

    Args:
        spec: the lab.
        server: one of its servers.
        source: where the lab's file is.
        settings: the site's ``node_settings``.
        token: Jupyter's token. Only a hash that covers it is in the answer.
    """
    services = server.services
    if not services:
        return {}
    mounted = {volume.name: volume.mount for volume in spec.volumes if volume.server == server.name and volume.mount}
    told: dict[str, Any] = {"images": [], "jupyter": {}, "compose": {}}
    if jupyter := services.jupyter:
        image = _image("jupyter", settings, told) if not jupyter.image else None
        buckets = {mount.path: mount.read_only for mount in spec.mounts if mount.server == server.name}
        told["jupyter"] = {
            "image": image.tag if image else jupyter.image,
            "port": jupyter.port,
            "work": _place(mounted, jupyter.volume, jupyter.work),
            "mounts": [{"path": path, "read_only": buckets[path]} for path in jupyter.mounts],
        }
    if compose := services.compose:
        images = {f"{name.upper()}_IMAGE": _image(name, settings, told).tag for name in compose.images}
        ports = {f"{name.upper()}_PORT": str(port) for name, port in compose.ports.items()}
        told["compose"] = {
            "text": compose_path(compose.file, source).read_text(encoding="utf-8"),
            "data": _place(mounted, compose.volume, compose.data),
            "folders": list(compose.folders),
            "secrets": list(compose.secrets),
            "variables": {**images, **ports, **compose.variables},
            "ports": list(compose.ports.values()),
        }
    for service in (told["jupyter"], told["compose"]):
        if service:
            secret = token if service is told["jupyter"] or JUPYTER_TOKEN in service["secrets"] else ""
            service["digest"] = hashlib.sha256(json.dumps([service, secret], sort_keys=True).encode()).hexdigest()
    return told


def with_contexts(nodes: Mapping[str, Any], folder: Path) -> dict[str, dict[str, Any]]:
    """What nodes are told, with what each of their images is built from written into ``folder``."""
    return {
        name: {**node, "services": {**node["services"], "images": _contexts(node["services"], folder)}}
        for name, node in nodes.items()
    }


def _contexts(told: Mapping[str, Any], folder: Path) -> list[dict[str, str]]:
    made = []
    for image in told.get("images", ()):
        path = folder / f"{image['name']}.tar"
        if not path.exists():
            path.write_bytes(built_image.archive(built_image.recipe(image["name"])))
        made.append({**image, "context": str(path)})
    return made


def checks(services: ServicesSpec) -> Iterator[tuple[str, str]]:
    """A server's services by name, each with a shell command that succeeds while it answers."""
    if services.compose:
        yield "compose", _WELL
    if port := services.jupyter_port:
        script = f"import urllib.request as web; web.urlopen('http://127.0.0.1:{port}/api', timeout={ANSWER_S}).read()"
        yield "jupyter", f'python3 -c "{script}" 2>/dev/null'


def _image(name: str, settings: Mapping[str, object], told: dict[str, Any]) -> ServiceImage:
    """The image, noted among those to build if it is one."""
    image = service_image(name, settings)
    if image.recipe and all(image.name != other["name"] for other in told["images"]):
        told["images"].append({"name": image.name, "tag": image.tag})
    return image


def _place(mounted: Mapping[str, str], volume: str | None, folder: str) -> str:
    """A folder on a volume, or as it stands: seen from the user's home."""
    return f"{mounted[volume]}/{folder}" if volume else folder
