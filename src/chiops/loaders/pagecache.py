"""The kernel's page cache, file by file: dropped without privileges and measured, so that "cold" is a finding."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

_PAGE = mmap.PAGESIZE


def evict(files: Iterable[Path]) -> None:
    """Ask the kernel to forget the files' pages. Clean pages only, so what was just written is synced first."""
    for path in files:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fdatasync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError:
            continue  # a file system without the call; `resident_share` tells what it came to
        finally:
            os.close(handle)


def fill(files: Iterable[Path]) -> None:
    """Read the files once, so that their pages are in memory as far as it holds them."""
    buffer = bytearray(1 << 20)
    for path in files:
        with path.open("rb", buffering=0) as stream:
            while stream.readinto(buffer):
                pass


def resident_share(files: Sequence[Path], *, at_most: int = 512) -> float | None:
    """The share of pages that are in memory, 0 to 1, over ``at_most`` files spread evenly; None if the kernel won't say."""
    step = max(1, len(files) // at_most)
    resident = total = 0
    for path in files[::step]:
        counted = _resident_pages(path)
        if counted is None:
            return None
        resident += counted[0]
        total += counted[1]
    return resident / total if total else None


def _resident_pages(path: Path) -> tuple[int, int] | None:
    """Pages in memory and pages in all, by mincore(2), which reads nothing itself; None where it is refused."""
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size == 0:
            return 0, 0
        # Private and writable, because ctypes takes the address of writable buffers only; nothing is written.
        with mmap.mmap(stream.fileno(), size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE) as view:
            pages = (size + _PAGE - 1) // _PAGE
            flags = (ctypes.c_ubyte * pages)()
            anchor = ctypes.c_char.from_buffer(view)
            try:
                failed = ctypes.CDLL(None, use_errno=True).mincore(
                    ctypes.c_void_p(ctypes.addressof(anchor)), ctypes.c_size_t(size), flags
                )
            finally:
                del anchor  # else the mapping cannot be closed
            return None if failed else (sum(flag & 1 for flag in flags), pages)
