"""The containers that are the site's servers. Docker is the truth about which servers exist; this asks it."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from chiops.cloud.local.docker_api import translated
from chiops.errors import CloudError, NotFound

if TYPE_CHECKING:
    from docker import DockerClient

    from chiops.cloud.local.site import LocalSite

_STOP_S = 3
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-_])")
KIND = "server"
ID_LABEL = "chiops-server"
"""The label that carries a server's id."""


def every(site: LocalSite) -> list[dict[str, Any]]:
    """All server containers as Docker lists them, in one request. Docker is started only if the site has servers."""
    client = site.engine.running()
    if client is None:
        if not any(site.nodes_dir.glob("*/")):
            return []
        # it died, or the machine was rebooted: what it cannot tell us is not gone
        client = site.engine.client()
    with translated("Listing the local site's servers"):
        found: list[dict[str, Any]] = client.api.containers(all=True, filters=site.filters(KIND))
    return found


def one(site: LocalSite, server_id: str) -> dict[str, Any]:
    """A server's container as Docker lists it.

    Raises:
        NotFound: there is no such server.
    """
    for container in every(site):
        if container["Labels"].get(ID_LABEL) == server_id:
            return container
    raise NotFound(f"No server {server_id} at the local site")


def is_running(container: Mapping[str, Any]) -> bool:
    """Whether a listed container runs."""
    return bool(container["State"] == "running")


def server_ids(site: LocalSite) -> set[str]:
    """The ids of all servers that exist."""
    return {container["Labels"].get(ID_LABEL, "") for container in every(site)}


def run(site: LocalSite, server_id: str, command: Sequence[str]) -> str:
    """Run a command as root on a running node, beside whatever its users do; what it prints.

    Raises:
        NotFound: there is no such server.
        CloudError: the command failed; its last line is the reason.
    """
    container = one(site, server_id)
    api = site.engine.client().api
    with translated(f"Running {command[0]} on node {container['Labels'].get('chiops-name', server_id)}"):
        started = api.exec_create(container["Id"], list(command), user="root")["Id"]
        output = bytes(api.exec_start(started)).decode(errors="replace")
        status = api.exec_inspect(started)["ExitCode"]
    if status:
        lines = output.strip().splitlines()
        raise CloudError(
            f"{command[0]} failed on node {server_id}", why=lines[-1] if lines else f"it ended with {status}"
        )
    return output


def console(site: LocalSite, server_id: str, lines: int) -> str:
    """The last lines that a node printed to its console, without a terminal's escapes.

    Raises:
        NotFound: there is no such server.
    """
    container = one(site, server_id)
    with translated("Reading a server's console"):
        output = site.engine.client().api.logs(container["Id"], tail=max(lines, 1))
    text = _ESCAPES.sub("", bytes(output).decode(errors="replace")).replace("\r", "")
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])


def remove_helpers(site: LocalSite, *, servers: bool = False) -> None:
    """Stop and remove every container of the site that is no server: the S3 server, and what a killed process left.

    With ``servers`` those too.
    """
    if (client := site.engine.running()) is None:
        return
    with translated("Stopping the local site"):
        for container in client.api.containers(all=True, filters={"label": [f"chiops-site={site.id}"]}):
            if servers or container["Labels"].get("chiops-kind") != KIND:
                with suppress(NotFound), translated("Stopping the local site"):
                    client.api.stop(container["Id"], timeout=_STOP_S)
                    client.api.remove_container(container["Id"], v=True, force=True)


def put(client: DockerClient, container_id: str, files: Mapping[str, tuple[bytes, int]]) -> None:
    """Write files (absolute path → content and mode) into a container, running or not, as root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, (content, mode) in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    with translated("Writing a node's files"):
        client.api.put_archive(container_id, "/", buffer.getvalue())
