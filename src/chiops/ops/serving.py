"""How a single server is made: on a lease, from an image, on its own disk or a volume, with address and groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chiops.cloud.base import (
    BootVolume,
    Image,
    Keypair,
    SecurityGroup,
    Server,
    ServerRequest,
    State,
)
from chiops.errors import UsageError
from chiops.ops import addresses, booting, resolve, shell
from chiops.ops.desk import Desk
from chiops.ops.groups import find as find_group
from chiops.ops.placing import BARE_METAL, Place, find_place
from chiops.ops.servers import NOUN, SSH_TIMEOUT_S, Shown, await_active, described

SSH_PORT = 22


@dataclass(frozen=True, kw_only=True)
class ServerPlan:
    """What is asked for, in the person's words: names or ids; "" is the site's own choice."""

    name: str
    flavor: str = ""
    image: str = ""
    lease: str = ""
    keypair: str = ""
    security_groups: Sequence[str] = ()
    boot_volume: BootVolume | None = None
    """An existing one by name or id."""
    floating_ip: bool = False
    wait: bool = False
    """Until ssh answers."""


def create(desk: Desk, plan: ServerPlan) -> tuple[Shown, bool]:
    """Make a server, or go on with one of ours that an earlier run began.

    Returns:
        The server, and whether it is new.

    Raises:
        UsageError: it would be made without a lease where one is needed, or never answer ssh.
        Conflict: the name stands for another server.
        NotFound, Ambiguous: a name in the plan.
        ResourceFailed: the cloud could not make it; with its fault.
    """
    seen = desk.look("leases", "servers", "flavors", "images", "keypairs", "security_groups", "floating_ips")
    image = resolve.one(seen.images, plan.image or desk.facts.default_image, "image", desk.site)
    place = find_place(desk, seen, plan.flavor, plan.lease)
    groups = [find_group(desk, seen.security_groups, word) for word in plan.security_groups]
    keypair = resolve.one(seen.keypairs, plan.keypair, "key pair", desk.site) if plan.keypair else None
    if plan.wait:
        _require_ssh(plan, groups, place, keypair)
    made_of = _MadeOf(place, image, groups, keypair, plan.boot_volume)
    server = desk.namesake(seen.servers, NOUN, plan.name, lambda one: _differs(desk, one, made_of))
    new = server is None
    if server is None:
        desk.cloud.prepare()
        boot = booting.volume_for(desk, plan.boot_volume, plan.name, image)
        request = ServerRequest(
            name=plan.name,
            image_id=image.id,
            flavor_id=place.flavor_id,
            keypair=keypair.name if keypair else shell.machine_keypair(desk, seen.keypairs),
            mark=desk.mark,
            security_groups=tuple(group.id for group in groups),
            network=desk.facts.network,
            lease_id=place.lease.id if place.lease else "",
            reservation_id=place.reservation.id if place.reservation else "",
            boot_volume=boot,
        )
        with desk.change("create", NOUN, plan.name) as (_, entry):
            server = desk.cloud.compute.create(request)
            entry.resource = server.id
            server = await_active(desk, server)
    else:
        server = await_active(desk, server)
    if plan.floating_ip and not any(ip.server_id == server.id for ip in seen.floating_ips):
        addresses.lead_to(desk, server)
        server = desk.cloud.compute.get(server.id)
    seen = replace(desk.look("volumes", "leases", "keypairs"), images=seen.images)
    if plan.wait:
        shell.require_our_key(server, seen.keypairs)
        shell.wait(desk, server, SSH_TIMEOUT_S)
    return described(desk, server, seen), new


def _require_ssh(plan: ServerPlan, groups: Sequence[SecurityGroup], place: Place, keypair: Keypair | None) -> None:
    """Hosts have no security groups; everywhere else nothing answers that no group opens."""
    if keypair and not shell.is_this_machines(keypair):
        raise UsageError(
            f"ssh to {plan.name} can't be tried: the key pair {keypair.name} is not this machine's",
            todo="leave --wait or --keypair out",
        )
    if place.flavor.name == BARE_METAL:
        return
    rules = [rule for group in groups for rule in group.rules]
    if not any(
        rule.protocol == "any" or (rule.protocol == "tcp" and _opens(rule.port_min, rule.port_max)) for rule in rules
    ):
        raise UsageError(
            f"ssh to {plan.name} would never answer: none of its security groups opens port 22",
            todo="add --security-group allow-ssh; `chiops secgroup create allow-ssh --open 22` makes it",
        )


def _opens(first: int, last: int) -> bool:
    return first == last == 0 or first <= SSH_PORT <= last


@dataclass(frozen=True)
class _MadeOf:
    """What is asked for, found at the site. No groups and no key pair: whatever it has."""

    place: Place
    image: Image
    groups: Sequence[SecurityGroup]
    keypair: Keypair | None
    boot_volume: BootVolume | None


def _differs(desk: Desk, server: Server, wanted: _MadeOf) -> str:
    """How it is not what is asked for; "" if it is. What the site does not say counts as right."""
    place, image = wanted.place, wanted.image
    if elsewhere := desk.in_another_lab(server):
        return elsewhere
    if server.lease_id != (place.lease.id if place.lease else ""):
        return "already, on another lease"
    if server.flavor not in ("", place.flavor.name, place.flavor.id, f"reservation:{place.flavor_id}"):
        return f"already, as {server.flavor}"
    if server.image not in ("", image.name, image.id):
        return f"already, from the image {server.image}"
    if wanted.keypair and server.keypair not in ("", wanted.keypair.name):
        return f"already, with the key pair {server.keypair}"
    if server.state is State.PENDING:  # neither its groups nor its disks are there yet
        return ""
    if wanted.groups and {group.name for group in wanted.groups} != set(server.security_groups):
        there = (
            f"in the security groups {', '.join(server.security_groups)}" if server.security_groups else "in no group"
        )
        return f"already, {there}, which `chiops secgroup attach` and `detach` change"
    return booting.differs(desk, server, wanted.boot_volume)
