"""The Docker that carries the site's nodes: the one this machine has, or one of the site's own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from chiops.cloud.local import packages
from chiops.cloud.local.carrier import Carrier, Record
from chiops.cloud.local.daemon import Daemon
from chiops.cloud.local.docker_api import connect, host_url, is_forbidden, translated
from chiops.cloud.local.locks import locked
from chiops.errors import PrerequisiteMissing, Transient

if TYPE_CHECKING:
    from docker import DockerClient

_KNOWN_PING_S = 20
"""For the one that has the site's servers: it is worth waiting for, while it starts or has much to do."""


class Engine:
    """Finds Docker, or provides it. One per site and process; safe for threads.

    While the site has servers it is the one that has them (see `carrier`), and no other. Without any it follows from what runs:
    the site's own daemon if it answers, or else this machine's; if neither does and `client` is asked for, an own one is started.
    """

    def __init__(self, home: Path, site_id: str, nodes: Path) -> None:
        self.daemon = Daemon(home, site_id)
        self._record = Record(home, nodes)
        self._label = f"chiops-site={site_id}"
        self._client: DockerClient | None = None
        self._carrier: Carrier | None = None
        self._url = ""
        self._own = False
        self._lock = threading.Lock()

    @property
    def own(self) -> bool:
        """Whether the Docker in use is the site's own; false before `running` or `client` found one."""
        return self._own

    def running(self) -> DockerClient | None:
        """The Docker in use, or None. Starts nothing but a daemon of the site's own that died.

        Raises:
            CloudError: the one that has the site's servers does not answer.
        """
        with self._lock:
            return self._find()

    def client(self) -> DockerClient:
        """The Docker to use; installed and started if need be and allowed.

        Raises:
            PrerequisiteMissing: there is no Docker and we may not provide one; the sentence says what to install.
            CloudError: the one that has the site's servers does not answer.
        """
        with self._lock:
            return self._find() or self._provide()

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Make a node's folder in the body: it is written down first that the Docker in use has the site's servers."""
        with locked(self._record.lock):
            with self._lock:
                if self._find() is None:
                    self._provide()
                self._carrier = None  # the network may be new
                self._record.write(self._in_use())
            yield

    def stop(self) -> None:
        """Stop the site's own daemon, if it runs; this machine's Docker is left alone."""
        with self._lock:
            self._forget()
            if self.daemon.in_use:
                self.daemon.stop()

    def _find(self) -> DockerClient | None:
        if self._client is not None and self._own and not self.daemon.pid():
            self._forget()
        if not self._record.binds():
            return self._client or self._any()
        if self._record.given_up():
            return self._client or self._any()
        wanted = self._record.read() or self._adopt()
        if self._client is None or self._in_use() != wanted:
            self._forget()
            self._take(wanted)
        return self._client

    def _any(self) -> DockerClient | None:
        if self.daemon.in_use:
            self._take_own()
        else:
            self._url = host_url()
            self._client = connect(self._url)
        return self._client

    def _take(self, wanted: Carrier) -> None:
        """Use that Docker and no other; an own one that is not in use is left for `_provide` to start."""
        if wanted.own:
            if self.daemon.in_use:
                self._take_own()
            return
        urls = [wanted.url]
        with suppress(PrerequisiteMissing):
            urls.append(host_url())
        answered = False
        for self._url in dict.fromkeys(urls):
            self._client = connect(self._url, _KNOWN_PING_S)
            if self._client is None:
                continue
            if (wanted.network and wanted.network in self._networks(self._client)) or self._has_servers(self._client):
                self._record.write(self._in_use())
                return
            answered = True
            self._forget()
        raise self._record.elsewhere() if answered else self._record.silent(forbidden=is_forbidden(wanted.url))

    def _take_own(self) -> DockerClient:
        # at once if it runs; waits for one that another process is just bringing up, and brings back one that died
        self.daemon.start()
        self._client, self._own = connect(f"unix://{self.daemon.socket}"), True
        if self._client is None:
            raise Transient("The local site's Docker does not answer", todo=f"read {self.daemon.log}")
        return self._client

    def _adopt(self) -> Carrier:
        """For a site of before the record: the Docker that lists its servers, or its network if one was killed in the making."""
        in_use, answered = self.daemon.in_use, False
        looks: list[tuple[str, bool, Callable[[DockerClient], object]]]
        looks = [("own", in_use, self._has_servers), ("host", True, self._has_servers)]
        looks += [
            ("own", not in_use, self._has_servers),
            ("own", in_use, self._networks),
            ("host", True, self._networks),
        ]
        for whose, possible, has in looks:
            self._forget()
            if whose == "own" and possible and (in_use or self.daemon.may_return):
                self._take_own()
            elif whose == "host" and (client := connect(host_url(), _KNOWN_PING_S)):
                self._url, self._client, answered = host_url(), client, True
            if self._client is not None and has(self._client):
                self._record.write(self._in_use())
                return self._in_use()
            if self._own and not in_use:
                self._forget()
                self.daemon.stop()
        self._forget()
        raise self._record.elsewhere() if answered else self._record.silent(forbidden=is_forbidden(host_url()))

    def _has_servers(self, client: DockerClient) -> bool:
        with translated("Looking for the local site's servers"):
            return bool(client.api.containers(all=True, filters={"label": [self._label, "chiops-kind=server"]}))

    def _networks(self, client: DockerClient) -> list[str]:
        with translated("Looking for the local site's network"):
            return [found["Id"] for found in client.api.networks(filters={"label": [self._label]})]

    def _in_use(self) -> Carrier:
        """What is written down of the Docker in use."""
        if self._carrier is None:
            if self._own or self._client is None:
                self._carrier = Carrier()
            else:
                self._carrier = Carrier(self._url, next(iter(self._networks(self._client)), ""))
        return self._carrier

    def _provide(self) -> DockerClient:
        if self._record.binds() and (wanted := self._record.read()) and wanted.own:
            if os.geteuid() != 0:
                raise PrerequisiteMissing(
                    "The local site's servers are in a Docker of its own, which only root can start",
                    todo="run chiops as root",
                )
            return self._take_own()
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
        self._carrier, self._own = None, False
