"""From a bare server to one that does what the lab says: one Ansible run for all nodes, left out where nothing would change."""

from __future__ import annotations

import hashlib
import json
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chiops import assets, progress
from chiops.cloud.base import Node, S3Access, SwiftAccess, Volume
from chiops.errors import RemoteFailed
from chiops.lab import remotes, serving, tokens
from chiops.lab.spec import LabSpec, MountSpec
from chiops.lab.volumes import RIGHT_DISK, mount_of
from chiops.remote import built_image, fuse, image_store
from chiops.remote.connection import TimeUp
from chiops.resources import waiting

if TYPE_CHECKING:
    from chiops.remote.ssh import Ssh

STAMP = "/var/lib/chiops/configured"
"""On the node: the fingerprint of what it was last configured with."""

READY_TIMEOUT_S = 1200.0
CHECK_TIMEOUT_S = 120.0
"""For one command on a node that works; emulated machines have taken 35 s."""
# Who waits for FUSE can't be ended, and `timeout` waits for what it started: so it ends a shell, whose child keeps no stream open.
_READ = """{}timeout 20 sh -c 'mountpoint -q "$1" && ls "$1"; exit $?' sh {} >/dev/null 2>&1"""


def configure(
    spec: LabSpec,
    nodes: Sequence[Node],
    access: Mapping[str, S3Access],
    volumes: Mapping[str, Volume],
    settings: Mapping[str, object],
    *,
    swift: SwiftAccess | None = None,
    source: str = "",
    force: bool = False,
) -> int:
    """Wait for ssh and bring every node to what the lab says.

    Args:
        spec: the lab.
        nodes: its servers, each under its name.
        access: the buckets by name.
        volumes: the volumes by name.
        settings: the site's variables for the playbooks, `Cloud.node_settings`.
        swift: how the nodes sign in over Swift, if they can.
        source: where the lab's file is; compose files may lie beside it.
        force: run the playbook even where the node says that it is as it should be.

    Returns:
        How many tasks changed something; 0 if all was as it should be.

    Raises:
        RemoteFailed: a node is not reached, or a task failed on it.
    """
    from chiops.remote.ssh import Ssh

    nodes = [node for node in nodes if _steps(spec, node) or volumes_of(spec, node.name)]
    if not nodes:
        return 0
    serves = any(server.services.jupyter_port for server in spec.servers)
    token = tokens.token(spec.name) if serves else ""
    services = {one.name: serving.wanted(spec, one, source, settings, token) for one in spec.servers}
    wanted = {node.name: {**_wanted(spec, node, volumes), "services": services[node.name]} for node in nodes}
    prints = {node.name: fingerprint(wanted[node.name], access, settings, swift) for node in nodes}

    def stale(node: Node) -> bool:
        ssh = Ssh(node)
        ssh.wait_ready(READY_TIMEOUT_S, waiting.pause)
        return force or not _healthy(ssh, prints[node.name], spec)

    reach = progress.task("reach the nodes by ssh")
    with reach, ThreadPoolExecutor(len(nodes)) as pool, waiting.ended_together():
        todo = [node for node, is_stale in zip(nodes, pool.map(stale, nodes), strict=True) if is_stale]
    if not todo:
        return 0
    changed = _run(
        todo, wanted, access, swift, {**settings, **built_image.base_variables(settings), "jupyter_token": token}
    )
    for node in todo:
        ssh = Ssh(node)
        ssh.run(
            "sudo",
            "sh",
            "-c",
            f"mkdir -p {Path(STAMP).parent} && cat > {STAMP}",
            input=prints[node.name],
            timeout=CHECK_TIMEOUT_S,
        )
        if not _healthy(ssh, prints[node.name], spec):
            raise RemoteFailed(
                f"{node.name} was configured, but its services or mounts do not answer",
                todo=f"look with `chiops ssh {node.name}`, then run `chiops up {spec.name}` again",
            )
    for node in todo:
        image_store.keep(node, [image["tag"] for image in services[node.name].get("images", ())], settings)
    return changed


