"""``chiops`` with the fast cloud as the site ``fast``, kept in a file.

usage: python -m tests.support.fast_chiops FILE ARGUMENTS…
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from chiops.cloud import sites
from chiops.cloud.base import Cloud, SiteFacts
from chiops.errors import RemoteFailed
from chiops.resources import waiting
from tests.support.fast_cloud.cloud import FACTS, SITE, FastCloud
from tests.support.watched import Watch, Watched, unwatched


def install(file: Path, watch: Watch = unwatched, *, nodes_answer: bool = True) -> None:
    """Have this process know the site, for good; its requests go through ``watch``.

    Nothing boots there, so ssh answers nothing or, with ``nodes_answer``, that all is well. Waits are a hundred times shorter.
    """
    known, connect = sites.sites, sites.connect

    def with_fast() -> dict[str, SiteFacts]:
        return {**known(), SITE: FACTS}

    def connected(name: str) -> Cloud:
        if name != SITE:
            return connect(name)
        return cast(Cloud, Watched(cast(Cloud, FastCloud(file, watch=watch)), watch))

    _replace(sites, sites=with_fast, connect=connected)
    _replace(waiting, FIRST_PAUSE_S=0.002, LONGEST_PAUSE_S=0.02)
    _stand_in_for_nodes(nodes_answer)


def _stand_in_for_nodes(answer: bool) -> None:
    from chiops.lab import release
    from chiops.remote.ssh import Ssh

    def run(self: Ssh, *command: str, **_: object) -> subprocess.CompletedProcess[str]:
        if answer:
            return subprocess.CompletedProcess(command, 0, "", "")
        raise RemoteFailed(f"{self.node.name} does not answer")

    def unmount(*_: object, **__: object) -> list[object]:
        return []

    _replace(Ssh, run=run)
    _replace(release, unmount=unmount)


def _replace(owner: Any, **values: object) -> None:
    for name, value in values.items():
        assert hasattr(owner, name), f"{owner} has no {name} any more"
        setattr(owner, name, value)


if __name__ == "__main__":
    from chiops.cli.main import main

    install(Path(sys.argv[1]))
    sys.argv[1:] = sys.argv[2:]
    main()
