"""Builds an image's root file system from the distribution's packages with mmdebstrap, for machines that reach no registry."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from chiops import progress
from chiops.cloud import handover
from chiops.cloud.handover import SUITE
from chiops.cloud.local import packages
from chiops.cloud.local.locks import locked
from chiops.cloud.local.recipe import FILES, Recipe
from chiops.errors import Capacity, CloudError, PrerequisiteMissing

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_NEED_BYTES = 3 << 30
"""Free space that a build needs while it runs, with the packages, the tree and the archive on the disk at once."""


def archive(recipe: Recipe, cache: Path) -> Path:
    """The root file system of ``recipe`` as a tar below ``cache``, built if it is not there (about 40 s, once).

    Raises:
        PrerequisiteMissing: mmdebstrap is missing and may not be installed, or we are not root.
        Capacity: the disk is full.
        CloudError: packages could not be fetched or installed; the reason is the tool's own line.
    """
    target = cache / f"{recipe.name}-{recipe.tag}.tar"
    if target.exists():
        return target
    with locked(cache / f"{recipe.name}.lock"):
        if not target.exists():
            with progress.task(f"Build the {recipe.title} from Debian packages (once)") as task:
                _build(recipe, target, task)
            for old in set(cache.glob(f"{recipe.name}-*.tar")) - {target}:
                old.unlink(missing_ok=True)
    return target


def _build(recipe: Recipe, target: Path, task: progress.Task) -> None:
    if os.geteuid() != 0:
        raise PrerequisiteMissing(
            f"The {recipe.title} must be built from packages, because no container registry answers, and that needs root",
            todo="run chiops as root once, or give this machine access to a registry",
        )
    packages.require({"mmdebstrap": "mmdebstrap"}, purpose="Building images without a registry")
    if not _KEYRING.exists() and packages.may_install():
        packages.install(["debian-archive-keyring"])
    for stale in target.parent.glob(f"{recipe.name}-build-*"):
        shutil.rmtree(stale, ignore_errors=True)
    if shutil.disk_usage(target.parent).free < _NEED_BYTES:
        raise Capacity(
            f"Building the {recipe.title} needs {_NEED_BYTES >> 30} GiB free in {target.parent}",
            todo="free some space and try again",
        )
    work = Path(tempfile.mkdtemp(prefix=f"{recipe.name}-build-", dir=target.parent))
    try:
        made = work / "root.tar"
        _run(recipe, made, work, task)
        made.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run(recipe: Recipe, made: Path, work: Path, task: progress.Task) -> None:
    settings = handover.collect()
    sources = work / "sources.list"
    sources.write_text("\n".join(settings.sources) + "\n", encoding="utf-8")
    command = [
        # Its mounts live in a namespace that dies with it, and it dies with us: an interruption leaves none behind
        *(
            "setpriv",
            "--pdeathsig",
            "KILL",
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child=KILL",
            "--mount-proc",
        ),
        *("mmdebstrap", "--mode=root", "--variant=minbase", "--format=tar", f"--include={','.join(recipe.packages)}"),
        *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("man", "locale", "doc", "info")),
        '--aptopt=Acquire::Languages "none"',
        *(f"--aptopt={line.rstrip(';')}" for line in settings.apt_options),
        f'--customize-hook=sh "{FILES / recipe.script}" "$1"',
        *(SUITE, str(made)),
        *([str(sources)] if settings.sources else []),
    ]
    environment = {**os.environ, "TMPDIR": str(work), "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    output: list[str] = []
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        for line in process.stdout:
            output = [*output[-200:], line.strip()]
            if line.startswith("I: "):
                task.note(line[3:].strip().rstrip("."))
        process.wait()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
    if process.returncode:
        raise _failed(recipe, output)


def _failed(recipe: Recipe, output: list[str]) -> CloudError:
    text = "\n".join(output)
    if "no space left" in text.lower():
        return Capacity(
            f"Building the {recipe.title} failed", why="the disk is full", todo="free some space and try again"
        )
    errors = [line for line in output if line.startswith(("E: ", "dpkg: error"))]
    # mmdebstrap's own last line only says that apt failed, so the first one is the cause
    return CloudError(
        f"Building the {recipe.title} failed",
        why=errors[0].removeprefix("E: ") if errors else packages.reason(text),
        todo="check that this machine reaches a Debian mirror, and try again",
    )
