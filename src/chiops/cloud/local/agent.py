"""A small process that minds the local site while no chiops runs: it ends leases, and stops what runs when nothing needs it.

It is started with a lease or with a Docker of the site's own, there is one per site, and it goes when the site goes to sleep.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from chiops.cloud.local.locks import FileLock
from chiops.errors import ChiopsError, CloudError, Timeout

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite

_MODULE = "chiops.cloud.local.agent"
_LOOK_S = 0.5
_IDLE_LOOKS = 4
_STOP_S = 20.0
_START_S = 15.0
_TRIES = 20
_started: list[subprocess.Popen[bytes]] = []


def ensure(site: LocalSite, *, wait: bool = False) -> None:
    """Have the agent run; with ``wait``, return when it does.

    Raises:
        CloudError: it was waited for, and did not start.
    """
    if not running(site):
        _start(site)
    deadline = time.monotonic() + _START_S
    while wait and not running(site):
        if time.monotonic() > deadline:
            log = _log(site)
            raise CloudError("The local site's agent does not run, so leases would not end", todo=f"read {log}")
        time.sleep(0.02)


def _start(site: LocalSite) -> None:
    # those that ended meanwhile are reaped
    _started[:] = [process for process in _started if process.poll() is None]
    with _log(site).open("ab") as output:
        _started.append(
            subprocess.Popen(
                [sys.executable, "-m", _MODULE, str(site.root), str(site.cache)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
            )
        )


def running(site: LocalSite) -> bool:
    """Whether the site's agent runs."""
    lock = _lock(site)
    if lock.acquire(wait=False):
        lock.release()
        return False
    return True


def stop(site: LocalSite) -> None:
    """End the agent, unless that is us, and wait until it is gone.

    Raises:
        Timeout: it does not end.
    """
    deadline = time.monotonic() + _STOP_S
    while running(site):
        if (pid := _pid(site)) == os.getpid():
            return
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        if time.monotonic() > deadline:
            raise Timeout(f"The local site's agent (process {pid}) did not stop within {_STOP_S:.0f} s")
        time.sleep(0.02)
    for process in _started:
        process.poll()


def _pid(site: LocalSite) -> int:
    """The agent's process id, or 0. The process must look like it: ids are used again."""
    try:
        pid = int(_lock(site).path.read_text(encoding="ascii"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return 0
    return pid if _MODULE.encode() in command and str(site.root).encode() in command else 0


def _log(site: LocalSite) -> Path:
    return site.root / "agent.log"


def _lock(site: LocalSite) -> FileLock:
    return FileLock(site.root / "agent.lock")


def main(root: Path, cache: Path) -> None:
    """Mind the site until it sleeps."""
    from chiops.cloud.local import idle
    from chiops.cloud.local.cloud import LocalCloud

    log = logging.getLogger(_MODULE)
    cloud = LocalCloud(root, cache, session=False)
    lock = _lock(cloud.local)
    # someone who only looks whether we run may hold it for a moment
    for _ in range(_TRIES):
        if lock.acquire(wait=False):
            break
        time.sleep(0.05)
    else:
        return
    lock.write(str(os.getpid()))
    looks = 0
    while True:
        if not cloud.local.store.path.exists():
            idle.abandon(cloud.local)
            return
        try:
            cloud.leases.enforce()
            looks += 1
            # not at every look: it asks Docker
            if looks % _IDLE_LOOKS == 0 and cloud.sleep_if_idle():
                return
        except ChiopsError as error:
            log.warning("%s", error)
        except Exception:
            # whatever goes wrong once must not leave leases without an end
            log.exception("the agent goes on")
        time.sleep(_LOOK_S)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
