"""The object store's part: containers, over Swift's API, which Ceph's gateway speaks as well.

Swift's API works with the token alone, where S3's needs an EC2 credential first. Listing an account tells names and sizes but
no marks, and asking each container would cost a request for every bucket in the project. So a listing asks only those that this
machine remembers having made; `get` always asks the container, which is where the mark is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from chiops.cloud.base import Bucket, Mark, S3Endpoint, SwiftAccess
from chiops.cloud.openstack import swift_login, times, told
from chiops.cloud.openstack.claims import GIVING_WAY_S, Claim, claims, give_way, metadata, owner, sign
from chiops.cloud.openstack.errors import NoService
from chiops.cloud.openstack.once import looked_for, once
from chiops.cloud.openstack.record import Record
from chiops.cloud.openstack.site import Site
from chiops.errors import Auth, CloudError, Conflict, InvalidRequest, NotFound

PAGE = 10_000
SEGMENTS = "+segments"
"""Swift's S3 layer puts the parts of an upload into a container of this suffix, which S3 itself never shows."""


class OpenStackObjects:
    """`base.Objects` at one site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._api = site.adapter("object-store")

    @property
    def _record(self) -> Record:
        return Record("buckets", self._site.me.project_id, self._site.region)

    def endpoint(self) -> S3Endpoint:
        """Where S3 is spoken: as the site's facts say, else at the root of the object store in the catalogue."""
        if self._site.facts.s3:
            return self._site.facts.s3
        found = self._address()
        if not found:
            raise NotFound(
                f"{self._site.facts.name} has no object store", todo="name another site as `object_site` in sites.yaml"
            )
        parts = urlsplit(found)
        # Ceph's gateway puts Swift below /swift; Swift's own proxy serves /v1. boto3 takes no site's name for a region
        provider = "Ceph" if parts.path.startswith("/swift") else "Other"
        return S3Endpoint(f"{parts.scheme}://{parts.netloc}", "us-east-1", provider)

    def swift(self) -> SwiftAccess | None:
        """How nodes sign in over Swift; None where the site has no object store, or we no application credential."""
        return swift_login.access(self._site) if self._address() else None

    def _address(self) -> str:
        """The object store in the catalogue; "" where the site has none."""
        try:
            with self._site.doing("finding the object store"):
                return str(self._api.get_endpoint() or "")
        except NoService:
            return ""

    def list(self) -> Sequence[Bucket]:
        """The project's buckets, 10 000 per request, and one request for each that this machine remembers as ours.

        Counts may lag behind by a minute; ``mark`` is None for buckets that were made elsewhere: `get` knows it. One of ours
        that can't be read says so in ``fault``, with the mark that is remembered. A site without an object store has none.
        """
        items: list[Mapping[str, Any]] = []
        if not self._address():
            return []
        with self._site.doing("listing buckets"):
            while True:
                marker = f"&marker={quote(items[-1]['name'], safe='')}" if items else ""
                page = self._api.get(f"?format=json&limit={PAGE}{marker}").json()
                items += told.listing(page, "name")
                if len(page) < PAGE:
                    break
        items = [item for item in items if not item["name"].endswith(SEGMENTS)]
        remembered = self._record.all()

        def read(item: Mapping[str, Any]) -> Bucket:
            name = str(item["name"])
            try:
                return self.get(name) if name in remembered else _listed(item)
            except NotFound:
                return _listed(item)  # a listing lags behind
            except CloudError as error:
                return replace(_listed(item), mark=remembered[name], fault=error.sentence())

        with ThreadPoolExecutor(8, thread_name_prefix="buckets") as pool:
            return list(pool.map(read, items))

    def get(self, name: str) -> Bucket:
        """One bucket, with its mark and counts. One of ours that another machine made is remembered from then on."""
        headers = self._headers(name)
        mark = owner(metadata(headers))
        if mark and mark.owner == self._site.me.user_id and self._record.get(name) != mark:
            self._record.put(name, mark)
        return Bucket(
            id=name,
            name=name,
            mark=mark,
            created=times.from_epoch(headers.get("X-Timestamp")),
            objects=_number(headers.get("X-Container-Object-Count")),
            size_bytes=_number(headers.get("X-Container-Bytes-Used")),
        )

    def _headers(self, name: str) -> Mapping[str, str]:
        """What its HEAD tells of a bucket; names are looked up in any case."""
        with self._site.doing(f"reading the bucket {name}", f"bucket {name}"):
            headers: Mapping[str, str] = self._api.head(_path(name)).headers
        return headers

    def create(self, name: str, *, mark: Mark) -> Bucket:
        """Make a bucket.

        Raises:
            Conflict: the name is taken.
            InvalidRequest: S3 would not take the name.
        """
        from chiops.s3.names import bucket_name_problem

        if problem := bucket_name_problem(name):
            raise InvalidRequest(problem)
        try:
            self.get(name)
        except NotFound:
            pass
        except Auth as error:
            # Where all projects share one space of names, as at Ceph's gateway, another's bucket is not shown
            raise Conflict(
                f"the bucket {name} can't be looked at: another project may have that name",
                why=error.why,
                todo="choose another name, or ask the project's lead for the role 'member'",
            ) from error
        else:
            raise Conflict(f"the bucket {name} is there already", todo="choose another name")
        self._record.put(name, mark)  # before it is made: what is remembered but not there does no harm

        claim = Claim(mark)

        def make() -> bool:
            with self._site.doing(f"creating the bucket {name}"):
                return int(self._api.put(_path(name), headers=claim.headers()).status_code) == 201

        def find() -> bool | None:
            return False if claim.word in claims(metadata(self._headers(name))) else None

        if not once(make, find, what=f"the bucket {name}"):
            self._settle(name, claim)
        sign(claim, partial(self._change, name))
        return Bucket(id=name, name=name, mark=mark, objects=0, size_bytes=0)

    def _settle(self, name: str, claim: Claim) -> None:
        """After a request that may not have been the first: see that the bucket is ours, or give way.

        Whoever is no chiops and made it in the moment between our look and our request left no claim. Then something may be in it;
        if not, it is taken for ours, as it is when the network has carried out our request twice.

        Raises:
            Conflict: it is not ours, and shows nothing of us any more.
        """
        headers = looked_for(partial(self._headers, name), pauses=GIVING_WAY_S) or self._headers(name)
        found = metadata(headers)
        if claim.alone(found) and _number(headers.get("X-Container-Object-Count")) == 0:
            return
        left = give_way(claim, found, lambda: metadata(self._headers(name)), partial(self._change, name))
        self._record.drop(name)
        for mark in (*claims(left).values(), owner(left)):  # another of this machine's commands may be the maker
            if mark and mark.owner == self._site.me.user_id:
                self._record.put(name, mark)
        raise Conflict(f"the bucket {name} was just made by somebody else", todo="choose another name")

    def _change(self, name: str, headers: Mapping[str, str]) -> None:
        """Write a new bucket's metadata."""
        with self._site.doing(f"creating the bucket {name}"):
            self._api.post(_path(name), headers=headers)

    def purge(self, name: str, on_progress: Callable[[int], None]) -> tuple[int, int]:
        """Delete every object by Swift's interface, which needs no key, and the parts that Swift's S3 keeps of large ones."""
        from chiops.cloud.openstack.emptying import empty

        gone = empty(self._site, name, on_progress)
        with suppress(NotFound):
            empty(self._site, name + SEGMENTS)
        return gone

    def outpaces_s3(self, name: str) -> bool:
        """At Swift itself, whose S3 layer signs in and looks at each object anew: it takes six times as long.

        Not where old versions are kept: Swift's delete would only add another.
        """
        if self.endpoint().provider == "Ceph":
            return False
        headers = self._headers(name)
        kept = headers.get("X-Versions-Enabled", "").lower() == "true"
        return not (kept or headers.get("X-Versions-Location") or headers.get("X-History-Location"))

    def purge_segments(self, name: str) -> int:
        """Delete what Swift's clients have put beside the bucket for its large objects."""
        from chiops.cloud.openstack import segments

        return segments.purge(self._site, name)

    def delete(self, name: str) -> None:
        """Delete an empty bucket.

        Raises:
            Conflict: it is not empty.
        """
        # Where Swift's S3 kept the parts of large objects, refused as long as there are any; first, so that no cut leaves it behind
        with suppress(NotFound, Conflict), self._site.doing(f"deleting the parts of the bucket {name}"):
            self._api.delete(_path(name + SEGMENTS))
        with self._site.doing(f"deleting the bucket {name}", f"bucket {name}"):
            self._api.delete(_path(name))
        self._record.drop(name)


def _path(name: str) -> str:
    if not name:
        raise InvalidRequest("a bucket's name is missing")
    return f"/{quote(name, safe='')}"


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _listed(item: Mapping[str, Any]) -> Bucket:
    objects, size = told.number(item.get("count")), told.number(item.get("bytes"))
    return Bucket(id=item["name"], name=item["name"], objects=objects, size_bytes=size)
