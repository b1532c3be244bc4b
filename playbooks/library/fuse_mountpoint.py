#!/usr/bin/python
"""Ansible module: a folder that a FUSE file system can be mounted on."""

from __future__ import annotations

import errno
import os
import pwd
import subprocess
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: fuse_mountpoint
short_description: Make a folder ready to be mounted on
description:
  - Makes the folder, owned by the user who will mount.
  - Detaches a FUSE mount whose process is gone, which otherwise fails every access to the folder.
  - A mount that works is left alone, and so is what lies below it.
options:
  path:
    description: Absolute path of the folder.
    type: path
    required: true
  owner:
    description: The user who will mount.
    type: str
    required: true
author: chiops
"""

EXAMPLES = r"""
- name: Make the mount point
  fuse_mountpoint:
    path: /mnt/object
    owner: cc
"""

RETURN = r"""
mounted:
  description: Whether something is mounted there.
  type: bool
  returned: always
detached:
  description: Whether a dead mount was detached.
  type: bool
  returned: always
"""


def is_dead(path: str) -> bool:
    """Whether a FUSE mount without a process covers ``path``."""
    try:
        Path(path).stat()
    except OSError as error:
        return error.errno in (errno.ENOTCONN, errno.ECONNABORTED)
    return False


def main() -> None:
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "required": True}, "owner": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    path, owner = module.params["path"], module.params["owner"]
    try:
        account = pwd.getpwnam(owner)
    except KeyError:
        module.fail_json(msg=f"there is no user {owner}")

    detached = is_dead(path)
    if detached and not module.check_mode:
        done = subprocess.run(["umount", "-l", path], capture_output=True, text=True, check=False)
        if done.returncode:
            module.fail_json(msg=f"the dead mount at {path} cannot be detached: {done.stderr.strip()}")
    if not (detached and module.check_mode) and os.path.ismount(path):
        module.exit_json(changed=detached, detached=detached, mounted=True)

    there = Path(path).is_dir() and not (detached and module.check_mode)
    right = there and Path(path).stat().st_uid == account.pw_uid
    if not right and not module.check_mode:
        try:
            Path(path).mkdir(mode=0o755, parents=True, exist_ok=True)
            os.chown(path, account.pw_uid, account.pw_gid)
        except OSError as error:
            module.fail_json(msg=f"{path} cannot be made: {error.strerror}")
    module.exit_json(changed=detached or not right, detached=detached, mounted=False)


if __name__ == "__main__":
    main()
