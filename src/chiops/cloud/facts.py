"""What is known around clouds: a site without asking it, how to reach a node and open a bucket, and what doctor finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class S3Endpoint:
    """Where and how a site speaks S3. ``provider`` is rclone's word for the server; ``region`` what the signature needs."""

    url: str
    region: str = "us-east-1"
    provider: str = "Ceph"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding of `chiops doctor`. ``todo`` is the mend for a warning or failure."""

    name: str
    verdict: Literal["ok", "warning", "failed"]
    detail: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of one thing the project uses and may use; ``limit`` is None where there is none.

    ``name`` is one of servers, cores, ram_mib, volumes, volume_gib, floating_ips and security_groups.
    """

    name: str
    used: int
    limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """What is known of a site without asking it; from ``sites.yaml``, overridable by the person's own."""

    name: str
    cloud: Literal["local", "openstack"]
    ssh_user: str = "cc"
    default_image: str = "CC-Ubuntu24.04"
    network: str = ""
    external_network: str = ""
    object_site: str = ""
    s3: S3Endpoint | None = None
    max_lease_days: float | None = None
    needs_lease: bool = True
    description: str = ""
    auth_url: str = ""
    """Keystone, with its version: ``https://…:5000/v3``."""
    region: str = ""
    """The service catalogue's region; the site's name where empty."""
    os_cloud: str = ""
    """The entry of clouds.yaml to sign in with; found by name, region or ``auth_url`` where empty."""
    web: str = ""
    """The dashboard, where a person makes application credentials."""
    lease_days: Mapping[str, float] = field(default_factory=dict)
    """Longest lease by flavor pattern (``g1.*``); beats ``max_lease_days``."""
    extension_window_hours: float | None = None
    """A lease can be extended only within so many hours before its end."""
    extension_days: float | None = None
    """By so many days at most, each time."""
    su_per_hour: Mapping[str, float] = field(default_factory=dict)
    """Service units per hour by flavor name."""
    hardware_url: str = ""
    """Where the site's bare-metal hosts are described, in the shape of Chameleon's reference API."""
    node_settings: Mapping[str, object] = field(default_factory=dict)
    """Variables for the playbooks, see `Cloud.node_settings`."""
    hand_over_packages: bool = False
    """Whether nodes get this machine's package settings (sources, proxies, certificates of apt and pip) before their first
    step: for clouds that reach the registries only as this machine does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A server as configuration sees it: where to ssh and with which key. Passed to ``remote``, ``data`` and ``bench``."""

    name: str
    address: str
    user: str
    key_file: Path
    known_hosts: Path
    server_id: str = ""
    port: int = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class SwiftAccess:
    """An application credential that signs in over Swift. ``auth_url`` is Keystone's, with its version."""

    auth_url: str
    region: str
    user_id: str
    credential_id: str
    credential_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """A bucket with the key that opens it: all that an S3 client, rclone or a loader needs."""

    bucket: str
    endpoint: S3Endpoint
    access: str
    secret: str = field(repr=False)
