"""A process that books a lease, makes a server on it at this machine's local site and ends: by itself, or killed at once.

usage: python -m tests.support.book_and_go SECONDS PUBLIC_KEY exit|kill
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import timedelta

from chiops.cloud.local.cloud import LocalCloud
from tests.support.scratch import Scratch
from tests.support.target import FLAVOR, IMAGE, SSH, Target


def main(seconds: int, public_key: str, ending: str) -> None:
    with LocalCloud() as cloud:
        cloud.prepare()
        target = Target(cloud, real_nodes=True, shares_kernel=True, lease_step=1, patience=60)
        scratch = Scratch(target, "chiops-test-alone")
        image = next(image for image in cloud.compute.images() if image.name == IMAGE)
        keypair, group = scratch.keypair(public_key), scratch.group(SSH)
        lease = scratch.ready_lease(lasts=timedelta(seconds=seconds), flavor=FLAVOR)
        server = scratch.until_ready(scratch.server(image=image, lease=lease, keypair=keypair, groups=[group]))
        known = {"lease": lease.id, "end": lease.end.timestamp(), "server": server.id, "address": server.fixed_address}
        print(json.dumps(known), flush=True)  # noqa: T201 - its answer
        if ending == "kill":
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
