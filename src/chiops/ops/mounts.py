"""Buckets on servers one at a time: mounted by a FUSE backend, and unmounted, outside a lab's `up`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from chiops.cloud.base import Node, S3Access, Server, State
from chiops.errors import Conflict
from chiops.ops import credentials, shell
from chiops.ops.buckets import NOUN
from chiops.ops.desk import Desk
from chiops.ops.usual import held, mount_point, our_server, usual_server
from chiops.remote import fuse

_OURS = re.compile(r"Bucket (\S+) at (/\S*)")
"""What the units of our mounts call themselves."""
_CONFIG = "rclone-buckets.conf"
"""Beside the node's rclone.conf, which is the lab's."""


@dataclass(frozen=True)
class BucketMount:
    """A bucket at a place on a server."""

    bucket: str
    server: str
    path: str
    backend: str = "rclone"
    read_only: bool = True


def mount(
    desk: Desk, store: Desk, name: str, server_word: str | None, path: str, by: str, *, writable: bool
) -> BucketMount:
    """Mount a bucket on a server of ours, now and at every boot, with the key of the server's lab; made if there is none.

    Args:
        desk: the server's site.
        store: the bucket's.
        name: the bucket; one of others is mounted only to be read.
        server_word: the server; None for the only one of the bucket's lab.
        path: where.
        by: the backend, and options of its own behind it.
        writable: whether files can be changed there.

    Raises:
        UsageError: the path or the backend is none, or it is not clear which server is meant.
        NotOurs: the server is not ours, or the bucket is not and was to be written.
        Conflict: something else is mounted there.
        RemoteFailed: the node is not reached, or the bucket could not be mounted.
    """
    from chiops.remote.ansible import run_playbook

    where, backend = mount_point(path), fuse.choice(by)
    server = _server(desk, store, name, server_word)
    bucket = store.cloud.objects.get(name)
    if writable:
        store.own(bucket, NOUN, name)
    wanted = BucketMount(name, server.name, where, backend.backend, not writable)
    with held(server):
        shell.wait(desk, server, shell.BOOTING_TIMEOUT_S)
        node = shell.node(desk, server)
        taken = _mounted(node).get(where) or _other(node, where)
        if taken not in ("", name):
            raise Conflict(f"{taken} is mounted at {where} on {server.name}", todo="choose another --path")
        access = _access(store, server, name)
        entry = {"bucket": name, "path": where, "backend": wanted.backend, "read_only": wanted.read_only}
        with desk.change("mount", NOUN, name, server.mark) as (task, _):
            run_playbook(
                "mount_bucket",
                [node],
                variables={
                    "bucket_mounts": [{**entry, "options": list(backend.options)}],
                    "mount_bucket_rclone_config": _CONFIG,
                },
                secrets={"mount_bucket_access": fuse.key(access), **desk.cloud.node_settings},
                parent_task=task,
            )
    return wanted


def unmount(desk: Desk, store: Desk, name: str, server_word: str | None) -> list[BucketMount]:
    """Unmount a bucket wherever we have mounted it on a server of ours. Of a server that is named, it need not be there any more.

    Returns:
        What was unmounted; nothing if it was not mounted there.
    """
    from chiops.remote.ansible import run_playbook

    server = _server(desk, store, name, server_word)
    with held(server):
        shell.wait(desk, server, shell.BOOTING_TIMEOUT_S)
        node = shell.node(desk, server)
        found = [BucketMount(name, server.name, path) for path, at in _mounted(node).items() if at == name]
        if found:
            with desk.change("unmount", NOUN, name, server.mark) as (task, _):
                paths = [one.path for one in found]
                run_playbook("unmount_bucket", [node], variables={"bucket_paths": paths}, parent_task=task)
    return found


def _server(desk: Desk, store: Desk, bucket: str, word: str | None) -> Server:
    seen = desk.look("servers", "keypairs")
    if word:
        server = our_server(desk, seen.servers, word)
    else:
        server = usual_server(desk, store.cloud.objects.get(bucket).mark, seen.servers)
    if server.state is not State.READY:
        raise Conflict(
            f"the server {server.name} is {server.status}", why=server.fault, todo="try again once the server is active"
        )
    shell.require_our_key(server, seen.keypairs)
    return server


def _mounted(node: Node) -> dict[str, str]:
    """The mounts that we have made on a node: mount point → bucket."""
    from chiops.remote.ssh import Ssh

    said = (
        Ssh(node).run("systemctl", "show", "--property=Description", "--value", "chiops-bucket-*", check=False).stdout
    )
    return {found[2]: found[1] for line in said.splitlines() if (found := _OURS.fullmatch(line.strip()))}


def _other(node: Node, path: str) -> str:
    """What else is mounted there; "" for nothing."""
    from chiops.remote.ssh import Ssh

    return Ssh(node).run("findmnt", "-rno", "SOURCE", "--mountpoint", path, check=False).stdout.strip()


def _access(store: Desk, server: Server, bucket: str) -> S3Access:
    """The key of the server's lab, so that it goes with the lab."""
    assert server.mark is not None  # noqa: S101 - it is ours
    key, _ = credentials.create(replace(store, lab=server.mark.lab))
    endpoint = store.cloud.objects.endpoint()
    return S3Access(bucket=bucket, endpoint=endpoint, access=key.access, secret=key.secret)
