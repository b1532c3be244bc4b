"""Emptying a container over Swift's own interface, by bulk-delete: the way for a sign-in that gets no key to S3.

A patched Keystone makes no EC2 credential for an application credential, but its token opens containers all the same, at Swift
and at Ceph's gateway. What S3 is better at (thousands of objects at once, versions) stays with S3.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote

from chiops.cloud.openstack.errors import classify
from chiops.cloud.openstack.site import Site
from chiops.errors import CloudError, DataError, NotFound, Timeout, Transient
from chiops.s3.purge import Purged, not_emptied

BATCH = 1000
"""Objects per request. Swift takes ten times as many, but deletes them two at a time before it answers."""
TIMEOUT_S = 300.0


STALE, PAUSE_S = 30, 1.0
"""How often a listing may show only what is gone, as Swift's do for a while, and how long to wait before the next look."""


def empty(
    site: Site,
    container: str,
    on_progress: Callable[[int], None] = lambda _: None,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[int, int]:
    """Delete all objects of a container; that itself stays.

    Args:
        site: where.
        container: its name.
        on_progress: told how many are gone, after each request.
        sleep: pauses, in seconds.

    Returns:
        How many objects, and their bytes.

    Raises:
        NotFound: there is no such container.
        DataError: objects would not go; names one, and says how many went and how many did not. All others are gone.
    """
    total, stale = Purged(), 0
    with Swift(site, container) as swift:
        while True:
            gone, listed, refused = _pass(swift, total.objects, on_progress)
            total += gone
            if not listed:
                return total.objects, total.bytes
            if gone.objects:
                continue
            if refused:
                key, why = next(iter(refused.items()))
                raise not_emptied(container, total, len(refused), key, why)
            stale += 1
            if stale > STALE:
                raise DataError(f"the bucket {container} still lists objects that are gone", todo="try again later")
            sleep(PAUSE_S)


def _pass(swift: Swift, before: int, on_progress: Callable[[int], None]) -> tuple[Purged, bool, dict[str, str]]:
    """Ask for all to go that is listed now: what went, whether anything was listed, and which keys would not go and why."""
    gone, listed, refused, marker = Purged(), False, dict[str, str](), ""
    while page := swift.listed(marker):
        listed, marker = True, str(page[-1]["name"])
        count, stuck = swift.try_delete([item["name"] for item in page])
        refused |= stuck
        if count:
            gone += Purged(count, sum(int(item.get("bytes") or 0) for item in page if item["name"] not in stuck))
            on_progress(before + gone.objects)
    return gone, listed, refused


class Swift:
    """One connection to the object store, for one container. Signed in by the site's token, asked for anew with each request."""

    def __init__(self, site: Site, container: str) -> None:
        from swiftclient import client

        client.logger_settings["reveal_sensitive_prefix"] = 0  # not even the token's first characters
        self._client: Any = client
        self._site, self._container = site, container
        with site.doing("finding the object store"):
            self._url = str(site.adapter("object-store").get_endpoint() or "")
        if not self._url:
            raise NotFound(f"{site.facts.name} has no object store")
        verify = site.conn.session.verify
        trust = {"cacert": verify} if isinstance(verify, str) else {"insecure": not verify}
        self._connection = client.http_connection(self._url, timeout=TIMEOUT_S, **trust)

    def __enter__(self) -> Swift:
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection[1].close()

    @property
    def _token(self) -> str:
        with self._site.doing("signing in"):
            return str(self._site.conn.session.get_token())

    def listed(self, marker: str = "") -> Sequence[dict[str, Any]]:
        """The first objects that are there now, of those behind ``marker``."""
        token = self._token
        with self._doing("listing the objects"):
            _, page = self._client.get_container(
                self._url, token, self._container, marker=marker or None, limit=BATCH, http_conn=self._connection
            )
        found: Sequence[dict[str, Any]] = page
        return found

    def delete(self, names: Sequence[str]) -> int:
        """Delete these; how many were there.

        Raises:
            DataError: one would not go; names it.
        """
        gone, refused = self.try_delete(names)
        if refused:
            key, why = next(iter(refused.items()))
            what = f"the bucket {self._container} cannot be emptied"
            raise DataError(what, why=f"{key!r} would not go: {why}", todo="run the command again")
        return gone

    def try_delete(self, names: Sequence[str]) -> tuple[int, dict[str, str]]:
        """Delete these: how many were there, and which would not go, each with the object store's reason."""
        token, folder = self._token, quote(self._container, safe="")
        with self._doing("deleting the objects"):
            _, body = self._client.post_account(
                self._url,
                token,
                {"Content-Type": "text/plain", "Accept": "application/json"},
                query_string="bulk-delete",
                data="".join(f"{folder}/{quote(name)}\n" for name in names),
                http_conn=self._connection,
            )
        if not body:  # bulk-delete is a part that a Swift may do without
            raise CloudError(
                f"the bucket {self._container} cannot be emptied without a key to S3",
                why=f"the object store at {self._site.facts.name} knows no bulk-delete",
                todo="sign in with your password, which gets a key",
            )
        with self._doing("deleting the objects"):
            told = json.loads(body)
        refused = {unquote(path).lstrip("/").partition("/")[2]: str(why) for path, why in told.get("Errors") or ()}
        gone = int(told.get("Number Deleted") or 0)
        if not gone and not refused and not told.get("Number Not Found"):
            refused = dict.fromkeys(names, str(told.get("Response Status") or "no object was deleted"))
        return gone, refused

    @contextmanager
    def _doing(self, what: str) -> Iterator[None]:
        import requests
        from swiftclient.exceptions import ClientException

        doing = f"{what} of {self._container} at {self._site.facts.name}"
        try:
            yield
        except ClientException as error:
            why = str(error.http_response_content or error.msg or "")
            raise classify(doing, error.http_status or 500, why, thing=f"bucket {self._container}") from error
        except requests.Timeout as error:
            raise Timeout(f"{doing}: the object store did not answer in time", todo="run the command again") from error
        except requests.ConnectionError as error:
            raise Transient(f"{doing}: the object store can't be reached", todo="try again") from error
        except (requests.RequestException, ValueError) as error:
            raise CloudError(f"{doing} failed", why=str(error)) from error
