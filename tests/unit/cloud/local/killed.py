"""A process that makes, rebuilds or deletes a server and is killed at a given point.

usage: python -m tests.unit.cloud.local.killed create|boot|rebuild|delete MODULE:FUNCTION before|after PUBLIC_KEY [SERVER_ID]
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

from chiops.cloud.base import BootVolume, Mark, ServerRequest
from chiops.cloud.local.cloud import LocalCloud
from tests.support.target import IMAGE


def arm(point: str, moment: str) -> None:
    """Have this process killed just before or after it calls the function at ``point``."""
    module_name, _, path = point.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module_name)
    for part in owners:
        owner = getattr(owner, part)
    original = getattr(owner, name)

    def deadly(*args: object, **options: object) -> object:
        if moment == "after":
            original(*args, **options)
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    setattr(owner, name, deadly)


def main(action: str, point: str, moment: str, key: str, server_id: str = "") -> None:
    with LocalCloud() as cloud:
        arm(point, moment)
        if action in ("create", "boot"):
            cloud.compute.create(
                ServerRequest(
                    name="doomed",
                    image_id=IMAGE,
                    flavor_id="m1.tiny",
                    keypair=key,
                    mark=Mark("doomed", "me"),
                    boot_volume=BootVolume(size_gib=2) if action == "boot" else None,
                )
            )
        elif action == "rebuild":
            cloud.compute.rebuild(server_id, IMAGE)
        else:
            cloud.compute.delete(server_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
