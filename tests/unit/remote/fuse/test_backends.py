from __future__ import annotations

import pytest

from chiops.errors import UsageError
from chiops.remote.fuse import BACKENDS, MountChoice, choice

# As rclone 1.60 answers core/stats and vfs/stats, one after the other
ANSWERS = """{
	"bytes": 3,
	"errors": 0,
	"eta": null,
	"totalTransfers": 1,
	"transfers": 1
}
{
	"diskCache": {"bytesUsed": 5, "files": 1, "path": "/c"},
	"metadataCache": {"dirs": 4, "files": 4}
}
"""


def test_a_choice_is_a_backend_and_its_options() -> None:
    assert choice("rclone") == MountChoice("rclone")
    found = choice("s3fs -ouse_cache={cache} -omax_stat_cache_size=1000")
    assert found == MountChoice("s3fs", ("-ouse_cache={cache}", "-omax_stat_cache_size=1000"))
    assert str(found) == "s3fs -ouse_cache={cache} -omax_stat_cache_size=1000"


@pytest.mark.parametrize("text", ["", "rclon", "rclone vfs", "s3fs -o ro", "rclone --x=%h", "rclone --x='a'"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        choice(text)


def test_rclones_counters_are_read() -> None:
    backend = BACKENDS["rclone"]
    assert backend.parse(ANSWERS) == {
        "bytes": 3, "errors": 0, "totalTransfers": 1, "transfers": 1,
        "disk_cache_files": 1, "disk_cache_bytes": 5, "known_files": 4,
    }  # fmt: skip
    with pytest.raises(ValueError, match="Expecting value"):
        backend.parse("Failed to rc: connection refused")


def test_caches_and_counters_are_where_a_benchmark_finds_them() -> None:
    assert BACKENDS["rclone"].measured("/var/cache/x", 5) == (
        "--cache-dir=/var/cache/x",
        "--rc",
        "--rc-addr=127.0.0.1:5",
    )
    for backend in BACKENDS.values():
        for option in backend.measured("/var/cache/x", 5):
            assert MountChoice.OPTION.fullmatch(option)
