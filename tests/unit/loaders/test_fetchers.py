"""The fetchers on samples in memory: what they deliver must not depend on how they fetch."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.loaders import fetchers
from chiops.loaders.config import ArmConfig
from chiops.loaders.fetchers.window import share, through
from chiops.loaders.layers import Watch
from chiops.loaders.protocol import ArmError
from chiops.loaders.samples import epoch_order
from chiops.loaders.source import Item


class Memory:
    """A source whose later samples are ready before the earlier ones, if several are asked for at once."""

    asynchronous = True

    def __init__(self, count: int, fails: int = -1) -> None:
        self._count, self._fails = count, fails
        self._lock = threading.Lock()
        self.under_way = self.most_under_way = 0

    def __len__(self) -> int:
        return self._count

    def open(self) -> Memory:
        return self

    def _item(self, place: int) -> Item:
        if place == self._fails:
            raise ArmError(f"the sample {place} cannot be read")
        return str(place), bytes([place % 256]), place

    def read(self, place: int) -> Item:
        with self._lock:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return self._item(place)
        finally:
            with self._lock:
                self.under_way -= 1

    async def read_async(self, place: int) -> Item:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        for _ in range(self._count - place):
            await asyncio.sleep(0)
        self.under_way -= 1
        return self._item(place)


def batched(order: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (order[begin : begin + size] for begin in range(0, len(order), size))


def arm(**wanted: object) -> ArmConfig:
    return ArmConfig(format="object", dataset="x", **wanted)  # type: ignore[arg-type]


@given(
    st.integers(0, 60), st.integers(1, 9), st.integers(1, 20), st.sampled_from(["vanilla", "threaded", "asyncio"]),
    st.integers(0, 3),
)  # fmt: skip
def test_a_batch_is_the_same_however_it_is_fetched(
    count: int, size: int, flight: int, fetcher: str, epoch: int
) -> None:
    source, watch = Memory(count), Watch()
    order = epoch_order(count, "random", 42, epoch)
    dataset = fetchers.dataset(arm(fetcher=fetcher, fetchers=flight), source, order, watch)
    for places in batched(order, size):
        assert [label for _, _, label in dataset.__getitems__(places)] == list(places)
    assert source.most_under_way <= (1 if fetcher == "vanilla" else flight)
    assert watch.batch_done()[0].calls == count


@given(st.integers(0, 60), st.integers(1, 9), st.integers(1, 20), st.integers(1, 5))
def test_workers_that_stream_make_the_batches_that_a_sampler_would_deal_out(
    count: int, size: int, flight: int, workers: int
) -> None:
    order = epoch_order(count, "random", 7, 0)
    made = [
        list(
            batched(
                [item[2] for item in through(Memory(count), share(order, size, who, workers), flight, Watch())], size
            )
        )
        for who in range(workers)
    ]
    for number, expected in enumerate(batched(order, size)):
        assert made[number % workers][number // workers] == list(expected)
    assert sum(map(len, made)) == -(-count // size)


def test_a_window_keeps_as_many_under_way_as_it_may_and_no_more() -> None:
    gate, begun = threading.Semaphore(0), threading.Semaphore(0)

    class Slow(Memory):
        def _item(self, place: int) -> Item:
            begun.release()
            gate.acquire()
            return super()._item(place)

    source = Slow(20)
    gate_keeper = threading.Thread(
        target=lambda: ([begun.acquire() for _ in range(8)], [gate.release() for _ in range(20)])
    )
    gate_keeper.start()
    assert len(list(through(source, range(20), 8, Watch()))) == 20
    gate_keeper.join()
    assert source.most_under_way == 8, "across batches, since there are none here"


@pytest.mark.parametrize("fetcher", ["vanilla", "threaded", "asyncio"])
def test_one_failed_sample_fails_its_batch_by_name(fetcher: str) -> None:
    dataset = fetchers.dataset(arm(fetcher=fetcher), Memory(10, fails=4), range(10), Watch())
    with pytest.raises(ArmError, match="the sample 4 cannot be read"):
        dataset.__getitems__(range(8))


def test_a_failed_sample_in_a_window_fails_in_its_turn() -> None:
    items = through(Memory(10, fails=4), range(10), 8, Watch())
    assert [next(items)[2] for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(ArmError, match="the sample 4 cannot be read"):
        next(items)


def test_asyncio_means_a_client_that_is_asynchronous() -> None:
    class Files(Memory):
        asynchronous = False

    with pytest.raises(ArmError) as caught:
        fetchers.dataset(arm(fetcher="asyncio", client="boto3"), Files(1), [0], Watch())
    assert caught.value.what == "the fetcher asyncio needs an asynchronous client, and boto3 is none"
    assert "obstore" in caught.value.todo


def test_each_pass_has_an_order_of_its_own_and_always_the_same() -> None:
    orders = [epoch_order(50, "random", 42, epoch) for epoch in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[1]) == epoch_order(50, "serial", 42, 1) == list(range(50))


def test_the_window_is_64_and_16_within_a_batch_unless_told() -> None:
    found = [arm(fetcher=fetcher).in_flight for fetcher in ("vanilla", "threaded", "asyncio", "stream")]
    assert found == [1, 16, 16, 64]
    assert arm(fetcher="stream", fetchers=8).in_flight == 8
    assert arm(fetcher="vanilla", fetchers=8).in_flight == 1
