"""The lab file's schema, version 1: strict, so that a typo is a mistake with a line number and never a default."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from chiops.lab.fields import AbsolutePath, BucketName, Duration, Name, Port, ReferenceProblem, Strict, known
from chiops.lab.services import ServicesSpec, check_services

STEPS = ("docker", "rclone")
"""Configuration steps that a server may ask for; bucket mounts add theirs."""


class LeaseSpec(Strict):
    """A lease over all servers of the lab."""

    name: Name
    duration: Duration


class RuleSpec(Strict):
    """One opened port, or a range."""

    port: Port
    port_max: Port | None = None
    protocol: Literal["tcp", "udp"] = "tcp"
    cidr: str = "0.0.0.0/0"


class SecurityGroupSpec(Strict):
    """A named set of opened ports."""

    name: Name
    description: str = ""
    rules: Annotated[tuple[RuleSpec, ...], Field(strict=False)] = ()


class BootVolumeSpec(Strict):
    """A volume that a server boots from, made from its image. Size in GiB.

    One that is not deleted with its server is data: it stays after `down`, and the next `up` boots from it.
    """

    size_gib: Annotated[int, Field(ge=1, le=65536)]
    name: Name | None = None
    delete_on_termination: bool = True

    @model_validator(mode="after")
    def _named_if_kept(self) -> Self:
        if self.name and self.delete_on_termination:
            raise ValueError(
                "a volume that goes with its server has no name; add `delete_on_termination: false` or drop it"
            )
        return self

    def name_for(self, server: str) -> str:
        """The volume's name: ``boot-<server>`` unless the lab says another, as `chiops server create` names it."""
        return self.name or f"boot-{server}"


class ServerSpec(Strict):
    """A server and the steps that configure it."""

    name: Name
    flavor: Name
    image: Name = ""
    floating_ip: bool = True
    security_groups: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    configure: Annotated[tuple[Literal["docker", "rclone"], ...], Field(strict=False)] = ()
    boot_volume: BootVolumeSpec | None = None
    services: ServicesSpec = ServicesSpec()


class VolumeSpec(Strict):
    """A block volume, attached to a server of the lab if one is named, and mounted there if a path is. Size in GiB."""

    name: Name
    size_gib: Annotated[int, Field(ge=1, le=65536)]
    server: Name | None = None
    mount: AbsolutePath | None = None


class BucketSpec(Strict):
    """A bucket at the lab's object site."""

    name: BucketName


class MountSpec(Strict):
    """A bucket mounted on a server by a FUSE backend, as a systemd unit."""

    bucket: BucketName
    server: Name
    path: AbsolutePath = "/mnt/object"
    backend: Literal["rclone", "s3fs", "mountpoint-s3", "pond"] = "rclone"
    read_only: bool = True
    options: Annotated[tuple[str, ...], Field(strict=False)] = ()


class LabSpec(Strict):
    """A whole lab: what `up` makes and `down` takes away."""

    version: Literal[1]
    name: Name
    description: str = ""
    site: str = ""
    """Where it comes up if no site is named; "" for the person's default."""
    lease: LeaseSpec | None = None
    security_groups: Annotated[tuple[SecurityGroupSpec, ...], Field(strict=False)] = ()
    servers: Annotated[tuple[ServerSpec, ...], Field(strict=False)] = ()
    volumes: Annotated[tuple[VolumeSpec, ...], Field(strict=False)] = ()
    buckets: Annotated[tuple[BucketSpec, ...], Field(strict=False)] = ()
    mounts: Annotated[tuple[MountSpec, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _references(self) -> Self:
        """Names are unique by kind, and what is referred to is declared."""
        for kind in ("security_groups", "servers", "volumes", "buckets"):
            names = [item.name for item in getattr(self, kind)]
            for twice in {name for name in names if names.count(name) > 1}:
                raise ReferenceProblem((kind, names.index(twice)), f"{kind} has two entries named {twice!r}")
        groups = [group.name for group in self.security_groups]
        servers = [server.name for server in self.servers]
        buckets = [bucket.name for bucket in self.buckets]
        volumes = [volume.name for volume in self.volumes]
        for i, server in enumerate(self.servers):
            if server.boot_volume and not server.boot_volume.delete_on_termination:
                if (name := server.boot_volume.name_for(server.name)) in volumes:
                    raise ReferenceProblem(("servers", i, "boot_volume"), f"two volumes are named {name!r}")
                volumes.append(name)
            for group in server.security_groups:
                known(("servers", i, "security_groups"), group, groups, "security group")
        paths: set[tuple[str, str]] = set()
        for i, volume in enumerate(self.volumes):
            if volume.server:
                known(("volumes", i, "server"), volume.server, servers, "server")
            if volume.mount:
                if not volume.server:
                    raise ReferenceProblem(("volumes", i, "mount"), "a mounted volume needs a `server:`")
                _free(("volumes", i, "mount"), volume.server, volume.mount, paths)
        for i, mount in enumerate(self.mounts):
            known(("mounts", i, "bucket"), mount.bucket, buckets, "bucket")
            known(("mounts", i, "server"), mount.server, servers, "server")
            _free(("mounts", i, "path"), mount.server, mount.path, paths)
        for i, server in enumerate(self.servers):
            check_services(
                ("servers", i, "services"),
                server.services,
                volumes={one.name: one.mount for one in self.volumes if one.server == server.name and one.mount},
                mounts=frozenset(mount.path for mount in self.mounts if mount.server == server.name),
                is_open=partial(self._is_open, server),
            )
        return self

    def _is_open(self, server: ServerSpec, port: int) -> bool:
        rules = (rule for group in self.security_groups if group.name in server.security_groups for rule in group.rules)
        return any(rule.protocol == "tcp" and rule.port <= port <= (rule.port_max or rule.port) for rule in rules)


def _free(loc: tuple[str | int, ...], server: str, path: str, taken: set[tuple[str, str]]) -> None:
    if (server, path) in taken:
        raise ReferenceProblem(loc, f"{path} on {server} is mounted twice")
    taken.add((server, path))
