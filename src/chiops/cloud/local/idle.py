"""How the site falls asleep, and what it catches up with when it is opened again."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from chiops.cloud.local import agent, containers, subnet
from chiops.cloud.local.locks import FileLock
from chiops.errors import ChiopsError

if TYPE_CHECKING:
    from chiops.cloud.local.leases import LocalLeases
    from chiops.cloud.local.servers import LocalCompute
    from chiops.cloud.local.site import LocalSite

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def catch_up(site: LocalSite, compute: LocalCompute, leases: LocalLeases) -> None:
    """Finish what a killed process began, end leases whose time has come, and after a reboot of the machine mend nodes."""
    if any(site.nodes_dir.glob("*/")):
        compute.mend()
        leases.enforce()
        if _machine_was_rebooted(site):
            for container in containers.every(site):
                # one that waits for the disk that it boots from restarts again and again
                if container["State"] in ("running", "restarting"):
                    site.node_started(container["Labels"][containers.ID_LABEL])
    if leases.booked() or site.engine.daemon.in_use:
        agent.ensure(site)


def sleep_if_idle(site: LocalSite, leases: LocalLeases) -> bool:
    """Stop all that runs if nobody has the site open, it has no server and no lease runs; whether it sleeps now.

    Data stays. Whoever opens the site meanwhile waits until we are done.
    """
    alone = FileLock(site.session.path)
    if not alone.acquire(wait=False):
        return False
    try:
        if any(site.nodes_dir.glob("*/")) or leases.booked() or containers.every(site):
            return False
        site.idle()
        if site.engine.running() is not None:
            containers.remove_helpers(site)
            subnet.remove(site)
            site.engine.stop()
        agent.stop(site)
        return True
    finally:
        alone.release()


def stay_minded(site: LocalSite, leases: LocalLeases) -> None:
    """Make sure that the agent minds what goes on running when we leave.

    Raises:
        CloudError: it does not run, so leases would not end.
    """
    if leases.booked() or site.engine.daemon.in_use:
        agent.ensure(site, wait=True)


def abandon(site: LocalSite) -> None:
    """The site's folder was deleted under it, and all data with it: stop whatever still runs."""
    with suppress(ChiopsError):
        containers.remove_helpers(site, servers=True)
    with suppress(ChiopsError):
        subnet.remove(site)
    site.engine.stop()
    subnet.remove_remains(site)


def _machine_was_rebooted(site: LocalSite) -> bool:
    """Whether this is the first look at the site's nodes since the machine started."""
    now = _BOOT_ID.read_text(encoding="ascii").strip()
    row = site.store.row("SELECT value FROM settings WHERE name = 'boot_id'")
    if row and row["value"] == now:
        return False
    site.store.execute("INSERT OR REPLACE INTO settings VALUES ('boot_id', ?)", (now,))
    return True
