"""The lab file's schema, version 1: strict, so that a typo is a mistake with a line number and never a default."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from chiops.names import parse_duration

STEPS = ("docker", "rclone")
"""Configuration steps that a server may ask for; bucket mounts add theirs."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a name: letters, digits, '.', '_' and '-', at most 63, no sign at either end"
        )
    return value


def _bucket(value: str) -> str:
    from chiops.s3.names import bucket_name_problem

    problem = bucket_name_problem(value)
    if problem:
        raise ValueError(problem)
    return value


def _path(value: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9._/-]+", value) or ".." in value.split("/"):
        raise ValueError(f"{value!r} is not an absolute path of letters, digits, '.', '_', '-'")
    return value.rstrip("/")


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


Name = Annotated[str, AfterValidator(_name)]
BucketName = Annotated[str, AfterValidator(_bucket)]
AbsolutePath = Annotated[str, AfterValidator(_path)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Port = Annotated[int, Field(ge=1, le=65535)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LeaseSpec(_Strict):
    """A lease over all servers of the lab."""

    name: Name
    duration: Duration


class RuleSpec(_Strict):
    """One opened port, or a range."""

    port: Port
    port_max: Port | None = None
    protocol: Literal["tcp", "udp"] = "tcp"
    cidr: str = "0.0.0.0/0"


class SecurityGroupSpec(_Strict):
    """A named set of opened ports."""

    name: Name
    description: str = ""
    rules: Annotated[tuple[RuleSpec, ...], Field(strict=False)] = ()


class ServerSpec(_Strict):
    """A server and the steps that configure it."""

    name: Name
    flavor: Name
    image: Name = ""
    floating_ip: bool = True
    security_groups: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    configure: Annotated[tuple[Literal["docker", "rclone"], ...], Field(strict=False)] = ()


class VolumeSpec(_Strict):
    """A block volume, attached to a server of the lab if one is named, and mounted there if a path is. Size in GiB."""

    name: Name
    size_gib: Annotated[int, Field(ge=1, le=65536)]
    server: Name | None = None
    mount: AbsolutePath | None = None


class BucketSpec(_Strict):
    """A bucket at the lab's object site."""

    name: BucketName


class MountSpec(_Strict):
    """A bucket mounted on a server with rclone, as a systemd unit."""

    bucket: BucketName
    server: Name
    path: AbsolutePath = "/mnt/object"
    read_only: bool = True
    options: Annotated[tuple[str, ...], Field(strict=False)] = ()


class LabSpec(_Strict):
    """A whole lab: what `up` makes and `down` takes away."""

    version: Literal[1]
    name: Name
    description: str = ""
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
        for i, server in enumerate(self.servers):
            for group in server.security_groups:
                _known(("servers", i, "security_groups"), group, groups, "security group")
        paths: set[tuple[str, str]] = set()
        for i, volume in enumerate(self.volumes):
            if volume.server:
                _known(("volumes", i, "server"), volume.server, servers, "server")
            if volume.mount:
                if not volume.server:
                    raise ReferenceProblem(("volumes", i, "mount"), "a mounted volume needs a `server:`")
                _free(("volumes", i, "mount"), volume.server, volume.mount, paths)
        for i, mount in enumerate(self.mounts):
            _known(("mounts", i, "bucket"), mount.bucket, buckets, "bucket")
            _known(("mounts", i, "server"), mount.server, servers, "server")
            _free(("mounts", i, "path"), mount.server, mount.path, paths)
        return self


class ReferenceProblem(Exception):
    """A mistake between parts of a lab; ``loc`` is the path of keys to it."""

    def __init__(self, loc: tuple[str | int, ...], message: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.loc, self.message, self.known = loc, message, known


def _free(loc: tuple[str | int, ...], server: str, path: str, taken: set[tuple[str, str]]) -> None:
    if (server, path) in taken:
        raise ReferenceProblem(loc, f"{path} on {server} is mounted twice")
    taken.add((server, path))


def _known(loc: tuple[str | int, ...], name: str, known: list[str], noun: str) -> None:
    if name not in known:
        from chiops.names import suggestion

        raise ReferenceProblem(loc, f"no {noun} {name!r} is declared; {suggestion(name, known)}")
