"""Requests and bytes as the S3 clients count them, in the main process and in all its workers together."""

from __future__ import annotations

import multiprocessing
from typing import Any


class Traffic:
    """Two counters in shared memory. Made before the workers are forked; any process and thread may count."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("fork")
        self._requests = context.Value("q", 0)
        self._received = context.Value("q", 0)

    def count(self, requests: int = 0, received: int = 0) -> None:
        """Add to both."""
        if requests:
            with self._requests.get_lock():
                self._requests.value += requests
        if received:
            with self._received.get_lock():
                self._received.value += received

    def so_far(self) -> tuple[int, int]:
        """Requests sent and bytes of bodies received."""
        return self._requests.value, self._received.value

    def watch_botocore(self) -> None:
        """Count what every botocore client sends from now on, whoever makes it: boto3, aiobotocore, litdata, MosaicML.

        Each attempt counts, retries too. Bytes are those that the answers announce.
        """
        import botocore

        def sent(**_: Any) -> None:
            self.count(requests=1)

        def received(event_name: str = "", response_dict: dict[str, Any] | None = None, **_: Any) -> None:
            if response_dict and not event_name.endswith(".HeadObject"):  # which announces a body that never comes
                self.count(received=int(response_dict["headers"].get("content-length") or 0))

        def on_session(session: Any) -> None:
            session.register("before-send.s3", sent)
            session.register("response-received.s3", received)

        botocore.register_initializer(on_session)
