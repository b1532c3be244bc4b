"""Which Docker has the site's servers, written down: any other that answers lists none of them, as if all were gone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chiops import files
from chiops.errors import ChiopsError, CloudError, PrerequisiteMissing, Transient


@dataclass(frozen=True, slots=True)
class Carrier:
    """A Docker: one of this machine's, by its address and the id of the site's network there, or with neither the site's own.

    The network is made before the first server and goes after the last. Docker's own id does not tell: one whose disk is not
    mounted has none of its containers, and may have the same.
    """

    url: str = ""
    network: str = ""

    @property
    def own(self) -> bool:
        """Whether it is the site's own."""
        return not self.url


class Record:
    """The file that says it, valid as long as the site has a node's folder. The site's own Docker is a line "own"."""

    def __init__(self, root: Path, nodes: Path) -> None:
        self._file = root / "docker-in-use"
        self._nodes = nodes
        self.lock = root / "docker-in-use.lock"

    def binds(self) -> bool:
        """Whether the site has servers, or had them when it was killed: then no other Docker will do."""
        return any(self._nodes.glob("*/"))

    def given_up(self) -> bool:
        """Whether a person has emptied the file: the servers are gone for good, and any Docker will do."""
        return self._file.exists() and not self._file.stat().st_size

    def read(self) -> Carrier | None:
        """The Docker that has the servers; None for a site of a version that wrote nothing down."""
        try:
            url, _, network = self._file.read_text(encoding="utf-8").strip().partition(" ")
        except FileNotFoundError:
            return None
        return Carrier() if url == "own" else Carrier(url, network) if url else None

    def write(self, carrier: Carrier) -> None:
        """Write it down, if it is not."""
        if self.read() != carrier:
            files.replace(self._file, "own\n" if carrier.own else f"{carrier.url} {carrier.network}\n")

    def silent(self, *, forbidden: bool) -> ChiopsError:
        """The error for when no Docker answers, or this account may ask none."""
        if forbidden:
            return PrerequisiteMissing(
                "This account may not use the Docker that has the local site's servers",
                todo="let it, by the group of Docker's socket; or run chiops as root",
            )
        return Transient(
            "This machine's Docker, which has the local site's servers, does not answer",
            todo=f"start it and try again; nothing was changed{self._way_out()}",
        )

    def elsewhere(self) -> CloudError:
        """The error for when one does, and it is not the one."""
        return CloudError(
            "The Docker that answers here does not have the local site's servers",
            todo=f"start the one that has, with its disk mounted, or name it by DOCKER_HOST; nothing was changed{self._way_out()}",
        )

    def _way_out(self) -> str:
        return f" (if the servers are gone for good: `truncate -s 0 {self._file}`)"
