"""The FUSE backends that mount a bucket on a node, one file each. How they are installed and started: role ``mount_bucket``."""

from __future__ import annotations

from chiops.cloud.base import S3Access
from chiops.errors import UsageError
from chiops.names import suggestion
from chiops.remote.fuse import mountpoint_s3, pond, rclone, s3fs
from chiops.remote.fuse.base import Backend, Counters, MountChoice

BACKENDS: dict[str, Backend] = {
    one.name: one for one in (rclone.BACKEND, s3fs.BACKEND, mountpoint_s3.BACKEND, pond.BACKEND)
}

__all__ = ["BACKENDS", "Backend", "Counters", "MountChoice", "choice", "key"]


def key(access: S3Access) -> dict[str, str]:
    """The key and where it fits, as the role ``mount_bucket`` takes it; secret."""
    where = access.endpoint
    return {
        "url": where.url,
        "region": where.region,
        "provider": where.provider,
        "access": access.access,
        "secret": access.secret,
    }


def choice(text: str) -> MountChoice:
    """From what a person typed: a backend, then options of its own, as in ``rclone --no-modtime --dir-cache-time=1h``.

    Raises:
        UsageError: there is no such backend, or an option could not stand in a unit file.
    """
    name, *options = text.split() or [""]
    if name not in BACKENDS:
        raise UsageError(f"there is no mount backend {name!r}", todo=suggestion(name, BACKENDS))
    for option in options:
        if not MountChoice.OPTION.fullmatch(option):
            raise UsageError(
                f"the mount option {option!r} is not understood", todo="write --name=value or -oname=value, no blanks"
            )
    return MountChoice(name, tuple(options))