def fingerprint(
    wanted: Mapping[str, object],
    access: Mapping[str, S3Access],
    settings: Mapping[str, object] | None = None,
    swift: SwiftAccess | None = None,
) -> str:
    """A hash over everything that configures a node: playbooks, templates, what lab and site say, which key."""
    digest = hashlib.sha256()
    for root in (assets.playbooks(), assets.templates() / "systemd", assets.templates() / "rclone.conf.j2"):
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.read_bytes())
    digest.update(json.dumps([wanted, remotes.told(access, swift), dict(settings or {})], sort_keys=True).encode())
    return digest.hexdigest()


def _run(
    nodes: Sequence[Node],
    wanted: Mapping[str, Any],
    access: Mapping[str, S3Access],
    swift: SwiftAccess | None,
    settings: Mapping[str, object],
) -> int:
    from chiops.remote.ansible import run_playbook

    key = next(iter(access.values()), None)
    mount_key = {"mount_bucket_access": fuse.key(key)} if key else {}
    title = f"configure {', '.join(node.name for node in nodes)}"
    with progress.task(title) as task, tempfile.TemporaryDirectory() as folder:
        run = run_playbook(
            "configure",
            nodes,
            variables={"configure_nodes": serving.with_contexts(wanted, Path(folder))},
            secrets={"rclone_remotes": remotes.remotes(access, swift), **mount_key, **settings},
            parent_task=task,
        )
    return run.changed


def mounts_of(spec: LabSpec, node: str) -> list[MountSpec]:
    """The bucket mounts of one server."""
    return [mount for mount in spec.mounts if mount.server == node]


def volumes_of(spec: LabSpec, node: str) -> dict[str, str]:
    """The volumes that are mounted on one server: name → mount point."""
    return {volume.name: volume.mount for volume in spec.volumes if volume.server == node and volume.mount}


def _steps(spec: LabSpec, node: Node) -> list[str]:
    server = next((server for server in spec.servers if server.name == node.name), None)
    steps: list[str] = list(server.configure) if server else []
    if server and server.services and "docker" not in steps:
        steps.append("docker")
    if "rclone" not in steps and any(mount.backend == "rclone" for mount in mounts_of(spec, node.name)):
        steps.append("rclone")
    return steps


def _wanted(spec: LabSpec, node: Node, volumes: Mapping[str, Volume]) -> dict[str, object]:
    mounts = [
        {
            "bucket": mount.bucket,
            "path": mount.path,
            "backend": mount.backend,
            "read_only": mount.read_only,
            "options": list(mount.options),
        }
        for mount in mounts_of(spec, node.name)
    ]
    disks = [mount_of(volumes[name], path) for name, path in volumes_of(spec, node.name).items()]
    return {"steps": _steps(spec, node), "mounts": mounts, "volumes": disks}


def _healthy(ssh: Ssh, expected: str, spec: LabSpec) -> bool:
    """Whether the node bears the fingerprint, Docker runs, mounts can be read and services answer; one ssh command."""
    checks = [f'test "$(cat {STAMP})" = {expected}']
    if "docker" in _steps(spec, ssh.node):
        checks.append("systemctl is-active --quiet docker")
    for mount in mounts_of(spec, ssh.node.name):
        checks.append(_READ.format("", shlex.quote(mount.path)))
    for path in map(shlex.quote, volumes_of(spec, ssh.node.name).values()):
        # A filesystem that has met errors is read-only.
        checks += [
            f"findmnt -rno OPTIONS --mountpoint {path} | grep -q ^rw",
            _READ.format("sudo ", path),
            f"right_disk {path}",
        ]
    for server in spec.servers:
        if server.name == ssh.node.name:
            checks += [command for _, command in serving.checks(server.services)]
    try:
        script = RIGHT_DISK + " && ".join(checks)
        return ssh.run("sh", "-c", script, check=False, timeout=CHECK_TIMEOUT_S).returncode == 0
    except TimeUp:
        return False
