"""The cloud under test with what a test may expect of it."""

from __future__ import annotations

from dataclasses import dataclass

from chiops.cloud.base import Cloud


@dataclass(frozen=True)
class Target:
    """A cloud and its capabilities.

    Args:
        cloud: signed in and prepared.
        real_nodes: servers really boot and answer ssh; false for a cloud whose compute driver is a fake.
        shares_kernel: nodes run on this machine's kernel, so that its devices and ports are the ones to keep them from.
        lease_step: seconds, the granularity of lease times.
        patience: seconds within which anything short of an image build is done.
    """

    cloud: Cloud
    real_nodes: bool
    shares_kernel: bool
    lease_step: int
    patience: float
