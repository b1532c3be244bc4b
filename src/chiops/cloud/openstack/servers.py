"""A server as Nova describes it, in our words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chiops.cloud.base import Mark, Server, State
from chiops.cloud.openstack import times

LEASE = "chiops-lease"
FLAVOR = "chiops-flavor"
"""Nova names a reserved server's flavor after the reservation; what was booked is written beside the mark."""
_STATES = {
    "ACTIVE": State.READY,
    "ERROR": State.FAILED,
    "DELETED": State.ENDED,
    "SOFT_DELETED": State.ENDED,
    "SHUTOFF": State.STOPPED,
    "PAUSED": State.STOPPED,
    "SUSPENDED": State.STOPPED,
    "SHELVED": State.STOPPED,
    "SHELVED_OFFLOADED": State.STOPPED,
    "RESCUE": State.STOPPED,
}


def server(item: Any) -> Server:
    """Map openstacksdk's server; what Nova leaves out is empty, and so is its floating address, which Neutron knows."""
    metadata = dict(item.metadata or {})
    status = str(item.status or "BUILD")
    state = _STATES.get(status, State.PENDING)
    if item.task_state == "deleting":
        state = State.DELETING
    flavor, image = item.flavor or {}, item.image or {}
    return Server(
        id=item.id,
        name=item.name or "",
        status=status,
        state=state,
        fault=_fault(item.fault) if state is State.FAILED else "",
        mark=Mark.from_metadata(metadata),
        created=times.parse(item.created_at),
        flavor=metadata.get(FLAVOR) or flavor.get("original_name") or flavor.get("name") or flavor.get("id") or "",
        image=image.get("id") or "",
        keypair=item.key_name or "",
        lease_id=metadata.get(LEASE, ""),
        fixed_address=_fixed_address(item),
        security_groups=_names(item.security_groups or ()),
        volumes=tuple(volume["id"] for volume in item.attached_volumes or ()),
        metadata=metadata,
        has_run=state is not State.FAILED or bool(item.launched_at),
    )


def _names(groups: Iterable[Any]) -> tuple[str, ...]:
    """Group names, each once: Nova repeats them per port."""
    return tuple(dict.fromkeys(group["name"] for group in groups))


def _fixed_address(item: Any) -> str:
    for addresses in (item.addresses or {}).values():
        for address in addresses:
            if address.get("version") == 4 and address.get("OS-EXT-IPS:type", "fixed") == "fixed":
                return str(address["addr"])
    return ""


def _fault(fault: Any) -> str:
    """Nova's message; ``details`` are a traceback for administrators."""
    return str((fault or {}).get("message") or "Nova gives no reason")
