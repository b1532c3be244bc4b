#!/usr/bin/python
"""Ansible module: a volume that nothing on the node uses any more, so that it can be detached."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.block_devices import (
    UNITS,
    Mount,
    device_files,
    find_disk,
    is_claimed,
    locked,
    mounted_from,
    mounts_of,
    run,
    unit_name,
    units_of,
)
from ansible.module_utils.block_users import User, openers, users_of

DOCUMENTATION = r"""
module: block_unmount
short_description: Unmount a volume, if nothing uses it
description:
  - Finds the disk by the volume's id, and unmounts it wherever it is mounted; whoever mounted it.
  - Removes the systemd units that were written for it.
  - Refuses while something uses it, mounted or as a bare disk, and says what; also while another run formats it.
options:
  volume:
    description: Id of the volume.
    type: str
    required: true
  keep:
    description:
      - A mount point at which it stays mounted. Then only our own units' other mounts are left; people's mounts of it stay.
    type: path
    default: ''
  again:
    description:
      - Whether it is mounted again right after. Then the units stay, so that a run that is killed between can be gone on with,
        and people's own mounts of it, which nobody would bring back, count as use.
    type: bool
    default: false
  if_used:
    description:
      - What to do while something uses it; C(fail), or C(report) it and do nothing, or C(end) what uses it.
      - Containers are stopped and processes terminated, and killed if they do not end within C(grace) seconds.
    type: str
    choices: [fail, report, end]
    default: fail
  grace:
    description: Seconds that programs have to end.
    type: int
    default: 10
author: chiops
"""

EXAMPLES = r"""
- name: Unmount the volume
  block_unmount:
    volume: 4f1c2f3e-8a52-4c1b-9a3e-0d6f6c1b2a77
"""

RETURN = r"""
unmounted:
  description: Where it was mounted.
  type: list
  elements: str
  returned: always
users:
  description: What uses it, with kind, name, pid and account each.
  type: list
  elements: dict
  returned: always
"""


class Refused(Exception):
    """Why it stays mounted, for people."""


def unmount(wanted: dict[str, Any], check: bool) -> dict[str, Any]:
    """Unmount the volume and forget its units."""
    volume, keep, again = wanted["volume"], wanted["keep"], wanted["again"]
    units = {name: where for name, where in units_of(volume).items() if where != keep}
    disk = find_disk(volume)
    devices = device_files(disk) if disk else []
    mounts, theirs = _mounts(devices, keep, set(units.values()))
    if any(mount.point == "/" for mount in mounts):
        raise Refused("the node runs from this volume")
    users = _users(mounts, devices, keep)
    if again:
        users = [*(User("mount", mount.point) for mount in theirs), *users]
    if users and wanted["if_used"] != "end":
        if wanted["if_used"] == "fail":
            points = [mount.point for mount in mounts if not (again and mount in theirs)]
            raise Refused(f"{', '.join(points) or disk.path} is in use by {named(users)}")
        return {"changed": False, "unmounted": [], "users": users}
    done = {"changed": bool(mounts or (units and not again)), "unmounted": [mount.point for mount in mounts]}
    if check:
        return {**done, "users": users}
    if users:
        end(users, wanted["grace"])
    for mount in sorted(mounts, key=lambda mount: mount.id, reverse=True):
        leave(mount, units)
    if not again:
        forget(units)
    if disk and not keep:
        released(devices)
    return {**done, "users": users}


def _mounts(devices: list[str], keep: str, ours: set[str]) -> tuple[list[Mount], list[Mount]]:
    """The mounts to leave, and which of them are none of ours; those are nobody's business while it stays mounted."""
    mounts = [mount for mount in mounted_from(devices, mounts_of()) if mount.point != keep] if devices else []
    theirs = [mount for mount in mounts if mount.point not in ours]
    return ([mount for mount in mounts if mount.point in ours], []) if keep else (mounts, theirs)


def _users(mounts: list[Mount], devices: list[str], keep: str) -> list[User]:
    """Who would lose something. A disk that is kept is taken from nobody who has it open."""
    found = users_of(mounts, devices) if mounts else []
    return found if keep else list(dict.fromkeys(found + openers(devices)))


def named(users: list[User]) -> str:
    """Users as people read them."""
    return ", ".join(str(user) for user in users)


def end(users: list[User], grace: int) -> None:
    """Stop containers, terminate processes, and unmount what is mounted within."""
    for user in users:
        if user.kind == "container":
            run("docker", "stop", "--time", str(grace), user.name)
        elif user.kind == "mount":
            run("umount", user.name)
    left = [user.pid for user in users if user.kind == "process" and user.pid not in (1, os.getpid(), os.getppid())]
    for how, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5)):
        left = [pid for pid in left if _signal(pid, how)]
        deadline = time.monotonic() + patience
        while left and time.monotonic() < deadline:
            time.sleep(0.1)
            left = [pid for pid in left if _signal(pid, 0)]


def _signal(pid: int, how: int) -> bool:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return False
    return True


def leave(mount: Mount, units: dict[str, str]) -> None:
    """Unmount one mount; through systemd where a unit of ours holds it, so that systemd does not mount it again."""
    unit = unit_name(mount.point)
    done = run("systemctl", "stop", unit) if unit in units else run("umount", mount.point)
    still = any(other.id == mount.id for other in mounts_of())
    if still and unit in units:
        done = run("umount", mount.point)
        still = any(other.id == mount.id for other in mounts_of())
    if still:
        raise Refused(f"{mount.point} can't be unmounted: {done.stderr.strip() or 'it is in use'}")


def forget(units: dict[str, str]) -> None:
    """Remove units, so that nothing waits for the disk at the next boot."""
    for unit in units:
        run("systemctl", "disable", "--quiet", "--now", unit)
        (UNITS / unit).unlink(missing_ok=True)
    if units:
        run("systemctl", "daemon-reload")


def released(devices: list[str]) -> None:
    """Check that everybody and the kernel itself have let go of the disk."""
    if users := openers(devices):
        raise Refused(f"{devices[0]} is still open in {named(users)}")
    held = [path for path in devices if is_claimed(path)]
    if held:
        raise Refused(
            f"{' and '.join(held)} is still held by the kernel: LVM, RAID, encryption, swap or a hidden mount"
        )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "volume": {"type": "str", "required": True},
            "keep": {"type": "path", "default": ""},
            "again": {"type": "bool", "default": False},
            "if_used": {"type": "str", "choices": ["fail", "report", "end"], "default": "fail"},
            "grace": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    try:
        # To leave other mount points is a step of mounting, of which one run waits for another.
        with locked(module.params["volume"], wait=bool(module.params["keep"])):
            done = unmount(module.params, module.check_mode)
    except BlockingIOError:
        module.fail_json(
            msg="the volume is just being formatted or mounted by another run; wait for its end, then run this again"
        )
    except (Refused, LookupError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**{**done, "users": [{**asdict(user), "text": str(user)} for user in done["users"]]})


if __name__ == "__main__":
    main()
