"""The OpenStack under test, as a site of the command line. Needs OS_CLOUD; what else it takes is in the environment too.

``CHIOPS_TEST_OBJECT_CLOUD``: an entry of clouds.yaml, where the buckets live. ``CHIOPS_TEST_APPLICATION_CLOUD``: one with an
application credential, where Keystone is strict with those: neither keys to S3 nor leases. ``CHIOPS_TEST_REAL_NODES=1``: servers
really boot. ``CHIOPS_TEST_SITE``: more facts of the site, in YAML, as ``{hand_over_packages: true}``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from tests.support.cli import Chiops

OS_CLOUD = os.environ.get("OS_CLOUD", "")
OBJECT_CLOUD = os.environ.get("CHIOPS_TEST_OBJECT_CLOUD", "")
APPLICATION_CLOUD = os.environ.get("CHIOPS_TEST_APPLICATION_CLOUD", "")
REAL_NODES = os.environ.get("CHIOPS_TEST_REAL_NODES", "") == "1"
SITE = "under-test"


def command_line(folder: Path) -> Chiops:
    """The command line with state, configuration and working folder below ``folder``."""
    more = yaml.safe_load(os.environ.get("CHIOPS_TEST_SITE", "")) or {}
    site = {"cloud": "openstack", "os_cloud": OS_CLOUD, "network": "sharednet1", "external_network": "public", **more}
    sites: dict[str, Any] = {SITE: site}
    if OBJECT_CLOUD:
        sites[SITE] = {**site, "object_site": f"{SITE}-objects"}
        sites[f"{SITE}-objects"] = {**site, "os_cloud": OBJECT_CLOUD}
    config = folder / "config"
    (config / "chiops").mkdir(parents=True)
    (config / "chiops" / "sites.yaml").write_text(yaml.safe_dump(sites))
    (folder / "work").mkdir()
    return Chiops(folder / "state", folder / "work", {"XDG_CONFIG_HOME": str(config)})
