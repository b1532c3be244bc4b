"""Resources as a cloud would show them, each made by its name and what a test cares about; ours unless it says otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from chiops.cloud.base import (
    Ec2Credential,
    FloatingIp,
    Identity,
    Lease,
    Mark,
    Reservation,
    Rule,
    SecurityGroup,
    Server,
    Volume,
)

ME = Identity("me", "me", "p", "p")
MINE, LABS, THEIRS = Mark("none", "me"), Mark("my-lab", "me"), Mark("none", "somebody")
NOW = datetime.now(UTC)


def lease(name: str = "l", **changes: Any) -> Lease:
    flavor = Reservation(id="r", kind="flavor:instance", status="active", flavor_id="r", flavor_name="m1.small")
    values: dict[str, Any] = {
        "id": f"id-{name}",
        "status": "ACTIVE",
        "mark": MINE,
        "start": NOW - timedelta(hours=1),
        "end": NOW + timedelta(hours=3),
        "reservations": (flavor,),
    }
    return Lease(name=name, **{**values, **changes})


def server(name: str = "n", **changes: Any) -> Server:
    values: dict[str, Any] = {"id": f"id-{name}", "status": "ACTIVE", "mark": MINE, "lease_id": "id-l"}
    return Server(name=name, **{**values, **changes})


def address(text: str = "192.0.2.7", **changes: Any) -> FloatingIp:
    values: dict[str, Any] = {"id": f"id-{text}", "name": text, "status": "DOWN", "mark": MINE}
    return FloatingIp(address=text, **{**values, **changes})


def group(name: str = "g", *rules: Rule, **changes: Any) -> SecurityGroup:
    values: dict[str, Any] = {"id": f"id-{name}", "mark": MINE, "rules": rules}
    return SecurityGroup(name=name, **{**values, **changes})


def credential(access: str = "abcdef", **changes: Any) -> Ec2Credential:
    values: dict[str, Any] = {"secret": "the-secret", "project_id": "p", "mark": MINE}
    return Ec2Credential(access=access, **{**values, **changes})


def volume(name: str = "v", **changes: Any) -> Volume:
    values: dict[str, Any] = {"id": f"id-{name}", "mark": MINE, "size_gib": 2}
    return Volume(name=name, **{**values, **changes})
