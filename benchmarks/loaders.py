"""Input pipelines side by side on this machine: near a bucket, 40 ms away from it, and on the local disk.

    .venv/bin/python benchmarks/loaders.py [--minutes 8] [--out FILE.md]

The node-side code of ``chiops data prepare`` and ``chiops bench run`` as it is, without nodes and containers: S3 by SeaweedFS on
loopback, a proxy (latency.py) between, synthetic photographs. S3 server and proxy have half of the processors to themselves,
the arms the other half with a worker for each, as on two machines. Every arm is a process of its own; arms come in random
order within a round. After a round of all, those that claims are made of go on until the next round would not end in time. At
the first run torch and the libraries are installed into the cache. Needs an idle machine of at least two processors. Prints
Markdown, and ends with 1 if the numbers do not show what chiops claims.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.latency import far_away
from benchmarks.loading.arms import CPUS, FAR_MS, HERE, THERE, WORKERS, Arm, Metrics, arms, claimed, claims, table
from benchmarks.loading.machine import python, run_module
from chiops.bench.arm import configure
from chiops.bench.options import BenchOptions
from chiops.cloud.base import S3Access, S3Endpoint
from tests.support.weed import S3Server, serve

IMAGES = 2000
BUCKET = "loaders"
FORMATS = ("imagefolder", "webdataset", "litdata", "mds")


def prepare(interpreter: Path, server: S3Server, folder: Path) -> None:
    """The dataset, in a bucket and on disk."""
    server.client().create_bucket(Bucket=BUCKET)
    key = {"endpoint": server.url, "bucket": BUCKET, "access": server.access, "secret": server.secret}
    config = {
        "dataset": "food11-synthetic", "formats": FORMATS, "staging": str(folder / "data"), "s3": key,
        "options": {"images": IMAGES},
    }  # fmt: skip
    run_module(interpreter, "etl", config, folder / "etl.log")


def measure(interpreter: Path, arm: Arm, urls: dict[int, str], server: S3Server, folder: Path, seed: int) -> Metrics:
    """One arm in a fresh process."""
    url = urls[arm.latency_ms or 0]
    access = S3Access(bucket=BUCKET, endpoint=S3Endpoint(url), access=server.access, secret=server.secret)
    options = BenchOptions(lab="here", batches=arm.batches, seed=seed)
    places = {"data_dir": str(folder / "data"), "cache_dir": str(folder / "cache")}
    config = configure(arm.combination, options, access) | places
    found: Metrics = run_module(interpreter, "loaders", {"action": "run", "arm": config}, folder / "loaders.log")[
        "metrics"
    ]
    return found


def check_content(found: dict[Arm, list[Metrics]]) -> None:
    """Arms that read equally many samples must have read the same ones."""
    hashes: dict[int, set[str]] = {}
    for several in found.values():
        for one in several:
            hashes.setdefault(one["samples"], set()).add(one["content_hash"])
    assert all(len(one) == 1 for one in hashes.values()), f"the pipelines delivered different samples: {hashes}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8.0, help="time for the rounds, at least one (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the Markdown there")
    arguments = parser.parse_args()
    # Ended from outside it takes the S3 server and the proxies along
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    interpreter = python()
    found: dict[Arm, list[Metrics]] = {}
    dice, rounds, longest = random.Random(1), 0, 0.0
    with tempfile.TemporaryDirectory(prefix="chiops-loaders-") as place, ExitStack() as stack:
        folder = Path(place)
        os.sched_setaffinity(0, THERE)  # what is started from here on keeps it
        server = stack.enter_context(serve(folder))
        # A proxy for both, so that what it costs is the same.
        urls = {ms: stack.enter_context(far_away(server.url, ms / 1000)) for ms in (0, FAR_MS)}
        print("preparing the data", file=sys.stderr)
        prepare(interpreter, server, folder)
        os.sched_setaffinity(0, HERE)
        end = time.monotonic() + 60 * arguments.minutes
        while rounds == 0 or time.monotonic() + longest < end:
            begun = time.monotonic()
            chosen = claimed() if rounds else arms()
            for arm in dice.sample(chosen, k=len(chosen)):
                one = measure(interpreter, arm, urls, server, folder, seed=42 + rounds)
                found.setdefault(arm, []).append(one)
                where = "" if arm.latency_ms is None else f", {arm.latency_ms} ms"
                print(
                    f"round {rounds + 1}: {arm.combination}{where}: {one['images_per_s']:.0f} imgs/s", file=sys.stderr
                )
            rounds += 1
            longest = time.monotonic() - begun if rounds > 1 else 0.0
    check_content(found)
    shown = claims(found)
    text = "\n".join([_caption(found, rounds), "", table(found), *(f"- {claim}" for claim in shown), ""])
    print(text)
    if arguments.out:
        arguments.out.write_text(text)
    return 0 if all(claim.holds for claim in shown) else 1


def _caption(found: dict[Arm, list[Metrics]], rounds: int) -> str:
    one: dict[str, Any] = next(several[0] for arm, several in found.items() if not arm.batches)
    return (
        f"Median of {rounds} passes of what is claimed, one of the others (lowest to highest); a pass is {one['samples']} "
        f"samples of {one['sample_bytes'] / one['samples']:,.0f} "
        f"bytes. {WORKERS} of {len(CPUS)} CPUs, as many workers; the others have S3 server and proxy, load "
        f"{os.getloadavg()[0]:.1f} at the end."
    )


if __name__ == "__main__":
    sys.exit(main())
