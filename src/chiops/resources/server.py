"""Servers: created on the lease's reserved flavor, judged by state, groups and what they were made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chiops.cloud.base import Lease, SecurityGroup, Server, ServerRequest, State
from chiops.errors import Conflict, InvalidRequest, NotFound, ResourceFailed
from chiops.names import suggestion
from chiops.resources import booting, waiting
from chiops.resources.booting import BootWanted
from chiops.resources.halted import in_rescue, way_on
from chiops.resources.kind import Difference, Op, Verdict, Workbench, expect, ours

READY_TIMEOUT_S = 1800
"""Bare metal takes 10 to 20 minutes to boot."""
GONE_TIMEOUT_S = 600
GROUPS = "security groups"
DISK = "what is on its disk"
_GOES_ON = {
    "PAUSED": "it is paused: unpause it",
    "SUSPENDED": "it is suspended: resume it",
    "SHELVED": "it is shelved: unshelve it",
    "SHELVED_OFFLOADED": "it is shelved: unshelve it",
}
_AGAIN = "mend that, then run `up` again; where there was no room, later or with another flavor"


@dataclass(frozen=True)
class ServerWanted:
    """A server; ``lease`` names the lab's lease, "" where none is needed."""

    name: str
    flavor: str
    image: str
    keypair: str
    security_groups: tuple[str, ...]
    lease: str = ""
    boot: BootWanted | None = None


class ServerKind:
    noun = "server"

    def judge(self, wanted: ServerWanted, bench: Workbench) -> Verdict:
        _find("flavor", wanted.flavor, [flavor.name for flavor in bench.seen.flavors], bench)
        _find("image", wanted.image, [image.name for image in bench.seen.images], bench)
        if wanted.boot:
            booting.require_fit(wanted.boot, next(one for one in bench.seen.images if one.name == wanted.image))
        found = ours(bench.seen.servers, wanted.name, bench, self.noun)
        if found is None:
            made_of = f"{wanted.flavor}, {wanted.image}" + (f", boots from {wanted.boot}" if wanted.boot else "")
            return Verdict(Op.CREATE, made_of)
        differs = tuple(_differences(wanted, found, bench))
        if found.state in (State.FAILED, State.ENDED):
            reason = f"it is in {found.status}: {found.fault or 'no reason given'}"
            lost = lost_with(wanted, found, bench) if found.state is State.FAILED and found.has_run else ""
            return Verdict(Op.REPLACE, reason, found, differs, lost)
        if found.state is State.DELETING:
            return Verdict(Op.REPLACE, "it is being deleted", found, differs)
        if _lease_is_over(found, bench):
            return Verdict(Op.REPLACE, "its lease is over, and it goes with it", found, differs)
        if found.state is State.STOPPED:
            if in_rescue(found):
                raise Conflict(
                    f"the server {found.name} is in rescue, which may be somebody's repair",
                    todo=way_on(found),
                )
            return Verdict(Op.UPDATE, _GOES_ON.get(found.status, "it is stopped: start it"), found, differs)
        if differs and differs[0].field == GROUPS:
            return Verdict(Op.UPDATE, f"{GROUPS} {differs[0].has} → {differs[0].wants}", found, differs)
        if differs:
            told = "; ".join(str(difference) for difference in differs)
            return Verdict(
                Op.KEEP,
                f"{told}; kept, unless --replace {wanted.name}",
                found,
                differs,
                lost_with(wanted, found, bench),
            )
        return Verdict(Op.KEEP, found.status, found)

    def make(self, wanted: ServerWanted, bench: Workbench) -> Server:
        flavor_id = next(flavor.id for flavor in bench.seen.flavors if flavor.name == wanted.flavor)
        lease_id = reservation_id = ""
        if wanted.lease:
            lease = bench.get("lease", wanted.lease, Lease)
            lease = expect(Lease, lease)
            lease_id = lease.id
            for reservation in lease.reservations:
                if reservation.flavor_name == wanted.flavor or len(lease.reservations) == 1:
                    flavor_id, reservation_id = reservation.flavor_id or flavor_id, reservation.id
        server = bench.cloud.compute.create(
            ServerRequest(
                name=wanted.name,
                image_id=next(image.id for image in bench.seen.images if image.name == wanted.image),
                flavor_id=flavor_id,
                keypair=wanted.keypair,
                mark=bench.mark,
                security_groups=_groups(wanted, bench),
                network=bench.facts.network,
                lease_id=lease_id,
                reservation_id=reservation_id,
                boot_volume=booting.request(wanted.boot, bench),
            )
        )
        return self.settle(wanted, server, bench)

    def settle(self, wanted: ServerWanted, found: object, bench: Workbench) -> Server:
        found = expect(Server, found)
        try:
            return waiting.until_ready(
                bench.cloud.compute.get, found, noun=self.noun, timeout_s=READY_TIMEOUT_S, todo=_AGAIN
            )
        except NotFound as error:
            raise ResourceFailed(
                f"the server {wanted.name} went away while it was being made", why=error.what
            ) from error

    def mend(self, wanted: ServerWanted, found: object, bench: Workbench) -> Server:
        found = expect(Server, found)
        if found.state is State.STOPPED:
            bench.cloud.compute.start(found.id)
        bench.cloud.network.set_server_groups(found.id, _groups(wanted, bench))
        return self.settle(wanted, bench.cloud.compute.get(found.id), bench)

    def take(self, found: object, bench: Workbench) -> None:
        found = expect(Server, found)
        try:
            bench.cloud.compute.delete(found.id)
        except NotFound:
            return
        waiting.until_gone(bench.cloud.compute.get, found.id, what=f"server {found.name}", timeout_s=GONE_TIMEOUT_S)


