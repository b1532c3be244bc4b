"""A server as Nova describes it, in our words."""

from __future__ import annotations

from typing import Any

from chiops.cloud.base import Mark, Server, State
from chiops.cloud.openstack import times, told

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

GO_ON = {
    "SHUTOFF": "start_server",
    "PAUSED": "unpause_server",
    "SUSPENDED": "resume_server",
    "SHELVED": "unshelve_server",
    "SHELVED_OFFLOADED": "unshelve_server",
}
"""What has a server go on where it stands; a hard reboot, which Nova takes for most of these, throws its memory away."""


def server(item: Any) -> Server:
    """Map openstacksdk's server; what Nova leaves out is empty, and so is its floating address, which Neutron knows."""
    metadata = told.words(item.metadata)
    status = told.text(item.status) or "BUILD"
    state = _STATES.get(status, State.PENDING)
    if item.task_state == "deleting":
        state = State.DELETING
    flavor, image = told.mapping(item.flavor), told.mapping(item.image)
    flavors = (metadata.get(FLAVOR), *(told.text(flavor.get(key)) for key in ("original_name", "name", "id")))
    return Server(
        id=told.text(item.id),
        name=told.text(item.name),
        status=status,
        state=state,
        fault=_fault(item.fault) if state is State.FAILED else "",
        mark=Mark.from_metadata(metadata),
        created=times.parse(item.created_at),
        flavor=next(filter(None, flavors), ""),
        image=told.text(image.get("id")),
        keypair=told.text(item.key_name),
        lease_id=metadata.get(LEASE, ""),
        fixed_address=_fixed_address(item),
        security_groups=_all(item.security_groups, "name"),
        volumes=_all(item.attached_volumes, "id"),
        metadata=metadata,
        has_run=state is not State.FAILED or bool(item.launched_at),
    )


def _all(items: object, key: str) -> tuple[str, ...]:
    """What the items have under the key, each once: Nova repeats groups per port."""
    return tuple(dict.fromkeys(filter(None, (told.text(item.get(key)) for item in told.mappings(items)))))


def _fixed_address(item: Any) -> str:
    for addresses in told.mapping(item.addresses).values():
        for address in told.mappings(addresses):
            if address.get("version") == 4 and address.get("OS-EXT-IPS:type", "fixed") == "fixed":
                return told.text(address.get("addr"))
    return ""


def _fault(fault: Any) -> str:
    """Nova's message; ``details`` are a traceback for administrators."""
    return told.text(told.mapping(fault).get("message")) or "Nova gives no reason"
