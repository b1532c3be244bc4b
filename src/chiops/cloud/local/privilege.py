"""Runs `loop`'s actions: here if we are root, else in a short-lived container that has what they need."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chiops.cloud.local import image, loop
from chiops.cloud.local.docker_api import translated
from chiops.errors import CloudError

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite


def perform(site: LocalSite, action: str, *args: Any, **options: Any) -> Any:
    """Do ``loop.<action>(*args, **options)`` with the rights it takes, and return its result.

    Raises:
        OSError: as the action does.
        CloudError: the container that should do it failed.
    """
    if os.geteuid() == 0:
        return loop.ACTIONS[action](*args, **options)  # type: ignore[operator]
    return in_container(site, action, *args, **options)


def in_container(site: LocalSite, action: str, *args: Any, **options: Any) -> Any:
    """As `perform`, always in a container.

    It enters our mount namespace, so that devices and files have our paths and the kernel names a device's file as we do;
    the container's device rules hold all the same.
    """
    order = json.dumps({"action": action, "args": args, "options": options})
    script = [sys.executable, "-I", str(Path(loop.__file__).resolve()), order]
    with translated("Setting up a volume"):
        api: Any = site.engine.client().api
        made = api.create_container(
            image.ensure(site),
            ["nsenter", "--target", str(os.getpid()), "--mount", "--", *script],
            labels=site.labels("helper"),
            host_config=api.create_host_config(
                pid_mode="host",
                network_mode="none",
                cap_drop=["ALL"],
                cap_add=["SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE", "MKNOD", "DAC_OVERRIDE", "DAC_READ_SEARCH"],
                device_cgroup_rules=["b 7:* rwm", "c 10:237 rwm"],
                security_opt=["seccomp=unconfined", "apparmor=unconfined"],
            ),
        )
        try:
            api.start(made["Id"])
            status = api.wait(made["Id"])["StatusCode"]
            output = api.logs(made["Id"], stdout=True, stderr=False).decode()
            said = api.logs(made["Id"], stdout=False, stderr=True).decode(errors="replace").strip()
        finally:
            api.remove_container(made["Id"], force=True)
    if status:
        raise CloudError("Setting up a volume failed", why=said.splitlines()[-1] if said else f"it ended with {status}")
    answer = json.loads(output)
    if "errno" in answer:
        raise OSError(answer["errno"], answer["text"])
    return answer["result"]
