"""What this machine made at services that store no mark or do not list it: one small file per item, owner only.

A file per item needs no lock and survives a kill: it is there or it is not.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, unquote

from chiops import files, paths
from chiops.cloud.base import Mark


class Record:
    """Marks by name, kept for one kind of item in one project and region.

    Args:
        kind: ``buckets`` or ``credentials``.
        project_id, region: where.
    """

    def __init__(self, kind: str, project_id: str, region: str) -> None:
        self._where = Path("openstack") / quote(project_id, safe="") / quote(region, safe="") / kind

    @property
    def _folder(self) -> Path:
        return paths.state_dir() / self._where

    def put(self, name: str, mark: Mark) -> None:
        """Remember ``name``; there afterwards even if the machine fails."""
        files.replace(paths.private_dir(self._folder) / quote(name, safe=""), mark.as_text(), durable=True)

    def all(self) -> dict[str, Mark]:
        """All that is remembered."""
        found = {}
        for entry in self._folder.glob("[!.]*") if self._folder.is_dir() else ():
            try:
                mark = Mark.from_text(entry.read_text(encoding="utf-8"))
            except FileNotFoundError:
                continue
            if mark:
                found[unquote(entry.name)] = mark
        return found

    def get(self, name: str) -> Mark | None:
        """What is remembered of ``name``."""
        try:
            return Mark.from_text((self._folder / quote(name, safe="")).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def drop(self, name: str) -> None:
        """Forget ``name``; not being there is fine."""
        (self._folder / quote(name, safe="")).unlink(missing_ok=True)
