"""A proxy that puts an object store far away: what a client sends arrives later by a fixed time, answers come at once.

    .venv/bin/python benchmarks/latency.py --to http://127.0.0.1:8333 --milliseconds 40

So each request takes that much longer, as it would over a long line with as much round-trip time; requests that are under way
at once are late together, not one after the other. A connection is open at once, so that first requests are as late as others.
Prints the URL to use, then serves until it is ended.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import cast
from urllib.parse import urlsplit

_MUCH = 4 << 20
"""Bytes that wait for a slow reader before no more are read."""


class DelayLine:
    """Hands on what it is given after a fixed time, in order.

    Args:
        delay_s: how long each piece takes.
        now: the clock, in seconds.
        call_at: calls a function at a time of that clock.
        write: where pieces come out.
    """

    def __init__(
        self,
        delay_s: float,
        now: Callable[[], float],
        call_at: Callable[[float, Callable[[], None]], object],
        write: Callable[[bytes], None],
    ) -> None:
        self._delay_s, self._now, self._call_at, self._write = delay_s, now, call_at, write

    def put(self, piece: bytes) -> None:
        """Hand on a piece, later. Timers of one clock fire in the order of their times, equal ones as they were set."""
        if self._delay_s:
            self._call_at(self._now() + self._delay_s, lambda: self._write(piece))
        else:
            self._write(piece)

    def after(self, action: Callable[[], None]) -> None:
        """Do something when all that was put has come out."""
        self._call_at(self._now() + self._delay_s, action)


class _Side(asyncio.Protocol):
    """One end of a connection; what comes in here goes out at the other end, and a slow reader there stops reading here."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.hand_on: Callable[[bytes], None] = lambda _piece: None
        self.ended: Callable[[], None] = lambda: None
        self.source: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=_MUCH)

    def data_received(self, data: bytes) -> None:
        self.hand_on(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self.ended()

    def write(self, piece: bytes) -> None:
        if self.transport and not self.transport.is_closing():
            self.transport.write(piece)

    def close(self) -> None:
        if self.transport:
            self.transport.close()

    def pause_writing(self) -> None:
        if self.source and self.source.transport:
            self.source.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.source and self.source.transport and not self.source.transport.is_closing():
            self.source.transport.resume_reading()


class _Client(_Side):
    """The client's end: it opens the other one, and keeps what comes before that is done."""

    def __init__(self, host: str, port: int, delay_s: float) -> None:
        super().__init__()
        self._host, self._port, self._delay_s = host, port, delay_s
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport
        self.transport.pause_reading()
        self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        server = _Side()
        try:
            await loop.create_connection(lambda: server, self._host, self._port)
        except OSError:
            self.close()
            return
        line = DelayLine(self._delay_s, loop.time, loop.call_at, server.write)
        self.hand_on, self.ended = line.put, lambda: line.after(server.close)
        server.hand_on, server.ended = self.write, self.close
        self.source, server.source = server, self
        if self.transport and not self.transport.is_closing():
            self.transport.resume_reading()
        else:
            server.close()


async def serve(to: str, delay_s: float, port: int, ready: Callable[[int], None]) -> None:
    """Serve on loopback until cancelled; ``ready`` is told the port."""
    target = urlsplit(to)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Client(target.hostname or "127.0.0.1", target.port or 80, delay_s), "127.0.0.1", port, backlog=1024
    )
    async with server:
        ready(server.sockets[0].getsockname()[1])
        await server.serve_forever()


@contextmanager
def far_away(url: str, delay_s: float) -> Iterator[str]:
    """The endpoint, ``delay_s`` seconds further away: a proxy in a process of its own while the body runs."""
    command = [sys.executable, __file__, "--to", url, "--milliseconds", str(1000 * delay_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip() or url
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", required=True, metavar="URL", help="the object store, http only")
    parser.add_argument("--milliseconds", type=float, default=40.0, help="added to each request (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="where to listen on loopback; 0 takes a free one")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt):
        asyncio.run(
            serve(
                arguments.to,
                arguments.milliseconds / 1000,
                arguments.port,
                lambda port: print(f"http://127.0.0.1:{port}", flush=True),
            )
        )


if __name__ == "__main__":
    main()
