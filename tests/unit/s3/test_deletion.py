"""A server that is too slow for a whole batch gets smaller ones."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from chiops.s3.deletion import SMALL, Deleter, Entry


class Unhurried(nullcontext[None]):
    """A throttle that never throttles."""

    def succeeded(self) -> None:
        """Nothing to learn."""

    def overloaded(self, attempt: int) -> None:
        """No pause."""


class Slow:
    """An S3 client of a server that manages ``most`` keys before the time is up."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.sizes: list[int] = []

    def delete_objects(self, *, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - boto3's names
        from botocore.exceptions import ReadTimeoutError

        self.sizes.append(len(Delete["Objects"]))
        if self.sizes[-1] > self.most:
            raise ReadTimeoutError(endpoint_url="http://slow")
        return {}


def test_a_slow_server_gets_smaller_batches() -> None:
    client: Any = Slow(most=SMALL * 3)
    entries = [Entry(f"k{number}") for number in range(SMALL * 10)]
    outcome = Deleter(client, "b").delete(entries, Unhurried())
    assert sorted(outcome.deleted, key=lambda entry: int(entry.key[1:])) == entries
    assert client.sizes.count(SMALL * 10) == 1, "what was too much is not asked for again"
