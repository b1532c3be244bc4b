"""A lab that is up, opened for use: its file, its sites, its nodes and the keys to its buckets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from chiops.cloud import sites
from chiops.cloud.base import Mark, Node, S3Access, Server, State
from chiops.errors import NotFound, UsageError
from chiops.lab import keys
from chiops.lab.journal import Journal, LabRecord
from chiops.lab.loader import Lab, load
from chiops.lab.places import Places
from chiops.names import suggestion


def pick(journal: Journal, name: str | None, *, kept: bool = False, site: str | None = None) -> LabRecord:
    """The lab of that name, or the only one there is.

    Args:
        journal: where labs are remembered.
        name: the lab's name, None for the only one.
        kept: whether a lab of which only data stays counts too.
        site: where it is; anywhere if None.

    Raises:
        UsageError: none is up, none of that name, or several and no name; or it is at another site, which there may not be.
    """
    records = journal.labs()
    if site:
        _at(records, name, site)
        records = [record for record in records if record.site == site]
    up = [record for record in records if record.phase == "up"]
    candidates = records if kept else up
    if name:
        for record in candidates:
            if record.name == name:
                return record
        names = [record.name for record in candidates]
        todo = (
            suggestion(name, names)
            if names
            else f"no lab is up; if {name} is a lab or its file, run `chiops up {name}`"
        )
        raise UsageError(f"the lab {name} is not up", todo=todo)
    if len(up) == 1:
        return up[0]
    if kept and not up and len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise UsageError(f"no lab is up{f' at {site}' if site else ''}", todo="run `chiops up object-lab` first")
    raise UsageError("several labs are up", todo="name one: " + ", ".join(record.name for record in candidates))


def _at(records: Sequence[LabRecord], name: str | None, site: str) -> None:
    if all(record.site != site for record in records):
        sites.site(site)
    for record in records:
        if record.name == name and record.site != site:
            raise UsageError(f"the lab {name} is at {record.site}, not at {site}", todo="leave --site out")


@dataclass
class Session:
    """An open lab."""

    lab: Lab
    record: LabRecord
    places: Places

    @property
    def mark(self) -> Mark:
        return Mark(self.lab.name, self.places.compute.identity.whoami().user_id)

    def nodes(self) -> list[Node]:
        """The lab's running servers, in the order of the lab file."""
        servers = {server.name: server for server in self.places.compute.compute.list() if server.mark == self.mark}
        wanted = [spec.name for spec in self.lab.spec.servers]
        live = [servers[name] for name in wanted if name in servers and servers[name].state is State.READY]
        return nodes(self.lab.name, live, self.places.compute_facts.ssh_user)

    def node(self, name: str | None = None) -> Node:
        """One node by name, or the first.

        Raises:
            NotFound: no such node runs.
        """
        found = self.nodes()
        for node in found:
            if name in (None, node.name):
                return node
        if name and found:
            raise NotFound(
                f"the lab {self.lab.name} has no running node {name!r}", todo=suggestion(name, [n.name for n in found])
            )
        raise NotFound(
            f"no node of the lab {self.lab.name} runs", todo=f"run `chiops up {self.lab.name}` to bring it back"
        )

    def bucket(self, name: str | None = None) -> S3Access:
        """A bucket of the lab with its key; the first without a name."""
        names = [bucket.name for bucket in self.lab.spec.buckets]
        if not names:
            raise UsageError(
                f"the lab {self.lab.name} has no bucket", todo="add `buckets:` to its file and run `chiops up`"
            )
        if name and name not in names:
            raise UsageError(f"the lab {self.lab.name} has no bucket {name!r}", todo=suggestion(name, names))
        return access(self.places, self.mark, name or names[0])

    def mount(self, node: Node, bucket: S3Access) -> str:
        """Where the bucket is mounted on the node; "" if it is not."""
        found = (m.path for m in self.lab.spec.mounts if (m.server, m.bucket) == (node.name, bucket.bucket))
        return next(found, "")


def nodes(lab: str, servers: Sequence[Server], user: str) -> list[Node]:
    """Servers as configuration sees them."""
    return [
        Node(
            name=server.name,
            address=server.floating_address or server.fixed_address,
            user=user,
            key_file=keys.key_file(),
            known_hosts=keys.known_hosts(lab),
            server_id=server.id,
        )
        for server in servers
    ]


def access(places: Places, mark: Mark, bucket: str) -> S3Access:
    """The key that the lab's mark is on, for a bucket.

    Raises:
        NotFound: the lab's key is gone.
    """
    for credential in places.objects.identity.ec2_credentials():
        if credential.mark == mark:
            return S3Access(
                bucket=bucket,
                endpoint=places.objects.objects.endpoint(),
                access=credential.access,
                secret=credential.secret,
            )
    raise NotFound(f"the S3 key of the lab {mark.lab} is gone", todo=f"run `chiops up {mark.lab}` to make a new one")


@contextmanager
def opened(name: str | None = None, site: str | None = None) -> Iterator[Session]:
    """Open the lab of that name, or the only one that is up, at the site if one is named.

    An object site that can't be connected to is told to those who want a bucket: a shell on a node needs none.
    """
    journal = Journal()
    try:
        record = pick(journal, name, site=site)
    finally:
        journal.close()
    lab = load(record.source, record.settings)
    with Places(record.site, lab.name, tolerant=True) as places:
        yield Session(lab, record, places)
