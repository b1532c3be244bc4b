"""One connection to the object store for one container, over Swift's own interface: its listing and bulk-delete.

It takes the token alone, where S3 wants a key. python-swiftclient does the talking, at Swift and at Ceph's gateway.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from chiops.cloud.openstack.errors import classify
from chiops.cloud.openstack.site import Site
from chiops.errors import CloudError, DataError, NotFound, Timeout, Transient

PAGE = 1000
TIMEOUT_S = 120.0
"""Without a byte; Swift sends a blank every ten seconds while it deletes."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What became of a bulk-delete: how many went, how many were not there, which would not go and why."""

    gone: int
    absent: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)


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
                self._url, token, self._container, marker=marker or None, limit=PAGE, http_conn=self._connection
            )
        found: Sequence[dict[str, Any]] = page
        return found

    def delete(self, names: Sequence[str]) -> int:
        """Delete these; how many were there.

        Raises:
            DataError: one would not go; names it.
        """
        told = self.try_delete(names)
        if told.refused:
            key, why = next(iter(told.refused.items()))
            what = f"the bucket {self._container} cannot be emptied"
            raise DataError(what, why=f"{key!r} would not go: {why}", todo="run the command again")
        return told.gone

    def try_delete(self, names: Sequence[str]) -> Deleted:
        """Delete these as far as they go."""
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
        gone, absent = int(told.get("Number Deleted") or 0), int(told.get("Number Not Found") or 0)
        if not gone and not refused and not absent:
            refused = dict.fromkeys(names, str(told.get("Response Status") or "no object was deleted"))
        return Deleted(gone, absent, refused)

    @contextmanager
    def _doing(self, what: str) -> Iterator[None]:
        import requests
        import urllib3
        from swiftclient.exceptions import ClientException

        doing = f"{what} of {self._container} at {self._site.facts.name}"
        try:
            yield
        except ClientException as error:
            why = str(error.http_response_content or error.msg or "")
            raise classify(doing, error.http_status or 500, why, thing=f"bucket {self._container}") from error
        # urllib3's own: swiftclient reads the body past requests, which would translate them
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise Timeout(f"{doing}: the object store did not answer in time", todo="run the command again") from error
        except (requests.ConnectionError, urllib3.exceptions.HTTPError) as error:
            raise Transient(f"{doing}: the object store can't be reached", todo="try again") from error
        except (requests.RequestException, ValueError) as error:
            raise CloudError(f"{doing} failed", why=str(error)) from error
