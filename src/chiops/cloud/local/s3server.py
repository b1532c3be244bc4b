"""The site's S3 server: SeaweedFS in a container on the nodes' network, so that nodes and this machine reach it at one address.

Why SeaweedFS, and what its settings do: docs/decisions/s3-server.md.
"""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from chiops import progress
from chiops.cloud.base import S3Access, S3Endpoint
from chiops.cloud.local import image, seaweed
from chiops.cloud.local.docker_api import translated
from chiops.cloud.local.keys import Keys
from chiops.cloud.local.locks import locked
from chiops.cloud.local.recipe import FILES
from chiops.cloud.local.seaweed import MIN_FREE, PORT
from chiops.cloud.local.space import filling, require_free
from chiops.cloud.local.subnet import existing
from chiops.errors import Auth, ChiopsError, CloudError, Timeout

if TYPE_CHECKING:
    from chiops.cloud.local.site import LocalSite

START_S = 40.0
"""How long the server may take to answer; two and a half seconds are usual."""
APPLY_S = 10.0
"""How long it may take to know a new key, or to refuse a revoked one; hundredths of a second are usual."""
PROBE_S = 2.0
"""How long it may take to answer who only asks whether it is there."""
STOP_S = 2
"""How long it may take to stop. It ends its own streams after 15 s only; being killed costs it no data."""


