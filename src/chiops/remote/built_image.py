"""Container images that a node builds for itself: named by what they are made of, shipped as one tar of parts."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping

from chiops import assets

DEFAULT_BASE = "python:3.11-slim-bookworm"
"""The base image where a site names none."""

Part = tuple[str, bytes]
"""A path in the build context, and what is there."""


def base_variables(settings: Mapping[str, object]) -> dict[str, object]:
    """The base image as the role has it: its name, and the tar on the node to import it from where it can't be pulled; and where
    images lie that the site's nodes have built before."""
    return {
        "built_image_base": settings.get("bench_base_image") or DEFAULT_BASE,
        "built_image_base_archive": settings.get("bench_base_archive") or "",
        "built_image_store": settings.get("image_store") or "",
    }


def recipe(name: str) -> Iterator[Part]:
    """The files of a recipe of ours in ``templates/docker``, in a fixed order."""
    for file in sorted((assets.templates() / "docker" / name).iterdir()):
        if file.is_file():
            yield file.name, file.read_bytes()


def tag(name: str, parts: Iterable[Part], *settings: object) -> str:
    """The image's full name: it tells the content, so that a node that has it needs no build.

    Args:
        name: a word for it.
        parts: what it is built from, without the packages.
        settings: what else decides its content, such as the base image.
    """
    digest = hashlib.sha256(json.dumps(settings, default=str).encode())
    for path, content in parts:
        digest.update(f"\0{path}\0{len(content)}\0".encode() + content)
    return f"chiops-{name}:{digest.hexdigest()[:12]}"


def archive(parts: Iterable[Part]) -> bytes:
    """The parts as a tar. No times, no owners: the same content is the same layer in the builder's cache."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for path, content in parts:
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()
