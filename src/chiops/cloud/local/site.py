"""What all services of the local site share: where things are, the engine, the database, labels and the network's addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from chiops import paths
from chiops.cloud.local.engine import Engine
from chiops.cloud.local.locks import FileLock
from chiops.cloud.local.store import Store

if TYPE_CHECKING:
    from chiops.cloud.local.subnet import Subnet

NODE_FILES = "/etc/chiops-site"
"""Where a node sees its `LocalSite.node_dir`, read-only."""


class LocalSite:
    """One local site: all that is below one state directory. Cheap to make; nothing is started or written but the database.

    Attributes:
        id: eight hex digits that follow from the state directory; part of every Docker object's name and labels.
        root: the site's state, owner only.
        cache: what can be made again.
        engine: the Docker in use.
        store: the database.
    """

    def __init__(self, root: Path | None = None, cache: Path | None = None) -> None:
        self.root = paths.private_dir(root or paths.state_dir() / "local").resolve()
        self.cache = paths.private_dir(cache or paths.cache_dir() / "local").resolve()
        self.id = hashlib.sha256(str(self.root).encode()).hexdigest()[:8]
        self.engine = Engine(self.root, self.id, self.nodes_dir)
        self.store = Store(self.root / "site.db")
        self.store.define("CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        self.session = FileLock(self.root / "session.lock")
        paths.private_dir(self.nodes_dir)
        self._server_gone: list[Callable[[str], None]] = []
        self._node_started: list[Callable[[str], None]] = []
        self._idle: list[Callable[[], None]] = []

    def labels(self, kind: str, **more: str) -> dict[str, str]:
        """Docker labels by which we know our own: ``kind`` is ``server``, ``s3`` or ``network``."""
        return {"chiops-site": self.id, "chiops-kind": kind, **more}

    def filters(self, kind: str) -> dict[str, list[str]]:
        """The Docker list filter that finds what carries `labels` of ``kind``."""
        return {"label": [f"chiops-site={self.id}", f"chiops-kind={kind}"]}

    @property
    def network_name(self) -> str:
        """The Docker network of all nodes and of the S3 server."""
        return f"chiops-{self.id}"

    def subnet(self) -> Subnet:
        """The network's addresses, making the network if it is not there (Docker is started if need be)."""
        from chiops.cloud.local.subnet import ensure

        return ensure(self)

    def node_dir(self, server_id: str) -> Path:
        """Files of one node on this side; the node sees them at `NODE_FILES`. Gone with the server.

        ``disks`` is the volumes service's (see `slots`), ``ingress.nft`` and ``addresses`` are the network's.
        """
        return self.nodes_dir / server_id

    @property
    def nodes_dir(self) -> Path:
        """Holds a folder per node, and the nodes' locks and specs beside them."""
        return self.root / "nodes"

    def node_lock(self, server_id: str, purpose: str) -> Path:
        """A lock file of one node, beside its folder; gone with the server."""
        return self.nodes_dir / f"{server_id}.{purpose}.lock"

    def container_name(self, server_id: str) -> str:
        """The name of a server's container; it stays the same over a rebuild."""
        return f"chiops-{self.id}-{server_id}"

    @cached_property
    def node_settings(self) -> Mapping[str, object]:
        """Playbook variables for nodes of this site (`SiteFacts.node_settings`); see `image.node_settings`."""
        from chiops.cloud.local.image import node_settings

        return node_settings(self)

    def on_server_gone(self, call: Callable[[str], None]) -> None:
        """Have ``call(server_id)`` run after a server's container is gone, before the server counts as deleted.

        It must be idempotent: after a crash it runs again.
        """
        self._server_gone.append(call)

    def on_node_started(self, call: Callable[[str], None]) -> None:
        """Have ``call(server_id)`` run whenever we find that a node needs its attachments again: the machine was rebooted."""
        self._node_started.append(call)

    def on_idle(self, call: Callable[[], None]) -> None:
        """Have ``call()`` run when the site goes to sleep: remove every container, mount, loop device and process of the service.

        Data stays. It must be idempotent, and must not start Docker (`Engine.running`).
        """
        self._idle.append(call)

    def idle(self) -> None:
        """Tell every service to let go of what it has running."""
        for call in self._idle:
            call()

    def server_gone(self, server_id: str) -> None:
        """Tell every service that the server's container is gone."""
        for call in self._server_gone:
            call(server_id)

    def node_started(self, server_id: str) -> None:
        """Tell every service that the node runs again after the machine was down."""
        for call in self._node_started:
            call(server_id)
