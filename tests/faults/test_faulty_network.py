"""A network that loses, delays, cuts and repeats, before a real S3 server: what is said to be there is, whole; the rest is told."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest

from chiops.cloud.base import S3Access, S3Endpoint
from chiops.errors import ChiopsError, Conflict, NotFound
from chiops.s3 import client as s3
from chiops.s3.purge import purge
from tests.support.faulty_proxy import Fault, Proxy, by_script, by_seed, serving
from tests.support.weed import S3Server, serve

pytestmark = pytest.mark.timeout(1800)

SEEDS = 40
RATES = (0.05, 0.15, 0.3)
TRIES = 8
AT_ONCE = 12
OBJECTS = 6
LONGEST_S = 120
"""No single step takes longer, whatever happens: five attempts, some seconds between them."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with serve(tmp_path_factory.mktemp("weed")) as found:
        yield found


def test_buckets_are_made_filled_emptied_and_deleted(server: S3Server, told: Callable[[str], None]) -> None:
    server.client().create_bucket(Bucket="bystander")
    server.client().put_object(Bucket="bystander", Key="theirs", Body=b"theirs")
    figures = rounds(server, range(SEEDS))
    body = server.client().get_object(Bucket="bystander", Key="theirs")["Body"].read()
    assert body == b"theirs"
    faults = sum(figures[fault] for fault in Fault)
    told(
        f"faulty network before S3: {SEEDS} seeds, {figures['requests']} requests, {faults} faults, "
        f"{figures['errors']} steps ended in a sentence and were done again"
    )
    assert all(figures[fault] for fault in Fault), "every kind of fault happened"


def rounds(server: S3Server, seeds: range) -> Counter[str]:
    """One round for each seed, many at once, since most of their time is waiting; the figures of all."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sum(pool.map(lambda seed: _round(server, seed), seeds), Counter())


def _round(server: S3Server, seed: int) -> Counter[str]:
    dice, name = random.Random(seed), f"faulty-{seed}"
    content = {f"folder/{number} ü.jpg": dice.randbytes(dice.randrange(20_000)) for number in range(OBJECTS)}
    errors = Counter[str]()
    with serving(by_seed(seed, dice.choice(RATES)), upstream=server.url) as proxy:
        access = _access(name, proxy, server)
        client, direct = s3.client(access), server.client()

        def make() -> None:
            try:
                client.create_bucket(Bucket=name)
            except client.exceptions.ClientError as error:
                # An answer was lost before, so it is there; the site asks after it just so.
                if not isinstance(s3.from_client_error("", error), Conflict):
                    raise

        def put(key: str) -> None:
            client.put_object(Bucket=name, Key=key, Body=content[key])

        def drop() -> None:
            client.delete_bucket(Bucket=name)

        errors += _until_done(make)
        for key in content:
            errors += _until_done(lambda key=key: put(key))
        for key, body in content.items():
            assert direct.get_object(Bucket=name, Key=key)["Body"].read() == body, f"seed {seed}: {key}"
        errors += _until_done(lambda: purge(access))
        assert "Contents" not in direct.list_objects_v2(Bucket=name), f"seed {seed}: purged, and not empty"
        errors += _until_done(drop, NotFound)
        names = {bucket["Name"] for bucket in direct.list_buckets()["Buckets"]}
        assert name not in names, f"seed {seed}: deleted, and still there"
        return proxy.happened + errors


def _access(bucket: str, proxy: Proxy, server: S3Server) -> S3Access:
    return S3Access(bucket=bucket, endpoint=S3Endpoint(proxy.url), access=server.access, secret=server.secret)


def _until_done(step: Callable[[], object], *fine: type[ChiopsError]) -> Counter[str]:
    """Take a step until it ends well; each time that it does not, an error of ours says so, in time and in one line."""
    errors = Counter[str]()
    for _ in range(TRIES):
        began, told = time.monotonic(), ""
        try:
            with s3.translated("that"):
                step()
            return errors
        except fine:
            return errors
        except ChiopsError as error:
            told = error.sentence()
        assert time.monotonic() - began < LONGEST_S
        assert told
        assert "\n" not in told
        errors["errors"] += 1
    raise AssertionError(f"not done after {TRIES} tries")


@pytest.mark.parametrize("fault", list(Fault))
def test_one_fault_is_got_over_or_told(server: S3Server, fault: Fault) -> None:
    """Each kind by itself, at the first request."""
    with serving(by_script(fault), upstream=server.url) as proxy:
        client = s3.client(_access("", proxy, server))
        expected = pytest.raises(ChiopsError) if fault is Fault.ONCE_401 else nullcontext()
        with expected, s3.translated("Listing the buckets"):
            client.list_buckets()
        assert proxy.happened[fault] == 1
