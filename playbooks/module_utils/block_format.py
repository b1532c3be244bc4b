"""Partitioning, formatting and growing, for our modules. Only a disk that was found blank is ever formatted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ansible.module_utils.block_content import UNFINISHED, Content, Unread, filesystem_size, inspect, table_of
from ansible.module_utils.block_devices import Disk, appears, device_files, find_disk, number, run, size_of, udevadm
from ansible.module_utils.block_users import openers

if TYPE_CHECKING:
    import pwd

SPARE = 64 << 20
"""Bytes behind a partition or filesystem that are not worth growing it for."""
APPEARS_S = 15


class Refused(Exception):
    """Why the volume can't be mounted, for people."""


def must(*command: str, stdin: str = "") -> None:
    """Run a program that has to succeed."""
    done = run(*command, stdin=stdin)
    if done.returncode:
        raise Refused(f"{command[0]} failed: {(done.stderr or done.stdout).strip()}")


def require_still(disk: Disk, volume: str) -> None:
    """Check that a device file still shows the disk that was looked at, and that nobody began to use it.

    To read it whole and to wait for udev takes its time, in which a disk may be detached and another one get its letter.
    """
    now = find_disk(volume)
    if now is None or (now.path, now.size) != (disk.path, disk.size):
        found = f"{now.path} of {now.size >> 20} MiB" if now else "gone"
        raise Refused(
            f"the volume's disk was {disk.path} of {disk.size >> 20} MiB and is {found} now, so nothing is formatted; "
            "run this again once it stays attached"
        )
    if users := openers(device_files(disk)):
        raise Refused(
            f"{disk.path} is in use by {', '.join(map(str, users))}, so nothing is formatted; end that, then run this again"
        )


def require_blank(disk: Disk) -> None:
    """Check once more that a disk shows no sign of anything, where content shows soon: it was read to its end behind which
    somebody may have written meanwhile."""
    try:
        content = inspect(disk, 0)
    except Unread:
        return
    if not content.blank:
        what = content.foreign or (content.filesystem.kind if content.filesystem else "a partition")
        raise Refused(
            f"{disk.path} was blank and holds {what} by now, so nothing is formatted; run this again to use it"
        )


def partition(disk: Disk, volume: str) -> None:
    """One partition over a blank disk, under the name that says that it is ours and not formatted yet."""
    require_still(disk, volume)
    require_blank(disk)
    must("sfdisk", "--quiet", disk.path, stdin=f'label: gpt\ntype=linux, name="{UNFINISHED}"\n')
    tell_kernel(disk)


def tell_kernel(disk: Disk) -> None:
    """Have the partitions' device files show what the table says."""
    udevadm("settle", f"--timeout={APPEARS_S}")
    if not Path(f"/sys/dev/block/{number(disk.path)}/loop").exists():
        # A disk in use is not read anew as a whole; each partition can be told. On loop devices the site's udevadm does it.
        run("partx", "--update", disk.path)
        udevadm("settle", f"--timeout={APPEARS_S}")


def make_filesystem(disk: Disk, volume: str, label: str, owner: pwd.struct_passwd) -> None:
    """Format the one partition of a disk that was blank."""
    path = disk.partition(1)
    if not appears(path, APPEARS_S):
        raise Refused(f"{path} did not appear after the disk was partitioned")
    require_still(disk, volume)
    table = table_of(disk.path)
    if not table or table.label != "gpt" or [part.name for part in table.partitions] != [UNFINISHED]:
        raise Refused(
            f"{disk.path} has other partitions than this run gave it, so nothing is formatted; look what they hold"
        )
    owned = f"root_owner={owner.pw_uid}:{owner.pw_gid}"
    must("mkfs.ext4", "-q", "-L", label.encode()[:16].decode("utf-8", "ignore"), "-E", owned, path)


def finish(disk: Disk, content: Content) -> None:
    """Take the name for unfinished work from a partition that is formatted."""
    if content.table and any(part.name == UNFINISHED for part in content.table.partitions):
        must("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--part-label", disk.path, "1", "chiops")


def grow_partition(disk: Disk, content: Content) -> bool:
    """Have a filesystem's partition reach the end of its disk, if it is the last one there. Whether it grew."""
    table = content.table
    if not table or table.label not in ("gpt", "dos"):
        return False
    last = table.partitions[-1]
    if content.device != disk.partition(last.number) or disk.size - last.start - last.size < SPARE:
        return False
    if filesystem_size(content.device, content.filesystem.type if content.filesystem else "") is None:
        return False
    options = ("--quiet", "--no-reread", "--no-tell-kernel", "--force")
    must("sfdisk", *options, "-N", str(last.number), disk.path, stdin=", +\n")
    tell_kernel(disk)
    now = table_of(disk.path)
    if not now or now.partitions[-1].start != last.start or size_of(content.device) <= last.size:
        raise Refused(f"{content.device} can't grow while it is in use; unmount it once, then run this again")
    return True


def grow_unmounted(content: Content) -> bool:
    """Grow an ext filesystem that is not mounted to its device, if it has no errors. Whether it grew."""
    if not grow_command(content, "") or content.filesystem is None or content.filesystem.type == "xfs":
        return False
    check = run("e2fsck", "-f", "-p", content.device)
    if check.returncode > 1:
        raise Refused(f"the filesystem has errors, so it is not grown; look at it with `e2fsck {content.device}`")
    must("resize2fs", content.device)
    return True


def grow_command(content: Content, path: str) -> list[str]:
    """What grows the filesystem to its device, once it is mounted at ``path``."""
    type_ = content.filesystem.type if content.filesystem else ""
    size = filesystem_size(content.device, type_)
    if size is None or size_of(content.device) - size < SPARE:
        return []
    return ["xfs_growfs", "-d", path] if type_ == "xfs" else ["resize2fs", content.device]
