"""How long the lab's provisioning takes and how many API calls it needs: chiops beside the seed's own python-chi notebook.

    OS_CLOUD=NAME .venv/bin/python benchmarks/provisioning.py [--rounds 3] [--python-chi PYTHON]

Lease, server, address, groups, volume, attached; then everything away again. The two take turns at a real OpenStack with
Blazar, sharednet1, public, m1.medium and CC-Ubuntu24.04, and a round ends when the cloud shows it done. Nothing waits for ssh,
so that it runs where servers are only said to run. All that it makes bears a word of its own and is deleted, also after a failure.
Without ``--python-chi`` (a Python that has it) that is installed into a virtual environment that is dropped afterwards.
Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import openstack
from openstack.config import OpenStackConfig

from benchmarks.block_lab.figures import Phase, comparison, growth
from benchmarks.block_lab.project import Project, wait
from benchmarks.block_lab.tools import Chiops, PythonChi, Tool, seed

Make = Callable[[Path, str], Tool]
MORE = (1, 20)
"""How many volumes and security groups more the project has while lists are counted."""
LISTS = 5
"""Runs of each command then; its threads may ask a service for its version once or thrice, so that a call or two come and go."""


def installed_python_chi(folder: Path) -> Path:
    """A Python with python-chi in a fresh virtual environment; blazarclient and a kernel are needed but not declared by it."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run(
        [folder / "bin/pip", "install", "-q", "python-chi", "python-blazarclient", "ipykernel"],
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return folder / "bin/python"


def measured(act: Callable[[], None], tool: Tool, done: Callable[[], bool], what: str) -> Phase:
    """One way up or away: until it says so, and the cloud too."""
    before, begun = tool.calls(), time.perf_counter()
    act()
    seconds = time.perf_counter() - begun
    return Phase(seconds + wait(done, what), tool.calls() - before)


def one_round(make: Make, project: Project, meanwhile: Callable[[Tool], None] = lambda _: None) -> dict[str, Phase]:
    """Up and away once; ``meanwhile`` is called while the lab is up."""
    word = f"bench{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory(prefix="chiops-bench-") as folder:
        try:
            with closing(make(Path(folder), word)) as tool:
                up = measured(tool.up, tool, partial(project.is_up, word), "the lab being up")
                meanwhile(tool)
                away = measured(tool.away, tool, partial(project.is_gone, word), "the lab being gone")
        finally:
            project.sweep(word)
    return {"up": up, "away": away}


def counted_lists(project: Project, found: dict[str, dict[int, list[int]]], tool: Tool) -> None:
    """The API calls of `status` and `plan` with more and more others in the project, added to ``found``."""
    assert isinstance(tool, Chiops)
    for count in MORE:
        with project.more(f"others{secrets.token_hex(4)}", count):
            for name, arguments in {"chiops status": ["status"], "chiops plan": ["plan", tool.lab]}.items():
                for _ in range(LISTS):
                    before = tool.calls()
                    tool.run(*arguments)
                    found.setdefault(name, {}).setdefault(count, []).append(tool.calls() - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each goes up and away")
    parser.add_argument("--python-chi", type=Path, metavar="PYTHON", help="a Python with python-chi and blazarclient")
    arguments = parser.parse_args()
    if not os.environ.get("OS_CLOUD"):
        parser.error("OS_CLOUD is to name an entry of clouds.yaml")
    # Ended from outside it cleans up too
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    config = OpenStackConfig()
    cloud = config.get_one(os.environ["OS_CLOUD"])
    # Found again where XDG_CONFIG_HOME is another
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(Path(config.config_filename).resolve())
    project = Project(openstack.connect())
    with tempfile.TemporaryDirectory() as folder:
        python = arguments.python_chi or installed_python_chi(Path(folder))
        tools: dict[str, Make] = {
            "chiops": partial(Chiops, cloud=cloud),
            "python-chi": partial(PythonChi, cloud=cloud, python=python, project=project.name),
        }
        rounds: dict[str, list[dict[str, Phase]]] = {name: [] for name in tools}
        lists: dict[str, dict[int, list[int]]] = {}
        for number in range(arguments.rounds):
            for name, make in tools.items():
                last = name == "chiops" and number == arguments.rounds - 1
                print(f"round {number + 1}, {name}", file=sys.stderr)
                meanwhile = partial(counted_lists, project, lists) if last else lambda _: None
                rounds[name].append(one_round(make, project, meanwhile))
    load = f"{os.cpu_count()} CPUs with a load of {os.getloadavg()[0]:.1f} at the end"
    print(f"Median of {arguments.rounds} rounds (lowest to highest), {load}.\n")
    print(comparison(rounds), growth(lists), sep="\n\n")
    print("\nWhere the lab's cells were helped:\n")
    print(*(f"- {cell.helped}" for cell in seed() if cell.helped), sep="\n")


if __name__ == "__main__":
    main()
