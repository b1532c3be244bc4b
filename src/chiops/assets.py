"""The only place that knows where playbooks, templates and inventories are: beside the source, or inside the wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def root() -> Path:
    """The folder that holds ``playbooks/``, ``templates/`` and ``inventories/``."""
    packed = _PACKAGE / "_assets"
    return packed if packed.is_dir() else _PACKAGE.parents[1]


def playbooks() -> Path:
    """Playbooks, with ``roles/`` and ``library/`` beside them."""
    return root() / "playbooks"


def templates() -> Path:
    """Lab files, Dockerfiles, rclone.conf and unit templates."""
    return root() / "templates"


def labs() -> Path:
    """The built-in labs, ``<name>.yaml.j2``."""
    return templates() / "labs"


def package(name: str) -> Path:
    """A subpackage's folder, for shipping node-side code (``loaders``, ``etl``) into a container image."""
    return _PACKAGE / name
