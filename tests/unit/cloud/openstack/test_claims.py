"""Whose bucket it is when requests meet, are repeated or lost: one maker has it, with its own mark, and no other trace is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chiops.cloud.base import Mark
from chiops.cloud.openstack import claims as claiming
from chiops.cloud.openstack import objects
from chiops.cloud.openstack.claims import META, Claim, claims, maker, metadata
from chiops.cloud.openstack.cloud import OpenStackCloud
from chiops.errors import CloudError, Conflict, Timeout
from tests.unit.cloud.openstack.stub import PATHS, USER, Answer, Stub

MARK = Mark("lab", USER)
PATH = f"{PATHS['object-store']}/bucket"


class Container:
    """One container as Swift and Ceph's gateway keep it; ``before_put`` and ``after_put`` happen at the service itself."""

    def __init__(self, stub: Stub) -> None:
        self.there = False
        self.objects = 0
        self.metadata: dict[str, str] = {}
        self.before_put: Callable[[], object] = lambda: None
        self.after_put: Callable[[Answer], Answer] = lambda answer: answer
        stub.on("HEAD", PATH, self.head)
        stub.on("PUT", PATH, self.answer_put)
        stub.on("POST", PATH, self.post)

    def head(self, _: dict[str, Any]) -> Answer:
        if not self.there:
            return Answer(404)
        told = {META + name.title(): value for name, value in self.metadata.items()}
        return Answer(
            204, headers=told | {"X-Container-Object-Count": str(self.objects), "X-Container-Bytes-Used": "0"}
        )

    def answer_put(self, request: dict[str, Any]) -> Answer:
        self.before_put()
        return self.after_put(self.put(request["headers"]))

    def put(self, headers: dict[str, str]) -> Answer:
        status, self.there = 202 if self.there else 201, True
        self.metadata |= metadata(headers)
        return Answer(status)

    def post(self, request: dict[str, Any]) -> Answer:
        removed = "x-remove-container-meta-"
        for name in request["headers"]:
            self.metadata.pop(name.lower().removeprefix(removed), None) if name.lower().startswith(removed) else None
        self.metadata |= metadata(request["headers"])
        return Answer(204)