def lost_with(wanted: object, found: object, bench: Workbench) -> str:
    """What is lost when a server is replaced; nothing if it boots from the volume that the next one boots from too."""
    wanted, found = expect(ServerWanted, wanted), expect(Server, found)
    stays = wanted.boot and wanted.boot.volume and not booting.difference(wanted.boot, found, bench)
    return "" if stays else DISK


def _groups(wanted: ServerWanted, bench: Workbench) -> tuple[str, ...]:
    """The ids of the groups that were judged or made: others' groups may bear the same names."""
    return tuple(bench.get("security_group", name, SecurityGroup).id for name in wanted.security_groups)


def _differences(wanted: ServerWanted, found: Server, bench: Workbench) -> Iterator[Difference]:
    """State and groups first, which are mended in place, then what only a new server has."""
    if found.state not in (State.READY, State.PENDING):
        yield Difference("status", found.status, "ACTIVE")
    if set(found.security_groups) != set(wanted.security_groups):
        have, want = (", ".join(sorted(names)) or "none" for names in (found.security_groups, wanted.security_groups))
        yield Difference(GROUPS, have, want)
    images = {image.id: image.name for image in bench.seen.images}
    for field, has, wants in (
        ("flavor", found.flavor, wanted.flavor),
        ("image", images.get(found.image, found.image), wanted.image),
    ):
        # What a site does not say, or says by a name of its own, counts as right.
        if has and has != wants and not has.startswith("reservation:"):
            yield Difference(field, has, wants)
    if found.state is State.READY and (differs := booting.difference(wanted.boot, found, bench)):
        yield differs


def _lease_is_over(server: Server, bench: Workbench) -> bool:
    over = (State.ENDED, State.DELETING)
    return any(lease.id == server.lease_id and lease.state in over for lease in bench.seen.leases)


def _find(noun: str, name: str, known: list[str], bench: Workbench) -> None:
    if name not in known:
        raise InvalidRequest(f"{bench.cloud.site} has no {noun} {name!r}", todo=suggestion(name, known))
