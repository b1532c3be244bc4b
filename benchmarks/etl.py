"""How fast datasets are made and loaded: synthetic images a second, and objects a second into an S3 server on this machine.

Usage: python benchmarks/etl.py [images]
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.weed import serve


def run(document: dict[str, object]) -> dict[str, float]:
    """One run of the ETL; seconds between the first and last event of each counted stage, and the whole."""
    begun = time.perf_counter()
    first: dict[str, float] = {}
    spent: dict[str, float] = {}
    with subprocess.Popen(
        [sys.executable, "-m", "chiops.etl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(document))
        process.stdin.close()
        last = begun
        for line in process.stdout:
            event, now = json.loads(line), time.perf_counter()
            if event["event"] == "progress":
                first.setdefault(event["task"], last)
                spent[event["task"]] = now - first[event["task"]]
            last = now
    assert process.returncode == 0
    return spent | {"whole": time.perf_counter() - begun}


def main() -> None:
    """Print the rates."""
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 1200
    with tempfile.TemporaryDirectory(prefix="chiops-etl-") as name:
        folder = Path(name)
        (folder / "weed").mkdir()
        with serve(folder / "weed") as server:
            server.client().create_bucket(Bucket="benchmark")
            s3 = {"endpoint": server.url, "bucket": "benchmark", "access": server.access, "secret": server.secret}
            document: dict[str, object] = {
                "dataset": "food11-synthetic", "formats": ["imagefolder"], "staging": str(folder / "data"), "s3": s3,
                "options": {"images": images},
            }  # fmt: skip
            spent, again = run(document), run(document)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, {images} images")
    print(f"make    {images / spent['Make images']:8.0f} images/s")
    print(f"check   {images / spent['Check images']:8.0f} images/s")
    print(f"upload  {images / spent['Upload Food-11']:8.0f} objects/s, the server on the same processors")
    print(f"again   {again['whole']:8.1f} s for a run with nothing to do")
    print(f"memory  {peak:8.0f} MiB, the largest process (the S3 server included)")


if __name__ == "__main__":
    main()
