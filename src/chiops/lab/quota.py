"""Whether a project's quotas have room for what a plan would make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from chiops.cloud.base import Check, Flavor, Quota, Volume
from chiops.lab.plan import Plan
from chiops.resources.kind import Op
from chiops.resources.server import ServerWanted
from chiops.resources.volume import VolumeWanted

_WORDS = {"ram_mib": "MiB of memory", "volume_gib": "GiB of volumes", "floating_ips": "floating IPs"}


def needs(plan: Plan, flavors: Sequence[Flavor]) -> Counter[str]:
    """What a plan makes, under the names of `Quota`; what is replaced frees as much as it takes."""
    sizes = {flavor.name: flavor for flavor in flavors}
    wanted: Counter[str] = Counter()
    for step in plan.steps:
        asked, op = step.item.wanted, step.verdict.op
        if isinstance(asked, VolumeWanted) and op in (Op.CREATE, Op.UPDATE):
            had = step.verdict.found.size_gib if isinstance(step.verdict.found, Volume) else 0
            wanted += Counter(volumes=int(op is Op.CREATE), volume_gib=asked.size_gib - had)
        if op is not Op.CREATE:
            continue
        if isinstance(asked, ServerWanted):
            size = sizes[asked.flavor]
            wanted += Counter(servers=1, cores=size.vcpus, ram_mib=size.ram_mib)
            if asked.boot and not asked.boot.volume:  # one of the lab's own is a step itself
                wanted += Counter(volumes=1, volume_gib=asked.boot.size_gib)
        elif step.key.kind == "floating_ip":
            wanted["floating_ips"] += 1
        elif step.key.kind == "security_group":
            wanted["security_groups"] += 1
    return wanted


def check(lab: str, wanted: Mapping[str, int], quotas: Sequence[Quota], *, whole: bool = True) -> list[Check]:
    """One finding for what fits, and one for each quota that does not have the room.

    Args:
        lab: its name.
        wanted: what it needs, see `needs`.
        quotas: what its site says.
        whole: whether that is all it needs, or there is something that can't be had and so was not counted.
    """
    found = []
    for quota in quotas:
        more = wanted.get(quota.name, 0)
        if quota.limit is not None and more > quota.limit - quota.used:
            noun = _WORDS.get(quota.name, quota.name.replace("_", " "))
            detail = f"{more} {noun} more are needed, {max(0, quota.limit - quota.used)} of {quota.limit} are free"
            todo = "delete what is not needed, ask for less, or ask the project's lead for more"
            found.append(Check(f"{lab}: quota", "failed", detail, todo))
    if not found and quotas:
        known = "" if whole else ", as far as it can be had"
        found.append(Check(f"{lab}: quota", "ok", f"there is room for all that `up` would make{known}"))
    return found
