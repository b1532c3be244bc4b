"""rclone mount: nothing is cached on disk unless ``--vfs-cache-mode`` says so; listings and attributes are in memory."""

from __future__ import annotations

import json

from chiops.remote.fuse.base import Backend, Counters

_CORE = ("bytes", "transfers", "errors", "totalTransfers")


def _measured(cache: str, port: int) -> tuple[str, ...]:
    # On loopback, since the release that Debian and Ubuntu have knows no unix sockets. Without a password rclone answers
    # harmless questions only.
    return (f"--cache-dir={cache}", "--rc", f"--rc-addr=127.0.0.1:{port}")


def _counters(port: int) -> str:
    return "; ".join(f"rclone rc --url=http://127.0.0.1:{port} {call}" for call in ("core/stats", "vfs/stats"))


def _parse(text: str) -> Counters:
    """Of its transfers and of its caches: how much it has fetched, and what it holds."""
    core, vfs = _documents(text)
    disk, memory = vfs.get("diskCache") or {}, vfs.get("metadataCache") or {}
    return {
        **{name: float(core[name]) for name in _CORE if name in core},
        "disk_cache_files": float(disk.get("files", 0)),
        "disk_cache_bytes": float(disk.get("bytesUsed", 0)),
        "known_files": float(memory.get("files", 0)),
    }


def _documents(text: str) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    decoder = json.JSONDecoder()
    first, end = decoder.raw_decode(text.lstrip())
    second, _ = decoder.raw_decode(text.lstrip()[end:].lstrip())
    return first, second


BACKEND = Backend("rclone", "rclone", ("rclone", "version"), _measured, _counters, _parse)
