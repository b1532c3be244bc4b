"""The proxy's delay, on a clock that the tests move, and the proxy itself without any delay."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from benchmarks.latency import DelayLine, serve


class Clock:
    """A clock with timers, moved by hand."""

    def __init__(self) -> None:
        self.time = 0.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order: Iterator[int] = count()

    def call_at(self, when: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (when, next(self._order), action))

    def move_to(self, time: float) -> None:
        while self._timers and self._timers[0][0] <= time:
            self.time, _, action = heapq.heappop(self._timers)
            action()
        self.time = time


def test_pieces_come_late_in_order_and_all_by_the_same_time() -> None:
    clock, out = Clock(), []
    line = DelayLine(0.04, lambda: clock.time, clock.call_at, lambda piece: out.append((round(clock.time, 3), piece)))
    line.put(b"a")
    line.put(b"b")
    clock.move_to(0.01)
    line.put(b"c")
    line.after(lambda: out.append((round(clock.time, 3), b"end")))
    clock.move_to(0.039)
    assert out == []
    clock.move_to(1)
    # Three requests at once cost the delay once, not three times.
    assert out == [(0.04, b"a"), (0.04, b"b"), (0.05, b"c"), (0.05, b"end")]


def test_without_a_delay_nothing_waits_for_a_timer() -> None:
    out: list[bytes] = []
    DelayLine(0, lambda: 0.0, lambda *_: pytest.fail("a timer"), out.append).put(b"a")
    assert out == [b"a"]


@pytest.mark.parametrize("size", [1, 3_000_000])
def test_bytes_pass_both_ways_whole_and_an_end_is_an_end(size: int) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(size))
        await writer.drain()
        writer.close()

    async def talk() -> bytes:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        target = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        proxy = asyncio.create_task(serve(target, 0, 0, port.set_result))
        reader, writer = await asyncio.open_connection("127.0.0.1", await port)
        writer.write(b"x" * size)
        answer = await reader.read()
        writer.close()
        proxy.cancel()
        server.close()
        return answer

    assert asyncio.run(asyncio.wait_for(talk(), 30)) == b"x" * size


def test_a_target_that_is_not_there_closes_the_connection() -> None:
    async def talk() -> bytes:
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        proxy = asyncio.create_task(serve("http://127.0.0.1:1", 0, 0, port.set_result))
        reader, writer = await asyncio.open_connection("127.0.0.1", await port)
        answer = await reader.read()
        writer.close()
        proxy.cancel()
        return answer

    assert asyncio.run(asyncio.wait_for(talk(), 30)) == b""
