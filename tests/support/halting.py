"""Servers that somebody else halts, by the cloud's own tool: chiops itself never does."""

from __future__ import annotations

from chiops.cloud.base import Cloud
from chiops.cloud.local import containers
from chiops.cloud.local.cloud import LocalCloud
from chiops.cloud.openstack.cloud import OpenStackCloud
from tests.support.fast_cloud.cloud import FastCloud

_AT_NOVA = {"SHUTOFF": "stop_server", "PAUSED": "pause_server", "SUSPENDED": "suspend_server"}
_AT_DOCKER = {"SHUTOFF": "stop", "PAUSED": "pause"}


def halt(cloud: Cloud, server_id: str, status: str) -> bool:
    """Have a server head for ``status``; whether it can be in that at this cloud."""
    if isinstance(cloud, FastCloud):
        cloud.compute.halt(server_id, status)
    elif isinstance(cloud, OpenStackCloud):
        getattr(cloud._site.nova, _AT_NOVA[status])(server_id)
    elif isinstance(cloud, LocalCloud) and status in _AT_DOCKER:
        container = containers.one(cloud.local, server_id)["Id"]
        getattr(cloud.local.engine.client().api, _AT_DOCKER[status])(container)
    else:
        return False
    return True