class S3Server:
    """Starts the server when it is needed and tells it which keys are good. Safe for threads and several processes."""

    def __init__(self, site: LocalSite, keys: Keys) -> None:
        self._site = site
        self._keys = keys
        self._home = site.root / "s3"

    def endpoint(self) -> S3Endpoint:
        """Where the server listens once it runs; its network is made if need be."""
        return S3Endpoint(f"http://{self._site.subnet().s3_address}:{PORT}", "us-east-1", "SeaweedFS")

    def access(self, bucket: str = "") -> S3Access:
        """Our own key, which may do everything."""
        admin = self._keys.admin()
        return S3Access(bucket=bucket, endpoint=self.endpoint(), access=admin.access, secret=admin.secret)

    def running(self) -> bool:
        """Whether the server runs; starts nothing."""
        container = self._container()
        return container is not None and container["State"] == "running"

    def trouble(self) -> str:
        """Why nobody is served now, "" if all are; found out within `PROBE_S`, and nothing is started."""
        if not self.running() or (subnet := existing(self._site)) is None:
            return "the S3 server does not run"
        return "" if _demands_key(subnet.s3_address) else "the S3 server does not answer"

    def ensure(self) -> None:
        """Return with the server running and answering; at once if it does.

        Raises:
            Capacity: the disk is full.
            CloudError, Timeout: it ended or does not answer; its log's last words say why.
        """
        with locked(self._home / "lock"):
            # Docker first: one that died may have left a server, running or not
            self._site.engine.client()
            if self._catch_up():
                return
            with progress.task("Start the S3 server"):
                self._start()

    def apply(self) -> None:
        """Tell the server, if it runs, which keys there are now; returns when it knows the new ones and refuses the revoked."""
        with locked(self._home / "lock"):
            self._catch_up()

    def _catch_up(self) -> bool:
        """Have a running server answer and know its keys; False if none runs."""
        if not self.running():
            return False
        self._wait_until_answers()
        self._tell()
        return True

    def _tell(self) -> None:
        if not (news := self._keys.untold()):
            return
        self._write_config()
        with translated("Telling the S3 server its keys"):
            self._site.engine.client().api.kill(self._name, "SIGHUP")
        for key in news:
            self._wait_for_verdict(key.access, key.secret, accepted=bool(key.secret))
        self._keys.told(news)

    def stop(self) -> None:
        """Stop the server and remove its container; its data stays."""
        with locked(self._home / "lock"):
            self._remove()

    @property
    def _name(self) -> str:
        return f"{self._site.network_name}-s3"

    def _container(self) -> dict[str, Any] | None:
        if (client := self._site.engine.running()) is None:
            return None
        with translated("Looking for the S3 server"):
            found = client.api.containers(all=True, filters=self._site.filters("s3"))
        return found[0] if found else None

    def _start(self) -> None:
        self._remove()
        data = self._home / "data"
        with filling("Starting the S3 server", self._home):
            data.mkdir(parents=True, exist_ok=True, mode=0o700)
        require_free("Starting the S3 server", data, MIN_FREE + (64 << 20))
        self._keys.forget_revoked()
        news = self._keys.untold()
        self._write_config()
        weed, base, subnet = seaweed.program(), image.ensure(self._site), self._site.subnet()
        with translated("Starting the S3 server"):
            api: Any = self._site.engine.client().api
            binds = [
                f"{weed}:/usr/local/bin/weed:ro",
                f"{FILES / 's3-entry.sh'}:/s3-entry.sh:ro",
                f"{self._home / 'config'}:{seaweed.CONFIG_DIR}:ro",
                f"{data}:{seaweed.DATA_DIR}",
            ]
            made = api.create_container(
                base,
                ["sh", "/s3-entry.sh", str(PORT), *seaweed.COMMAND],
                name=self._name,
                hostname="s3",
                labels=self._site.labels("s3"),
                environment=seaweed.ENVIRONMENT,
                host_config=api.create_host_config(
                    binds=binds,
                    cap_drop=["ALL"],
                    cap_add=["NET_ADMIN", "SETUID", "SETGID", "SETPCAP"],
                    read_only=True,
                    tmpfs={"/tmp": "mode=1777"},  # noqa: S108 - in the container
                    network_mode=self._site.network_name,
                    restart_policy={"Name": "on-failure", "MaximumRetryCount": 3},
                    log_config={"type": "json-file", "config": {"max-size": "2m", "max-file": "2"}},
                ),
                networking_config=api.create_networking_config(
                    {self._site.network_name: api.create_endpoint_config(ipv4_address=subnet.s3_address)}
                ),
            )
            api.start(made["Id"])
        try:
            self._wait_until_answers()
            self._wait(lambda: self._has_store(made["Id"]), START_S, "find what it stores")
        except ChiopsError:
            self._remove()
            raise
        self._keys.told(news)

    def _remove(self) -> None:
        if (found := self._container()) is None:
            return
        with translated("Stopping the S3 server"):
            api = self._site.engine.client().api
            if found["State"] == "running":
                api.stop(found["Id"], timeout=STOP_S)
            api.remove_container(found["Id"], force=True, v=True)

    def _write_config(self) -> None:
        folder = self._home / "config"
        with filling("Writing the S3 server's keys", folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = folder / "identities.new"
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(self._keys.identities(), file)
            fresh.replace(folder / "identities.json")

    def _wait_until_answers(self) -> None:
        address = self._site.subnet().s3_address
        self._wait(lambda: _demands_key(address), START_S, "answer")

    def _has_store(self, container_id: str) -> bool:
        # One that has ended meanwhile has none; why it ended is told by who waits
        with suppress(CloudError), translated("Asking the S3 server for its store"):
            api: Any = self._site.engine.client().api
            asked = api.exec_create(container_id, list(seaweed.TOPOLOGY), stderr=False)
            return seaweed.has_store(api.exec_start(asked["Id"]).decode(errors="replace"))
        return False

    def _wait_for_verdict(self, access: str, secret: str, *, accepted: bool) -> None:
        from chiops.s3 import client as s3

        probe = S3Access(bucket="", endpoint=self.endpoint(), access=access, secret=secret or "none")
        client = s3.client(probe, attempts=1)

        def told() -> bool:
            try:
                with s3.translated("Asking the S3 server"):
                    client.list_buckets()
            except Auth as error:
                # A key that is still known would be refused for its signature
                return not accepted and "revoked" in error.why
            return accepted

        self._wait(told, APPLY_S, "take over the keys")

    def _wait(self, ready: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            found = self._container()
            if found is None or found["State"] != "running":
                raise CloudError("The S3 server ended", why=self._last_words(found))
            if time.monotonic() > deadline:
                raise Timeout(f"The S3 server did not {what} within {seconds:.0f} s", why=self._last_words(found))
            time.sleep(0.05)

    def _last_words(self, container: dict[str, Any] | None) -> str:
        if container is None:
            return "its container is gone"
        with translated("Reading the S3 server's log"):
            log = self._site.engine.client().api.logs(container["Id"], tail=60)
        return seaweed.telling(log.decode(errors="replace"))


def _demands_key(address: str) -> bool:
    """Whether the server answers, and refuses who has no key."""
    connection = http.client.HTTPConnection(address, PORT, timeout=PROBE_S)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == http.client.FORBIDDEN
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
