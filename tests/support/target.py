"""The cloud under test, what a test may expect of it, and the kinds of things that fixtures hand over."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chiops.cloud.base import Cloud, Node, Rule, Server

FLAVOR = os.environ.get("CHIOPS_TEST_FLAVOR", "m1.small")
IMAGE = "CC-Ubuntu24.04"
SSH = Rule("tcp", 22, 22)

NewServer = Callable[..., Server]
"""Makes a ready server of one test; keyword arguments replace those of `Scratch.server`."""
Reach = Callable[[Server], Node]
"""The node behind a server, over a floating IP, once ssh answers."""


class ServerFactory(Protocol):
    """Makes a node that answers over ssh; ``open_ports`` are TCP ports open to everyone besides 22."""

    def __call__(self, *, open_ports: Sequence[int] = (), flavor: str = FLAVOR) -> Node: ...


@dataclass(frozen=True)
class Target:
    """A cloud and its capabilities.

    Args:
        cloud: signed in and prepared.
        real_nodes: servers really boot and answer ssh; false for a cloud whose compute driver is a fake.
        shares_kernel: nodes run on this machine's kernel, so that its devices and ports are the ones to keep them from.
        lease_step: seconds, the granularity of lease times.
        patience: seconds within which anything short of an image build is done.
        keys_kept: seconds for which an S3 server may still take a key that was revoked. Ceph's keeps keys for five minutes.
        other: signs in as another member of the project, where that needs no credentials.
    """

    cloud: Cloud
    real_nodes: bool
    shares_kernel: bool
    lease_step: int
    patience: float
    keys_kept: float = 30
    other: Callable[[], Cloud] | None = None
