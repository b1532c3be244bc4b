"""Services on a server, as lab files have them: Jupyter, and a compose file; and what must fit together around them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from chiops import assets
from chiops.lab.fields import AbsolutePath, Loc, Name, Port, ReferenceProblem, Strict, known
from chiops.names import suggestion

JUPYTER_TOKEN = "jupyter_token"  # noqa: S105 - a name
"""The secret of a compose file that is the lab's Jupyter token."""


def _folder(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._/-]+", value) or ".." in value.split("/"):
        raise ValueError(f"{value!r} is not a folder of letters, digits, '.', '_', '-'")
    return value.rstrip("/")


def _word(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", value):
        raise ValueError(f"{value!r} is not a word of small letters, digits and '_'")
    return value


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,60}", value):
        raise ValueError(f"{value!r} is not a variable's name: capital letters, digits and '_'")
    return value


def _line(value: str) -> str:
    # Compose reads its file of variables line by line, and takes quotes and dollar signs for its own.
    if not re.fullmatch(r"[\w.@:+/=, -]*", value):
        raise ValueError(f"{value!r} has signs that no name, address or number needs")
    return value


def _image(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][\w.:/@-]*", value, re.ASCII):
        raise ValueError(f"{value!r} is no name of a container image")
    return value


Folder = Annotated[str, AfterValidator(_folder)]
Word = Annotated[str, AfterValidator(_word)]
Variable = Annotated[str, AfterValidator(_variable)]
Line = Annotated[str, AfterValidator(_line)]
ImageName = Annotated[str, AfterValidator(_image)]


class JupyterSpec(Strict):
    """JupyterLab in a container. ``work`` lies on ``volume``, or in the user's home; ``mounts`` are buckets' paths."""

    image: ImageName | None = None
    port: Port = 8888
    volume: Name | None = None
    work: Folder = "workspace"
    mounts: Annotated[tuple[AbsolutePath, ...], Field(strict=False)] = ()


class ComposeSpec(Strict):
    """The services of a compose file: a built-in one's name, or a path seen from the lab file.

    ``data`` lies on ``volume``, or in the user's home, with ``folders`` in it and a file for each of ``secrets``. ``ports`` are
    checked and reach the file as ``NAME_PORT``, ``images`` as ``NAME_IMAGE``, beside ``variables``.
    """

    file: Folder
    volume: Name | None = None
    data: Folder = "services"
    folders: Annotated[tuple[Word, ...], Field(strict=False)] = ()
    ports: dict[Word, Port] = Field(default_factory=dict)
    images: Annotated[tuple[Word, ...], Field(strict=False)] = ()
    secrets: Annotated[tuple[Word, ...], Field(strict=False)] = ()
    variables: dict[Variable, Line] = Field(default_factory=dict)


class ServicesSpec(Strict):
    """What runs in containers on a server, now and after every boot."""

    jupyter: JupyterSpec | None = None
    compose: ComposeSpec | None = None

    def __bool__(self) -> bool:
        return bool(self.jupyter or self.compose)

    def ports(self) -> Iterator[tuple[Loc, str, int]]:
        """Every port that is served: where it stands in the lab file, the service's name, the number."""
        if self.jupyter:
            yield ("jupyter", "port"), "jupyter", self.jupyter.port
        for name, port in self.compose.ports.items() if self.compose else ():
            yield ("compose", "ports", name), name, port

    @property
    def jupyter_port(self) -> int | None:
        """Where Jupyter is served, by whichever service; None if it is not."""
        return next((port for _, name, port in self.ports() if name == "jupyter"), None)


def check_services(
    loc: Loc,
    services: ServicesSpec,
    volumes: Mapping[str, str],
    mounts: frozenset[str],
    is_open: Callable[[int], bool],
) -> None:
    """Check the services of one server against the rest of the lab.

    Args:
        loc: where the services stand.
        services: them.
        volumes: the volumes that are mounted on the server, with their mount points.
        mounts: where buckets are mounted on the server.
        is_open: whether a security group of the server opens a TCP port.

    Raises:
        ReferenceProblem: a service refers to what is not there, or nobody could reach it.
    """
    taken: set[int] = set()
    for where, name, port in services.ports():
        if port in taken:
            raise ReferenceProblem((*loc, *where), f"port {port} is served twice")
        if not is_open(port):
            raise ReferenceProblem((*loc, *where), f"no security group of the server opens port {port} for {name}")
        taken.add(port)
    jupyter, compose = services.jupyter, services.compose
    for key, volume, folder in (
        *([("jupyter", jupyter.volume, ("work", jupyter.work))] if jupyter else ()),
        *([("compose", compose.volume, ("data", compose.data))] if compose else ()),
    ):
        if volume:
            known((*loc, key, "volume"), volume, volumes, "volume mounted on the server")
        if volume and folder[1].startswith("/"):
            raise ReferenceProblem((*loc, key, folder[0]), f"{folder[1]} is not a folder of {volume}: drop the first /")
    for i, path in enumerate(jupyter.mounts if jupyter else ()):
        known((*loc, "jupyter", "mounts", i), path, mounts, "bucket mount at")


def compose_path(name: str, source: str) -> Path:
    """The compose file that a lab file at ``source`` means."""
    builtin = assets.templates() / "compose" / f"{name}.yaml"
    return builtin if "/" not in name and builtin.is_file() else Path(source).parent / name


def check_compose(loc: Loc, name: str, source: str) -> None:
    """Refuse a compose file that is not there.

    Raises:
        ReferenceProblem: it is neither built in nor beside the lab file.
    """
    if not compose_path(name, source).is_file():
        builtin = sorted(path.stem for path in (assets.templates() / "compose").glob("*.yaml"))
        raise ReferenceProblem(loc, f"there is no compose file {name!r} here or built in; {suggestion(name, builtin)}")
