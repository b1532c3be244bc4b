"""The Docker that carries the site's nodes: the one this machine has, or one of the site's own.

Only the Engine API is spoken, so the version of an installed Docker command does not matter.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from chiops.cloud.local import packages
from chiops.cloud.local.daemon import Daemon
from chiops.errors import Capacity, ChiopsError, CloudError, Conflict, NotFound, PrerequisiteMissing, Timeout, Transient

if TYPE_CHECKING:
    from docker import DockerClient

_DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_CALL_S = 120
_PING_S = 5


class Engine:
    """Finds Docker, or provides it. One per site and process; safe for threads.

    Which Docker it is follows from what runs: the site's own daemon if it answers, or else this machine's; if neither does
    and `client` is asked for, an own one is started. So a site never loses sight of its nodes.
    """

    def __init__(self, home: Path, site_id: str) -> None:
        self.daemon = Daemon(home, site_id)
        self._client: DockerClient | None = None
        self._own = False
        self._lock = threading.Lock()

    @property
    def own(self) -> bool:
        """Whether the Docker in use is the site's own; false before `running` or `client` found one."""
        return self._own

    def running(self) -> DockerClient | None:
        """The Docker in use, or None. Starts nothing but a daemon of the site's own that died."""
        with self._lock:
            return self._find()

    def client(self) -> DockerClient:
        """The Docker to use; installed and started if need be and allowed.

        Raises:
            PrerequisiteMissing: there is no Docker and we may not provide one; the sentence says what to install.
        """
        with self._lock:
            return self._find() or self._provide()

    def stop(self) -> None:
        """Stop the site's own daemon, if it runs; this machine's Docker is left alone."""
        with self._lock:
            self._forget()
            if self.daemon.in_use:
                self.daemon.stop()

    def _find(self) -> DockerClient | None:
        if self._client is not None:
            if not self._own or self.daemon.pid():
                return self._client
            self._forget()
        if self.daemon.in_use:
            # at once if it runs; waits for one that another process is just bringing up, and brings back one that died
            self.daemon.start()
            self._client, self._own = _connect(f"unix://{self.daemon.socket}"), True
            if self._client is None:
                raise Transient("The local site's Docker does not answer", todo=f"read {self.daemon.log}")
        else:
            self._client, self._own = _connect(_host_url()), False
        return self._client

    def _provide(self) -> DockerClient:
        if os.environ.get("DOCKER_HOST"):
            raise PrerequisiteMissing(
                "The Docker that DOCKER_HOST names does not answer", todo="start it, or unset DOCKER_HOST"
            )
        if os.geteuid() != 0:
            raise PrerequisiteMissing(
                "The local site needs Docker, and none answers here",
                todo="install and start Docker and let your account use it, or run chiops as root",
            )
        had = packages.find("dockerd")
        packages.require({"dockerd": "docker.io"}, purpose="The local site")
        if not had and packages.has_service_manager() and (found := self._find()):
            return found
        self.daemon.start()
        if (found := self._find()) is None:
            raise Transient("Docker started but does not answer", todo=f"read {self.daemon.log}")
        return found

    def _forget(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        self._own = False


def _host_url() -> str:
    """Where this machine's Docker is; nodes need its file system, so a remote one is refused."""
    url = os.environ.get("DOCKER_HOST") or _DEFAULT_SOCKET
    if not url.startswith("unix://"):
        raise PrerequisiteMissing(
            f"DOCKER_HOST names a Docker elsewhere ({url}), and the local site's nodes need this machine's",
            todo="unset DOCKER_HOST",
        )
    return url


def _connect(url: str) -> DockerClient | None:
    """A client for ``url`` if a daemon answers there."""
    if not Path(url.removeprefix("unix://")).exists():
        return None
    import docker
    from docker.errors import DockerException

    try:
        client = docker.DockerClient(base_url=url, version="auto", timeout=_PING_S, max_pool_size=32)
    except DockerException:
        return None
    client.api.timeout = _CALL_S
    return client


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn Docker's errors in the body into ours; ``doing`` is the clause that says what was tried, e.g. "Creating node a"."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import ConnectionError as Unreachable
    from requests.exceptions import RequestException
    from requests.exceptions import Timeout as TooSlow

    try:
        yield
    except APIError as error:
        raise _api_error(doing, error.explanation or str(error), error.status_code) from error
    except TooSlow as error:
        raise Timeout(f"{doing}: Docker did not answer in time", todo="try again") from error
    except (Unreachable, BrokenPipeError, ConnectionResetError) as error:
        raise Transient(f"{doing}: Docker went away", todo="try again; chiops starts its own Docker anew") from error
    except (DockerException, RequestException) as error:
        raise CloudError(f"{doing} failed", why=str(error)) from error


def _api_error(doing: str, why: str, status: int | None) -> ChiopsError:
    text = why.lower()
    if "no space left" in text:
        return Capacity(f"{doing} failed", why="the disk is full", todo="free some space and try again")
    if "no available ipv4" in text or "no available addresses" in text:
        return Capacity(f"{doing} failed", why="the site's addresses are used up")
    if status == 404:
        return NotFound(f"{doing} failed", why=why)
    if status == 409:
        return Conflict(f"{doing} failed", why=why)
    return CloudError(f"{doing} failed", why=why)
