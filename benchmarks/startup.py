"""How long a person waits for `--help`: chiops beside the openstack client, in one run on one machine.

    .venv/bin/python benchmarks/startup.py [--runs 15] [--openstack PATH]

Each figure is the median of whole processes, the two commands taking turns so that both see the same machine. Without
``--openstack`` the client is installed into a virtual environment that is dropped afterwards. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def seconds(*command: str | Path) -> float:
    """Wall time of one process, from its start to its end; it must succeed."""
    # Both write and use compiled files, as they do for a person.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, env=environment, check=True)
    return time.perf_counter() - started


def medians(commands: dict[str, list[str | Path]], runs: int) -> dict[str, float]:
    """The median seconds of each command over ``runs``, after one run each that warms the page cache."""
    for command in commands.values():
        seconds(*command)
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            taken[name].append(seconds(*command))
    return {name: statistics.median(times) for name, times in taken.items()}


def installed_openstack(folder: Path) -> Path:
    """The openstack client in a fresh virtual environment below ``folder``."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin/pip", "install", "-q", "python-openstackclient"], check=True)
    return folder / "bin/openstack"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15, help="processes per command")
    parser.add_argument("--openstack", type=Path, help="an installed client to compare with")
    arguments = parser.parse_args()
    scripts = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        openstack = arguments.openstack or installed_openstack(Path(folder))
        commands: dict[str, list[str | Path]] = {
            "`python -c pass`": [sys.executable, "-c", "pass"],
            "`chiops --help`": [scripts / "chiops", "--help"],
            "`openstack --help`": [openstack, "--help"],
        }
        found = medians(commands, arguments.runs)
    chiops = found["`chiops --help`"]
    print(f"Median of {arguments.runs} runs, {os.cpu_count()} CPUs, Python {sys.version.split()[0]}.\n")
    print("| command | seconds | of chiops |\n|---|---|---|")
    for name, median in found.items():
        print(f"| {name} | {median:.3f} | {median / chiops:.1f} × |")


if __name__ == "__main__":
    main()
