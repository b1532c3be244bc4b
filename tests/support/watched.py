"""Any cloud, seen at each of its requests: where a test ends the process, or has the request fail."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

from chiops.cloud.base import Cloud

Watch = Callable[[str], AbstractContextManager[None]]
"""Given ``service.method``, entered before the request and left after it was carried out. What it raises, the caller gets."""

SERVICES = ("leases", "compute", "network", "volumes", "objects", "identity")


def unwatched(_: str) -> AbstractContextManager[None]:
    """The watch that sees nothing."""
    return nullcontext()


class _Service:
    def __init__(self, name: str, service: Any, watch: Watch) -> None:
        self._name, self._service, self._watch = name, service, watch

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._service, method)

        @functools.wraps(call)
        def watched(*args: Any, **options: Any) -> Any:
            with self._watch(f"{self._name}.{method}"):
                return call(*args, **options)

        return watched


class Watched:
    """`base.Cloud` that hands every request of ``cloud`` through ``watch``."""

    def __init__(self, cloud: Cloud, watch: Watch) -> None:
        self._cloud = cloud
        for name in SERVICES:
            setattr(self, name, _Service(name, getattr(cloud, name), watch))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cloud, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._cloud.close()