@pytest.fixture
def container(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> Container:
    for module in (objects, claiming):
        monkeypatch.setattr(module, "GIVING_WAY_S", (0.0,) * 5)
    return Container(stub)


def failing(stub: Stub, method: str, *answers: Answer) -> None:
    """The next requests of that method are answered so instead."""
    handler, left = stub.handlers[method, PATH], [*answers]
    stub.on(method, PATH, lambda asked: left.pop(0) if left else handler(asked))


def test_one_request_has_it_signs_it_and_looks_no_further(
    stub: Stub, cloud: OpenStackCloud, container: Container
) -> None:
    assert cloud.objects.create("bucket", mark=MARK).mark == MARK
    assert cloud.objects.get("bucket").mark == MARK
    assert (stub.count("PUT", PATH), stub.count("POST", PATH), stub.count("HEAD", PATH)) == (1, 1, 2)


def test_a_request_that_the_network_carried_out_twice_is_ours(cloud: OpenStackCloud, container: Container) -> None:
    twice = container.put
    container.put = lambda headers: (twice(headers), twice(headers))[1]  # type: ignore[method-assign]
    assert cloud.objects.create("bucket", mark=MARK).mark == MARK
    assert cloud.objects.get("bucket").mark == MARK


def test_an_answer_that_is_lost_is_ours_if_the_claim_stands(cloud: OpenStackCloud, container: Container) -> None:
    container.after_put = lambda _: Answer(lost=True)
    assert cloud.objects.create("bucket", mark=MARK).mark == MARK


def test_a_request_that_never_arrived_is_no_bucket(stub: Stub, cloud: OpenStackCloud, container: Container) -> None:
    stub.on("PUT", PATH, Answer(lost=True))
    with pytest.raises(Timeout, match="may or may not"):
        cloud.objects.create("bucket", mark=MARK)
    assert not container.there


@pytest.mark.parametrize("lost", [False, True])
def test_who_comes_second_gives_way_to_anothers_claim(
    stub: Stub, cloud: OpenStackCloud, container: Container, lost: bool
) -> None:
    rival = Claim(Mark("theirs", "mate"))
    container.before_put = lambda: container.put(rival.headers())
    container.after_put = lambda answer: Answer(lost=True) if lost else answer
    with pytest.raises(Conflict, match="just made by somebody else"):
        cloud.objects.create("bucket", mark=MARK)
    assert cloud.objects.get("bucket").mark == rival.mark
    assert list(claims(container.metadata)) == [rival.word]
    stub.on("GET", PATHS["object-store"], Answer(200, [{"name": "bucket", "count": 1, "bytes": 2}]))
    assert [bucket.mark for bucket in cloud.objects.list()] == [None], "and it is not remembered as ours"


@pytest.mark.parametrize("failures", [1, 100])
def test_while_two_claims_stand_and_nobody_signed_it_is_nobodys(
    stub: Stub, cloud: OpenStackCloud, container: Container, failures: int
) -> None:
    """A look that fails is taken again; where all do, ours stays beside the other's, and neither may purge it."""
    rival, left = Claim(Mark("theirs", "mate")), [Answer(500)] * failures
    container.before_put = lambda: container.put(rival.headers())
    stub.on("HEAD", PATH, lambda asked: left.pop() if container.there and left else container.head(asked))
    with pytest.raises(CloudError) as told:
        cloud.objects.create("bucket", mark=MARK)
    assert isinstance(told.value, Conflict) == (failures == 1)
    left.clear()
    assert cloud.objects.get("bucket").mark == (rival.mark if failures == 1 else None)


@pytest.mark.parametrize("failures", [1, 4, 100])
def test_the_claim_is_taken_back_again_and_again(
    stub: Stub, cloud: OpenStackCloud, container: Container, failures: int
) -> None:
    rival = Claim(Mark("theirs", "mate"))
    container.before_put = lambda: container.put(rival.headers())
    failing(stub, "POST", *[Answer(503)] * failures)
    with pytest.raises(CloudError) as told:
        cloud.objects.create("bucket", mark=MARK)
    assert isinstance(told.value, Conflict) == (failures < 100)
    assert cloud.objects.get("bucket").mark == (rival.mark if failures < 100 else None)


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("answers", [[], [Answer(503), Answer(409)]], ids=["at once", "after failures"])
def test_one_that_came_second_and_ended_before_it_gave_way_takes_nothing(
    stub: Stub, cloud: OpenStackCloud, container: Container, twice: bool, answers: list[Answer]
) -> None:
    """Its mark and its claim stay at the bucket. The network may have carried out our request twice."""
    put, rival = container.put, Claim(Mark("theirs", "mate"))
    if twice:
        container.put = lambda headers: (put(headers), put(headers))[1]  # type: ignore[method-assign]
    else:
        container.after_put = lambda answer: (put(rival.headers()), answer)[1]
    failing(stub, "POST", *answers)
    cloud.objects.create("bucket", mark=MARK)
    put(rival.headers())
    assert len(claims(container.metadata)) == 2
    assert Mark.from_metadata(container.metadata) == rival.mark
    assert cloud.objects.get("bucket").mark == MARK
    stub.on("GET", PATHS["object-store"], Answer(200, [{"name": "bucket", "count": 1, "bytes": 2}]))
    assert [bucket.mark for bucket in cloud.objects.list()] == [MARK]


def test_the_signature_decides_also_where_the_losers_left_only_a_mark(
    cloud: OpenStackCloud, container: Container
) -> None:
    """Of two that came second each saw the other's claim, took its own back, and ended before it put our mark back."""
    one, two = Claim(Mark("one", "mate")), Claim(Mark("two", "mate"))
    cloud.objects.create("bucket", mark=MARK)
    for rival in (two, one):
        container.put(rival.headers())
    for rival in (one, two):
        for key in [key for key in container.metadata if rival.word in key]:
            del container.metadata[key]
    assert Mark.from_metadata(container.metadata) == one.mark
    assert cloud.objects.get("bucket").mark == MARK


@pytest.mark.parametrize("status", [403, 503])
def test_a_signature_that_can_not_be_written_costs_nobody_the_bucket(
    stub: Stub, cloud: OpenStackCloud, container: Container, status: int
) -> None:
    stub.on("POST", PATH, Answer(status))
    assert cloud.objects.create("bucket", mark=MARK).mark == MARK
    assert cloud.objects.get("bucket").mark == MARK


def test_who_gives_way_puts_back_the_mark_of_whoever_signed(cloud: OpenStackCloud, container: Container) -> None:
    """Another's claim is there, too, whose maker ended."""
    first, dead = Claim(Mark("theirs", "mate")), Claim(Mark("dead", "mate"))

    def theirs() -> None:
        container.put(first.headers() | first.signature())
        container.put(dead.headers())

    container.before_put = theirs
    with pytest.raises(Conflict):
        cloud.objects.create("bucket", mark=MARK)
    assert claims(container.metadata).keys() == {first.word, dead.word}
    assert Mark.from_metadata(container.metadata) == maker(container.metadata) == first.mark


def test_one_whose_claim_ceph_lost_has_it_by_its_signature(cloud: OpenStackCloud, container: Container) -> None:
    first = Claim(Mark("theirs", "mate"))
    container.before_put = lambda: container.put(first.signature())
    with pytest.raises(Conflict):
        cloud.objects.create("bucket", mark=MARK)
    assert cloud.objects.get("bucket").mark == first.mark
    assert claims(container.metadata) == {}


def test_a_name_that_another_project_has_is_taken(stub: Stub, cloud: OpenStackCloud) -> None:
    stub.on("HEAD", PATH, Answer(403))
    with pytest.raises(Conflict, match="another project may have that name"):
        cloud.objects.create("bucket", mark=MARK)
    assert stub.count("PUT", PATH) == 0


def test_what_holds_something_is_not_ours_even_without_a_claim(cloud: OpenStackCloud, container: Container) -> None:
    def theirs() -> None:
        container.put({META + "Colour": "red"})
        container.objects = 1

    container.before_put = theirs
    with pytest.raises(Conflict):
        cloud.objects.create("bucket", mark=MARK)
    assert container.metadata == {"colour": "red"}
