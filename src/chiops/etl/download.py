"""Downloads one file over HTTP, continued where it broke off."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from .errors import EtlError
from .protocol import Events
from .stages import write_atomically

_BLOCK = 1 << 20
_TIMEOUT_S = 60
_ATTEMPTS = 5


def download(url: str, target: Path, events: Events, *, todo: str, wait: Callable[[float], None] = time.sleep) -> None:
    """Bring ``url`` to ``target``, which appears only when it is whole.

    What came before a break stays beside ``target`` and is continued, as long as the server says by ETag or date that its
    file is still the same. Passing failures are tried again a few times; every arrival of data starts the count anew.

    Args:
        todo: what the person can do when it does not work.
        wait: sleeps that many seconds between attempts.

    Raises:
        EtlError: refused (``not-found``), or it did not work after several attempts (``transient``).
    """
    if not url.startswith(("http://", "https://")):
        raise EtlError(f"{url!r} is no web address", todo="give one that begins with http:// or https://", kind="usage")
    partial = target.with_name(f"{target.name}.part")
    partial.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    while True:
        before = _size(partial)
        try:
            _attempt(url, partial, events)
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in (408, 416, 429):
                raise EtlError(
                    f"the download of {url} was refused", why=f"HTTP {error.code}", todo=todo, kind="not-found"
                ) from error
            if error.code == 416:  # what we have does not fit the server's file
                partial.unlink(missing_ok=True)
            failures, reason = failures + 1, f"HTTP {error.code}"
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
                raise  # the disk's fault, not the network's
            came = _size(partial) > before
            failures, reason = (1 if came else failures + 1), str(getattr(error, "reason", error)) or repr(error)
        else:
            partial.replace(target)
            _tag(partial).unlink(missing_ok=True)
            return
        if failures >= _ATTEMPTS:
            raise EtlError(f"{url} cannot be downloaded", why=reason, todo=todo, kind="transient")
        events.note(f"The download broke off ({reason}); trying again")
        wait(2.0 ** (failures - 1))


def _attempt(url: str, partial: Path, events: Events) -> None:
    offset, validator = _resumable(url, partial)
    headers = {"User-Agent": "chiops"}
    if offset:
        headers |= {"Range": f"bytes={offset}-", "If-Range": validator}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  (the caller checked the scheme)
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
        if response.status != 206:
            offset = 0
            partial.unlink(missing_ok=True)
            write_atomically(
                _tag(partial), json.dumps({"url": url, "validator": _validator(response.headers)}).encode()
            )
        length = response.headers.get("Content-Length")
        total = offset + int(length) if length else None
        with partial.open("ab") as stream:
            done = _copy(response, stream, offset, total, events)
        if total is not None and done < total:
            raise http.client.IncompleteRead(b"", total - done)


def _copy(response: BinaryIO, stream: BinaryIO, done: int, total: int | None, events: Events) -> int:
    while block := response.read(_BLOCK):
        stream.write(block)
        done += len(block)
        events.progress("Download", done, total or 0, "bytes")
    return done


def _resumable(url: str, partial: Path) -> tuple[int, str]:
    """How much of ``url`` is here, and what the server called that version; nothing, if either is unknown."""
    try:
        tag = json.loads(_tag(partial).read_bytes())
    except (OSError, ValueError):
        return 0, ""
    validator = tag.get("validator", "") if tag.get("url") == url else ""
    return (_size(partial), validator) if validator else (0, "")


def _validator(headers: Mapping[str, str]) -> str:
    """A strong ETag or a date; a weak ETag does not promise equal bytes."""
    etag = headers.get("ETag") or ""
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified") or ""


def _tag(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
