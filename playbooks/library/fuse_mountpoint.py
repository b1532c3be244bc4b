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
  - A mount that works is left alone, and so is one that does not answer.
  - A folder that holds files is refused, since a mount would hide them.
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


ANSWER_S = 10


def hangs(path: str) -> bool:
    """Whether nothing can be learned of ``path``, since a mount there does not answer.

    A process that waits for FUSE cannot be ended; its parent, a shell, can.
    """
    look = subprocess.Popen(
        ["sh", "-c", 'stat "$1"; exit $?', "sh", path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        look.wait(ANSWER_S)
    except subprocess.TimeoutExpired:
        look.kill()
        look.wait()
        return True
    return False


def is_dead(path: str) -> bool:
    """Whether a FUSE mount without a process covers ``path``.

    Raises:
        PermissionError: a FUSE mount covers it that is its owner's alone, so that not even root may look.
    """
    try:
        Path(path).stat()
    except PermissionError:
        raise
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

    if hangs(path):
        module.exit_json(changed=False, detached=False, mounted=True)
    try:
        detached = is_dead(path)
    except PermissionError:
        module.fail_json(msg=f"{path} is covered by another's mount; unmount it: fusermount3 -u {path}")
    if detached and not module.check_mode:
        done = subprocess.run(["umount", "-l", path], capture_output=True, text=True, check=False)
        if done.returncode:
            module.fail_json(msg=f"the dead mount at {path} cannot be detached: {done.stderr.strip()}")
    if not (detached and module.check_mode) and os.path.ismount(path):
        module.exit_json(changed=detached, detached=detached, mounted=True)

    covered = detached and module.check_mode
    there = Path(path).is_dir() and not covered
    if there and any(Path(path).iterdir()):
        module.fail_json(msg=f"{path} holds files, which a mount would hide; move them away or mount elsewhere")
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
