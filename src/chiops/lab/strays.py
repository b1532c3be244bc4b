"""What carries the lab's mark and is not in its file: taken out of it, renamed, or made for the lab by a single command."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chiops.cloud.base import Attachment, Ec2Credential, FloatingIp, Lease, Server, State, Volume
from chiops.lab.places import Places
from chiops.lab.survey import PARTS, Doomed, marked
from chiops.lab.wanted import CREDENTIAL, KINDS, Key
from chiops.resources.booting import is_root_disk
from chiops.resources.floating_ip import spares
from chiops.resources.kind import Workbench
from chiops.resources.lease import servers_on

COMMANDS = {
    "attachment": "volume detach",
    "server": "server delete",
    "floating_ip": "fip delete",
    "security_group": "secgroup delete",
    "keypair": "keypair delete",
    "lease": "lease delete",
    "volume": "volume delete",
    "bucket": "bucket delete",
    "credential": "creds revoke",
}
"""What removes one of each kind, its name behind it. In the order in which they let go of one another."""
_ORDER = tuple(COMMANDS)


@dataclass(frozen=True)
class Stray:
    """One resource of the lab that its file does not name; ``command`` removes it, which `up` never does."""

    kind: str
    name: str
    site: str
    detail: str
    command: str

    @property
    def told(self) -> str:
        """What it is, without what removes it."""
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.kind} {self.name}{detail}: not in the lab's file"

    def __str__(self) -> str:
        return f"{self.told}; `{self.command}` removes it"


def strays(wanted: Collection[Key], places: Places, benches: Mapping[str, Workbench]) -> tuple[Stray, ...]:
    """What is not in the lab's file, in an order in which it can be removed.

    Args:
        wanted: all that the file names.
        places: the lab's sites.
        benches: what was seen of them.
    """
    # Named even where it is the default, which may be another by the time that somebody deletes. Of buckets and keys it is the
    # compute site, too: their commands know its object site.
    option = f" --site {shlex.quote(places.compute_facts.name)}"
    told: list[Stray] = []
    for at, bench in benches.items():
        there = [one for one in marked({at: bench}, places.objects.site) if not _is_over(one.found)]
        found = sorted(_unwanted(there, wanted, bench), key=lambda one: (_ORDER.index(one.key.kind), one.key.name))
        going = {one.found.id for one in found if isinstance(one.found, Server)}
        told += [
            Stray(KINDS[one.key.kind].noun, one.key.name, at, _detail(one, bench), _command(one, bench, going, option))
            for one in found
        ]
    return tuple(told)


def _is_over(found: object) -> bool:
    """Whether it is on its way out, or a lease that has ended: nothing is left to be done about it."""
    over = getattr(found, "state", None) in (State.DELETING, State.ENDED)
    return over or (isinstance(found, Lease) and found.end <= datetime.now(UTC))


def _unwanted(there: Sequence[Doomed], wanted: Collection[Key], bench: Workbench) -> list[Doomed]:
    kept: dict[Key, Doomed] = {}
    for one in there:
        if one.key in wanted:
            kept.setdefault(one.key, one)  # `up` takes the first of a name, too
    servers = {one.found.id for one in kept.values() if isinstance(one.found, Server)}
    volumes = {one.found.id for one in kept.values() if isinstance(one.found, Volume)}
    addresses = _spoken_for(wanted, bench)
    shown = {server.id for server in bench.seen.servers}

    def is_wanted(one: Doomed) -> bool:
        match one.found:
            case FloatingIp(id=id_, server_id=server_id):
                return id_ in addresses or (server_id != "" and server_id not in shown)
            case Ec2Credential():
                return CREDENTIAL in wanted
            case Attachment(volume_id=id_, server_id=server_id):
                return one.key in wanted or id_ not in volumes or server_id not in servers
            case Volume(attachments=attachments) if any(
                is_root_disk(at) and (at.server_id in servers or at.server_id not in shown) for at in attachments
            ):
                return True  # that its server boots from it is told as the server's drift
        return kept.get(one.key) is one

    return [one for one in there if not is_wanted(one)]


def _spoken_for(wanted: Collection[Key], bench: Workbench) -> set[str]:
    """The ids of addresses that lead to servers that want one, or will: `up` takes the lab's spares first."""
    servers = {server.id: server.name for server in bench.seen.servers if server.mark == bench.mark}
    names = {key.name for key in wanted if key.kind == "floating_ip"}
    taken: dict[str, str] = {}
    for address in bench.seen.floating_ips:
        name = servers.get(address.server_id, "")
        if name in names:
            taken.setdefault(name, address.id)
    spare = [one.id for one in spares(bench.seen.floating_ips, bench.mark) if one.id not in taken.values()]
    return {*taken.values(), *spare[: len(names) - len(taken)]}


def _detail(one: Doomed, bench: Workbench) -> str:
    names = {server.id: server.name for server in bench.seen.servers}
    words = [one.detail] if one.detail else []
    match one.found:
        case FloatingIp(server_id=id_) if id_:
            words.append(f"leads to {names.get(id_, id_)}")
        case Volume(attachments=attachments) if attachments:
            words.append(f"attached to {', '.join(names.get(at.server_id, at.server_id) for at in attachments)}")
        case Lease() as lease if on_it := servers_on(lease, bench.seen.servers):
            words.append(f"takes {', '.join(sorted(server.name for server in on_it))} along")
    return ", ".join(words)


def _command(one: Doomed, bench: Workbench, going: Collection[str], option: str) -> str:
    """What removes it, once what stands before it has been removed; servers in ``going`` let go of their volumes."""
    command = f"chiops {COMMANDS[one.key.kind]} {_word(one, bench)}{option}"
    match one.found:
        case Volume(attachments=attachments) if any(
            at.server_id not in going and not is_root_disk(at) for at in attachments
        ):
            return f"{command.replace('delete', 'detach', 1)} && {command}"
    return f"{command} --purge" if one.key.kind == "bucket" else command


def _word(one: Doomed, bench: Workbench) -> str:
    """The name, or the id where the name is none, another's too, or looks like an option."""
    name = one.key.name
    namesakes = [it for it in getattr(bench.seen, PARTS[one.key.kind]) if getattr(it, "name", None) == name]
    if name and not name.startswith("-") and len(namesakes) == 1:
        return shlex.quote(name)
    return shlex.quote(getattr(one.found, "volume_id", "") or getattr(one.found, "id", name))
