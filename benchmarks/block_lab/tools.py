"""The two ways of bringing the lab up, each as a person has it; both count their HTTP requests alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import yaml

from benchmarks.block_lab.figures import Cell, cells
from chiops import assets

HERE = Path(__file__).resolve().parent
LAB = "block-lab"
SITE = "measured"


class ToolFailed(Exception):
    """A command or cell that did not succeed; the message shows it."""


class Tool(Protocol):
    """One run of one tool."""

    def up(self) -> None:
        """Everything up."""

    def away(self) -> None:
        """Everything deleted."""

    def calls(self) -> int:
        """HTTP requests sent so far."""

    def close(self) -> None:
        """End what it started."""


class Counted:
    """A process's environment in which its requests are counted."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "calls"

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        return {**variables, "PYTHONPATH": str(HERE / "calls"), "COUNT_CALLS_IN": str(self._file)}

    def calls(self) -> int:
        return len(self._file.read_text().splitlines()) if self._file.exists() else 0


class Chiops:
    """The command line, at a site entry for the cloud, with a state of its own.

    The lab is the built-in one under the run's own name: a `block-lab` that is up in the project stays apart.
    """

    def __init__(self, folder: Path, word: str, cloud: Any) -> None:
        self._folder, self._word, self._counted = folder, word, Counted(folder)
        built_in = (assets.labs() / f"{LAB}.yaml.j2").read_text()
        self.lab = f"{LAB}-{word}"
        (folder / "lab.yaml.j2").write_text(built_in.replace(f"name: {LAB}\n", f"name: {self.lab}\n"))
        site = {"cloud": "openstack", "os_cloud": cloud.name, "network": "sharednet1", "external_network": "public"}
        (folder / "config/chiops").mkdir(parents=True)
        (folder / "config/chiops/sites.yaml").write_text(yaml.safe_dump({SITE: site}))

    def run(self, *arguments: str) -> None:
        """One command, which must succeed."""
        folders = {"XDG_CONFIG_HOME": str(self._folder / "config"), "XDG_STATE_HOME": str(self._folder / "state")}
        done = subprocess.run(
            [sys.executable, "-m", "chiops", *arguments],
            cwd=self._folder,
            env=self._counted.environment({**os.environ, **folders}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ToolFailed(f"chiops {' '.join(arguments)}\n{done.stderr}")

    def up(self) -> None:
        lab = ["up", "./lab.yaml.j2", "--site", SITE, "--set", f"net_id={self._word}"]
        self.run(*lab, "--no-configure", "--yes")

    def away(self) -> None:
        self.run("down", self.lab, "--purge-volume", "--yes")

    def calls(self) -> int:
        return self._counted.calls()

    def close(self) -> None:
        """Nothing runs between commands."""


class PythonChi:
    """The seed's cells in a Jupyter kernel of a Python that has python-chi; the kernel runs before the clock does."""

    def __init__(self, folder: Path, word: str, cloud: Any, *, python: Path, project: str) -> None:
        self._cells = seed()
        self._counted = Counted(folder)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
        account = {"USER": word, "OS_KEYPAIR_NAME": word, "OS_KEYPAIR_PUBLIC_KEY": str(folder / "key.pub")}
        others = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        self._kernel = subprocess.Popen(
            [python, HERE / "notebook.py"],
            cwd=folder,
            env=self._counted.environment({**others, **variables(cloud, project), **account}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "kernel.log").open("w"),
            text=True,
        )
        self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._kernel.stdout is not None
        line = self._kernel.stdout.readline()
        if not line:
            raise ToolFailed("the Jupyter kernel ended")
        return dict(json.loads(line))

    def _run(self, phase: str) -> None:
        assert self._kernel.stdin is not None
        for cell in self._cells:
            if cell.phase == phase:
                self._kernel.stdin.write(json.dumps(cell.source) + "\n")
                self._kernel.stdin.flush()
                if error := self._answer()["error"]:
                    raise ToolFailed(f"{cell.source}\n{error}")

    def up(self) -> None:
        self._run("up")

    def away(self) -> None:
        self._run("away")

    def calls(self) -> int:
        return self._counted.calls()

    def close(self) -> None:
        assert self._kernel.stdin is not None
        self._kernel.stdin.close()
        self._kernel.wait()


def seed() -> list[Cell]:
    """The seed's cells."""
    return cells((HERE / "seed.py").read_text())


def variables(cloud: Any, project: str) -> dict[str, str]:
    """An entry of clouds.yaml as the OS_* variables that Chameleon's Jupyter has, which python-chi reads."""
    kind = str(cloud.config["auth_type"])
    auth = {f"OS_{name.upper()}": str(value) for name, value in cloud.config["auth"].items() if value}
    return auth | {
        "OS_AUTH_TYPE": kind if kind.startswith("v3") else f"v3{kind}",
        "OS_PROJECT_NAME": project,
        "OS_REGION_NAME": str(cloud.region_name or ""),
        "OS_INTERFACE": str(cloud.config.get("interface") or "public"),
    }
