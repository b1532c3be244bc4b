#!/usr/bin/python
"""Ansible module: the filesystem on a volume, made if the volume is blank and never otherwise."""

from __future__ import annotations

import os
import pwd
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.block_content import Content, Unread, inspect
from ansible.module_utils.block_devices import (
    Disk,
    appears,
    device_files,
    find_disk,
    locked,
    mounted_from,
    mounts_of,
    size_of,
    udevadm,
    unit_name,
    units_of,
)
from ansible.module_utils.block_format import (
    Refused,
    finish,
    grow_command,
    grow_partition,
    grow_unmounted,
    make_filesystem,
    partition,
)

DOCUMENTATION = r"""
module: block_filesystem
short_description: The filesystem on a volume, ready to be mounted
description:
  - Finds the disk by the volume's id, never by a letter.
  - A disk without any sign of content is partitioned (gpt, one partition over the whole) and formatted with ext4.
  - A disk with a filesystem, on its first partition or bare, is left as it is.
  - Anything else is an error, and is never changed.
  - Where the volume has grown, its partition and filesystem grow with it; a mounted one is to be grown by C(grow).
options:
  volume:
    description: Id of the volume.
    type: str
    required: true
  path:
    description: Where it is to be mounted.
    type: path
    required: true
  size_gib:
    description: Size that the cloud says the volume has; 0 for not known.
    type: int
    default: 0
  label:
    description: Label of a filesystem that is made; at most 16 characters count.
    type: str
    default: ''
  owner:
    description: Who owns the top folder of a filesystem that is made.
    type: str
    required: true
  timeout:
    description: Seconds until the disk must be there.
    type: int
    default: 60
  scan_timeout:
    description:
      - Seconds for reading the whole disk, without which it is not called blank; a disk that takes longer is an error.
    type: int
    default: 3000
author: chiops
"""

EXAMPLES = r"""
- name: Find the filesystem, or make one on a blank disk
  block_filesystem:
    volume: 4f1c2f3e-8a52-4c1b-9a3e-0d6f6c1b2a77
    path: /mnt/block
    owner: cc
"""

RETURN = r"""
device:
  description: The device file of the filesystem now; letters change.
  type: str
  returned: always
what:
  description: A name of the device that stays, by the disk's id; by the filesystem's UUID where the disk has none.
  type: str
  returned: always
type:
  description: The filesystem's type.
  type: str
  returned: always
unit:
  description: Name of the systemd unit that mounts at C(path).
  type: str
  returned: always
formatted:
  description: Whether the filesystem was made by this run.
  type: bool
  returned: always
grow:
  description: The command that grows the mounted filesystem; empty where it fills its device.
  type: list
  elements: str
  returned: always
"""


def prepare(disk: Disk, wanted: dict[str, Any], check: bool) -> dict[str, Any]:
    """Bring the disk to where its filesystem can be mounted, and tell what it is."""
    try:
        content = inspect(disk, wanted["scan_timeout"])
    except Unread as error:
        read = f"the first {error.bytes >> 30} of {disk.size >> 30} GiB were read in {wanted['scan_timeout'] // 60} min"
        raise Refused(
            f"the volume is not known to be blank: {read}, without a sign of anything; "
            "if you know that nothing is on it, make a filesystem there yourself, and chiops mounts that"
        ) from error
    if content.foreign:
        raise Refused(
            f"the volume holds {content.foreign}; chiops mounts plain filesystems and never formats what is not blank"
        )
    formatted = content.blank or content.unfinished
    if formatted and check:
        return {"changed": True, "device": content.device, "what": "", "type": "ext4", "formatted": True, "grow": []}
    if content.blank:
        partition(disk, wanted["volume"])
    if formatted:
        make_filesystem(disk, wanted["volume"], wanted["label"], pwd.getpwnam(wanted["owner"]))
        content = inspect(disk, 0)
    if not check:
        finish(disk, content)
    grown = not check and grow(disk, content)
    assert content.filesystem  # noqa: S101 - all else has been refused
    return {
        "changed": formatted or grown,
        "device": content.device,
        "what": stable_name(disk, content),
        "type": content.filesystem.type,
        "formatted": formatted,
        "grow": grow_command(content, wanted["path"]),
    }


def grow(disk: Disk, content: Content) -> bool:
    """Have the filesystem reach the end of its disk, as far as that can be done from here. Whether anything grew."""
    grown = grow_partition(disk, content)
    if not mounted_from(device_files(disk), mounts_of()):
        grown = grow_unmounted(content) or grown
    return grown


def stable_name(disk: Disk, content: Content) -> str:
    """The device under a name that is the same after every boot: by the disk's id, since a copy of a volume has its UUID too."""
    number_ = content.device[len(disk.path) :].lstrip("p")
    by_id = f"{disk.link}-part{number_}" if number_ else disk.link
    uuid = content.filesystem.uuid if content.filesystem else ""
    for name in [by_id] * bool(disk.link) + [f"/dev/disk/by-uuid/{uuid}"] * bool(uuid):
        if not Path(name).exists():
            udevadm("trigger", content.device)
        if appears(name) and os.path.realpath(name) == os.path.realpath(content.device):
            return name
    raise Refused("the filesystem has no name that lasts beyond a reboot: neither a UUID of its own nor its disk an id")


def check_path(disk: Disk, path: str, volume: str) -> None:
    """Refuse a mount point that is taken, or that holds files which the mount would hide."""
    mounts = mounts_of()
    there = [mount for mount in mounts if mount.point == path]
    if there:
        if not mounted_from(device_files(disk), there[-1:]):
            source = there[-1].source
            if path in units_of(volume).values():
                raise Refused(
                    f"{source} is mounted at {path} in the place of the volume, of which it may be a copy; "
                    f"run `sudo umount {path}` on the node, then this again"
                )
            raise Refused(f"{path} is taken: {source} is mounted there; choose another path")
        return
    if Path(path).is_dir() and any(Path(path).iterdir()):
        raise Refused(f"{path} holds files that the volume would hide; move them away")
    if Path(path).exists() and not Path(path).is_dir():
        raise Refused(f"{path} is not a folder")


def wait_size(disk: Disk, size_gib: int, deadline: float) -> Disk:
    """The disk once it is as large as the cloud says."""
    while disk.size < size_gib << 30:
        if time.monotonic() > deadline:
            raise Refused(f"the disk shows {disk.size >> 20} MiB where the volume has {size_gib} GiB")
        time.sleep(0.5)
        disk = Disk(disk.path, disk.link, size_of(disk.path))
    return disk


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "volume": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "size_gib": {"type": "int", "default": 0},
            "label": {"type": "str", "default": ""},
            "owner": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 60},
            "scan_timeout": {"type": "int", "default": 3000},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    deadline = time.monotonic() + wanted["timeout"]
    try:
        with locked(wanted["volume"], wait=True):
            disk = find_disk(wanted["volume"], wanted["timeout"])
            if disk is None:
                raise Refused(f"no disk of the volume appeared within {wanted['timeout']} s")
            disk = wait_size(disk, wanted["size_gib"], deadline)
            check_path(disk, wanted["path"], wanted["volume"])
            done = prepare(disk, wanted, module.check_mode)
    except (Refused, LookupError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(unit=unit_name(wanted["path"]), **done)


if __name__ == "__main__":
    main()
