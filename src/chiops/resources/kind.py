"""What every kind of resource can do, and what it works with.

A kind is judged (wanted against seen), made, mended and taken away. Judging is pure: it reads what `observe` listed and asks
nothing of the cloud, so that a plan costs the same whatever the project holds.
"""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from chiops.cloud.base import (
    Bucket,
    Cloud,
    Ec2Credential,
    Flavor,
    FloatingIp,
    Identity,
    Image,
    Keypair,
    Lease,
    Mark,
    Resource,
    SecurityGroup,
    Server,
    SiteFacts,
    Volume,
)
from chiops.errors import NotOurs

T = TypeVar("T")
log = logging.getLogger(__name__)


def expect(type_: type[T], thing: object) -> T:
    """``thing``, which the plan has matched to its kind, under its own type."""
    if not isinstance(thing, type_):
        raise TypeError(f"expected {type_.__name__}, got {type(thing).__name__}")
    return thing


class Op(enum.StrEnum):
    """What a plan means to do with a resource."""

    CREATE = "create"
    KEEP = "keep"
    UPDATE = "update"
    REPLACE = "replace"
    USE = "use"
    """It is there and not ours: used as it is, never changed or deleted."""
    DELETE = "delete"


@dataclass(frozen=True)
class Seen:
    """All that one site shows us, read in one round. A part that is in ``unread`` is empty, which then says nothing."""

    me: Identity
    leases: Sequence[Lease] = ()
    keypairs: Sequence[Keypair] = ()
    servers: Sequence[Server] = ()
    floating_ips: Sequence[FloatingIp] = ()
    security_groups: Sequence[SecurityGroup] = ()
    volumes: Sequence[Volume] = ()
    buckets: Sequence[Bucket] = ()
    credentials: Sequence[Ec2Credential] = ()
    flavors: Sequence[Flavor] = ()
    images: Sequence[Image] = ()
    unread: Mapping[str, Exception] = field(default_factory=dict)


def observe(cloud: Cloud, only: frozenset[str] | None = None, *, tolerant: bool = False) -> Seen:
    """List everything of a site, or only those parts of `Seen`: a fixed number of requests, all at once after the sign-in.

    Who we are comes first: every list would wait in turn for a Keystone that does not answer, each as long as the last.

    Args:
        cloud: the site.
        only: parts of `Seen`; all if None.
        tolerant: whether what can't be listed is left out and told in ``unread``. Who makes what is not there must not be.

    Raises:
        ChiopsError: something can't be listed; who we are, without which nothing is ours, even where that is tolerated.
    """
    calls = {
        "leases": cloud.leases.list,
        "keypairs": cloud.compute.keypairs,
        "servers": cloud.compute.list,
        "floating_ips": cloud.network.floating_ips,
        "security_groups": cloud.network.security_groups,
        "volumes": cloud.volumes.list,
        "buckets": cloud.objects.list,
        "credentials": cloud.identity.ec2_credentials,
        "flavors": cloud.compute.flavors,
        "images": cloud.compute.images,
    }
    me = cloud.identity.whoami()
    if only is not None:
        calls = {name: call for name, call in calls.items() if name in only}
    with ThreadPoolExecutor(max(1, len(calls)), thread_name_prefix="observe") as pool:
        futures = {name: pool.submit(call) for name, call in calls.items()}
    failed = {name: error for name, future in futures.items() if isinstance(error := future.exception(), Exception)}
    if failed and not tolerant:
        raise next(iter(failed.values()))
    for name, error in failed.items():
        log.error("the %s of %s were not read", name, cloud.site, exc_info=error)
    read = {name: future.result() for name, future in futures.items() if name not in failed}
    return Seen(me=me, **read, unread=failed)  # type: ignore[arg-type]


@dataclass
class Workbench:
    """What making things at one site needs: the cloud, our mark, what was seen, and what has been made so far."""

    cloud: Cloud
    facts: SiteFacts
    mark: Mark
    seen: Seen
    public_key: str = ""
    _made: dict[tuple[str, str], object] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    binding: threading.Lock = field(default_factory=threading.Lock)
    """Held while a spare floating IP is looked for and bound, so that two servers never take the same one."""

    def put(self, kind: str, name: str, resource: object) -> None:
        with self._lock:
            self._made[kind, name] = resource

    def get(self, kind: str, name: str, type_: type[T]) -> T:
        """What a step before this one made or found; it is there because the plan ordered it so."""
        with self._lock:
            return expect(type_, self._made[kind, name])


@dataclass(frozen=True)
class Difference:
    """One field of a resource that is not as the lab says."""

    field: str
    has: str
    wants: str

    def __str__(self) -> str:
        return f"{self.field} is {self.has}, the lab says {self.wants}"


@dataclass(frozen=True)
class Verdict:
    """What to do about one wanted resource, and why.

    ``differs`` names what is not as the lab says, field by field; ``loses`` what a replacement would lose, "" for nothing.
    """

    op: Op
    reason: str
    found: object | None = None
    differs: tuple[Difference, ...] = ()
    loses: str = ""


W = TypeVar("W", contravariant=True)


class Kind(Protocol[W]):
    """One kind of resource; ``W`` is what a lab wants of it."""

    noun: str

    def judge(self, wanted: W, bench: Workbench) -> Verdict:
        """Compare what is wanted with what was seen. Raises `NotOurs` and friends where it can't be had."""

    def make(self, wanted: W, bench: Workbench) -> Resource | Ec2Credential:
        """Create it and wait until it is ready."""

    def settle(self, wanted: W, found: object, bench: Workbench) -> object:
        """Wait for one that an earlier run left half made; returns it ready."""

    def mend(self, wanted: W, found: object, bench: Workbench) -> object:
        """Change what can be changed in place."""

    def take(self, found: object, bench: Workbench) -> None:
        """Delete it, and return once it is gone. One that is gone already is no error."""


M = TypeVar("M", bound=Resource)


def ours(items: Sequence[M], name: str, bench: Workbench, noun: str) -> M | None:
    """The item of that name that is this lab's.

    Raises:
        NotOurs: only others bear the name, so making a second one would confuse everybody.
    """
    named = [item for item in items if item.name == name]
    mine = [item for item in named if item.mark == bench.mark]
    if mine:
        return mine[0]
    for item in named:
        if item.mark and item.mark.owner == bench.mark.owner:
            raise NotOurs(
                f"the {noun} {name} belongs to your lab {item.mark.lab}",
                todo=f"run `chiops down {item.mark.lab}` first, or give this one another name with --set",
            )
        raise NotOurs(
            f"a {noun} named {name} exists at {bench.cloud.site} and was not made by chiops",
            todo="choose another name with --set; chiops never touches what it did not make",
        )
    return None
