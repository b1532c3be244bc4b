"""The bucket, mounted for one run at places of its own: emptied before each cold arm, gone afterwards."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from chiops import progress
from chiops.bench.results import MountState
from chiops.cloud.base import S3Access
from chiops.errors import ChiopsError, RemoteFailed
from chiops.remote import fuse
from chiops.remote.connection import ConnectionFailed

if TYPE_CHECKING:
    from chiops.remote.ssh import Ssh

_PLACES = "/run/chiops-bench"
_CACHES = "/var/cache/chiops-bench"
_UNITS = "/run/systemd/system"
_PREFIX = "chiops-bench-"
_PORT = 55720
_RCLONE_CONFIG = "rclone-bench.conf"

# What an earlier run left too, however it ended: a mount whose daemon died cannot even be looked at, so none is. Places go by
# rmdir, so that nothing is deleted through a mount.
_CLEAR = f"""systemctl stop '{_PREFIX}*.service' 2>/dev/null
rm -f {_UNITS}/{_PREFIX}*.service; systemctl daemon-reload; systemctl reset-failed '{_PREFIX}*.service' 2>/dev/null
for place in {_PLACES}/*; do umount -l "$place" 2>/dev/null; done
rmdir {_PLACES}/* {_PLACES} 2>/dev/null; rm -rf --one-file-system {_CACHES}; [ ! -e {_PLACES} ]
"""
# unit, place, cache, user; who waits for FUSE can't be ended, so `timeout` ends a shell, whose child keeps no stream open
_EMPTY = """set -e
systemctl stop "$1"; rm -rf --one-file-system "$3"; install -d -o "$4" -m 0700 "$3"; systemctl start "$1"
ended=0; timeout 60 sh -c 'tries=0; until mountpoint -q "$1"; do tries=$((tries+1)); [ $tries -lt 300 ] || exit 1; sleep 0.1; done
ls -f "$1"; exit $?' sh "$2" >/dev/null 2>&1 || ended=$?
[ $ended != 124 ] || echo 'the bucket did not answer within 60 s' >&2
exit $ended
"""
# unit, place, cache, version; the daemon's user and system time are the 14th and 15th field, its name in brackets may hold blanks
_STATE = """pid=$(systemctl show --property=MainPID --value "$1"); echo "pid $pid"
sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | awk -v hertz="$(getconf CLK_TCK)" '{ print "cpu", ($12 + $13) / hertz }'
awk '$1 == "VmHWM:" { printf "peak %.0f\\n", $2 * 1024 }' "/proc/$pid/status" 2>/dev/null
find "$3" -type f -printf '%s\\n' 2>/dev/null | awk '{ bytes += $1 } END { printf "files %d\\nbytes %.0f\\n", NR, bytes }'
echo "flags $(findmnt -rno OPTIONS --mountpoint "$2")"; echo "version $($4 2>&1 | head -n 1)"
"""


class Keeper(Protocol):
    """The mounts of a run, by the texts that name them."""

    @property
    def missing(self) -> Mapping[str, str]:
        """Those that did not come up, and why."""

    def path(self, mount: str) -> str:
        """Where it is on the node."""

    def empty(self, mount: str) -> MountState:
        """Start its daemon anew, with nothing cached in memory or on disk, and look whether that is so."""

    def state(self, mount: str) -> MountState:
        """What it holds now, and what it has counted."""


class Mounts:
    """`Keeper` on a node; a context manager. What a killed run has left goes when the next begins, and with the node."""

    def __init__(self, ssh: Ssh, s3: S3Access, wanted: Sequence[str]) -> None:
        self._ssh, self._s3 = ssh, s3
        self._choices = {text: fuse.choice(text) for text in dict.fromkeys(wanted)}
        self.missing: dict[str, str] = {}

    def __enter__(self) -> Self:
        with progress.task(f"Mount the bucket by {', '.join(self._choices)}") as task:
            self._clear()
            try:
                self._mount_all(task)
            except BaseException:
                self._leave()
                raise
        return self

    def _mount_all(self, task: progress.Task) -> None:
        """All at once; where that fails one by one, to find which it was."""
        try:
            self._mount(list(self._choices), task)
        except ConnectionFailed:
            raise
        except RemoteFailed as error:
            if len(self._choices) == 1:
                self.missing = dict.fromkeys(self._choices, error.why or error.what)
                return
            for text in self._choices:
                try:
                    self._mount([text], task)
                except ConnectionFailed:
                    raise
                except RemoteFailed as fault:
                    self.missing[text] = fault.why or fault.what

    def _mount(self, texts: Sequence[str], task: progress.Task) -> None:
        from chiops.remote.ansible import run_playbook

        run_playbook(
            "bench_mounts",
            [self._ssh.node],
            variables={"bench_mounts": [self._entry(text) for text in texts]},
            secrets={"bench_access": fuse.key(self._s3), "bench_rclone_config": _RCLONE_CONFIG},
            parent_task=task,
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def path(self, mount: str) -> str:
        return f"{_PLACES}/{self._word(mount)}"

    def empty(self, mount: str) -> MountState:
        before, _ = self._look(mount)
        self._root(_EMPTY, self._unit(mount), self.path(mount), self._cache(mount), self._ssh.node.user)
        after, state = self._look(mount)
        return state.model_copy(update={"restarted": before != after})

    def state(self, mount: str) -> MountState:
        return self._look(mount)[1]

    def _look(self, mount: str) -> tuple[str, MountState]:
        """The daemon's process, and its state."""
        choice = self._choices[mount]
        backend = fuse.BACKENDS[choice.backend]
        said = self._root(_STATE, self._unit(mount), self.path(mount), self._cache(mount), shlex.join(backend.version))
        facts = {name: value for name, _, value in (line.partition(" ") for line in said.splitlines())}
        counters: fuse.Counters = {}
        if backend.counters:
            # Before the first mount there is nothing to ask, and that it does not answer is no failure of the measurement
            with suppress(ValueError, RemoteFailed):
                counters = backend.parse(self._root(backend.counters(self._port(mount))))
        return facts.get("pid", ""), MountState(
            backend=choice.backend,
            options=self._options(mount),
            version=facts.get("version") or "unknown",
            flags=facts.get("flags") or "unknown",
            cache_files=int(facts.get("files") or 0),
            cache_bytes=int(facts.get("bytes") or 0),
            daemon_cpu_s=float(facts["cpu"]) if facts.get("cpu") else None,
            daemon_peak_rss_bytes=int(facts["peak"]) if facts.get("peak") else None,
            counters=dict(counters),
        )

    def _word(self, mount: str) -> str:
        return f"{list(self._choices).index(mount)}.{self._choices[mount].backend}"

    def _unit(self, mount: str) -> str:
        # As the role names units: by the path, - doubled
        return f"{_PREFIX}{self.path(mount)[1:].replace('-', '--').replace('/', '-')}.service"

    def _cache(self, mount: str) -> str:
        return f"{_CACHES}/{self._word(mount)}"

    def _port(self, mount: str) -> int:
        return _PORT + list(self._choices).index(mount)

    def _options(self, mount: str) -> tuple[str, ...]:
        choice, cache = self._choices[mount], self._cache(mount)
        own = fuse.BACKENDS[choice.backend].measured(cache, self._port(mount))
        return (*(option.replace("{cache}", cache) for option in choice.options), *own)

    def _entry(self, mount: str) -> dict[str, object]:
        return {
            "bucket": self._s3.bucket,
            "path": self.path(mount),
            "backend": self._choices[mount].backend,
            "read_only": True,
            "options": list(self._options(mount)),
        }

    def _clear(self) -> None:
        self._root(_CLEAR)

    def _leave(self) -> None:
        """Away with the mounts; if the node does not answer, the next run or the node's end sees to it."""
        try:
            self._clear()
        except ChiopsError as error:
            progress.say(f"the mounts of this run were not taken away, the next one does: {error.sentence()}")

    def _root(self, script: str, *arguments: str) -> str:
        done = self._ssh.run("sudo", "sh", "-c", script, "sh", *arguments, check=False, timeout=120)
        if done.returncode:
            raise RemoteFailed(
                f"a mount on {self._ssh.node.name} did not do as it was told",
                why=done.stderr.strip()[-500:] or f"exit {done.returncode}",
                todo=f"look at it with `chiops ssh`: journalctl --unit='{_PREFIX}*'",
            )
        return done.stdout
