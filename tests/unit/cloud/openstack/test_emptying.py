"""Emptying a container without a key to S3."""

from __future__ import annotations

from itertools import count
from typing import Any
from urllib.parse import parse_qs, quote, unquote

import pytest

from chiops.cloud.openstack.cloud import OpenStackCloud
from chiops.cloud.openstack.emptying import PAUSE_S, empty
from chiops.errors import Auth, CloudError, DataError, NotFound, Transient
from chiops.s3.deletion import ATTEMPTS
from tests.unit.cloud.openstack.stub import PATHS, Answer, Stub

ACCOUNT = PATHS["object-store"]


def nothing_more(_: object) -> None:
    """No pause, and no report."""


def holding(stub: Stub, *names: str, lag: int = 0, page: int = 1000, stuck: str = "", **answer: Any) -> list[str]:
    """A container that holds these; its listing shows what is gone for ``lag`` more looks, and ``stuck`` never goes."""
    held, seen, lagging = sorted(names), sorted(names), [lag]

    def listed(request: dict[str, Any]) -> Answer:
        if lagging[0] and not held:
            lagging[0] -= 1
        elif not lagging[0]:
            seen[:] = held
        after = parse_qs(request["query"]).get("marker", [""])[0]
        return Answer(200, [{"name": name, "bytes": 10} for name in seen if name > after][:page])

    def deleted(request: dict[str, Any]) -> Answer:
        asked = [unquote(line).removeprefix("b/") for line in request["text"].splitlines()]
        gone = [name for name in asked if name in held and name not in stuck]
        kept = [name for name in asked if name in held and name in stuck]
        if not answer:
            held[:] = [name for name in held if name not in gone]
        told: dict[str, Any] = {"Number Deleted": len(gone), "Number Not Found": len(asked) - len(gone) - len(kept)}
        told["Errors"] = [[quote(f"/b/{name}"), "409 Conflict"] for name in kept]
        return Answer(200, {**told, **answer})

    stub.on("GET", f"{ACCOUNT}/b", listed)
    stub.on("POST", ACCOUNT, deleted)
    return held


def test_whatever_the_names_are(stub: Stub, cloud: OpenStackCloud) -> None:
    held = holding(stub, "a b", "ü/%41?#", "new\nline", "+")
    counts: list[int] = []
    assert empty(cloud._site, "b", counts.append) == (4, 40)
    assert (held, counts) == ([], [4])


def test_a_listing_that_lags_behind_is_waited_for(stub: Stub, cloud: OpenStackCloud) -> None:
    holding(stub, "a", lag=3)
    pauses: list[float] = []
    assert empty(cloud._site, "b", sleep=pauses.append) == (1, 10)
    assert 0 < len(pauses) <= 3


def test_one_that_never_comes_up_to_date_is_told(stub: Stub, cloud: OpenStackCloud) -> None:
    holding(stub, "a", lag=10**6)
    with pytest.raises(DataError, match="still lists"):
        empty(cloud._site, "b", sleep=nothing_more)


@pytest.mark.parametrize("page", [1, 2, 1000])
def test_what_would_not_go_holds_up_nothing_else_and_is_told(stub: Stub, cloud: OpenStackCloud, page: int) -> None:
    held = holding(stub, *"ab", "ü", *"cdefgh", stuck="aüc", page=page)
    with pytest.raises(DataError) as told:
        empty(cloud._site, "b")
    assert held == ["a", "c", "ü"]
    assert told.value.sentence() == (
        "The bucket b cannot be emptied: 6 objects (60 B) are gone, 3 would not go, such as 'a': 409 Conflict."
    )


def test_a_batch_that_is_refused_as_a_whole_is_told(stub: Stub, cloud: OpenStackCloud) -> None:
    holding(stub, "a", "b", **{"Number Deleted": 0, "Number Not Found": 0, "Response Status": "502 Bad Gateway"})
    with pytest.raises(DataError, match=r"0 objects .* are gone, 2 would not go, such as 'a': 502 Bad Gateway"):
        empty(cloud._site, "b")


def test_more_than_a_request_takes_goes_side_by_side(stub: Stub, cloud: OpenStackCloud) -> None:
    held = holding(stub, *(f"{number:04}" for number in range(730)), page=300)
    counts: list[int] = []
    assert empty(cloud._site, "b", counts.append) == (730, 7300)
    assert (held, counts[-1], counts) == ([], 730, sorted(counts))
    assert stub.count("POST", ACCOUNT) == 8, "three for each full page, two for the last of 130"


@pytest.mark.parametrize("status", [429, 498, 503])
def test_one_that_is_overloaded_is_asked_again_more_slowly(stub: Stub, cloud: OpenStackCloud, status: int) -> None:
    held = holding(stub, "a", "b")
    refusals, pauses = [Answer(status)] * 3, list[float]()
    deleted = stub.handlers["POST", ACCOUNT]
    stub.on("POST", ACCOUNT, lambda request: refusals.pop() if refusals else deleted(request))
    assert empty(cloud._site, "b", sleep=pauses.append) == (2, 20)
    assert (held, pauses) == ([], [0.5, 1.0, 2.0])


def test_one_that_stays_overloaded_is_told(stub: Stub, cloud: OpenStackCloud) -> None:
    holding(stub, "a")
    stub.on("POST", ACCOUNT, Answer(503))
    with pytest.raises(Transient):
        empty(cloud._site, "b", sleep=nothing_more)
    assert stub.count("POST", ACCOUNT) == ATTEMPTS


@pytest.mark.parametrize(
    "lost", [Answer(503), Answer(200, lost=True), Answer(200, {"Errors": []}, cut=True)], ids=["503", "closed", "cut"]
)
def test_what_went_counts_when_the_answer_is_lost(stub: Stub, cloud: OpenStackCloud, lost: Answer) -> None:
    held = holding(stub, "a", "b")
    deleted, answers = stub.handlers["POST", ACCOUNT], [lost]

    def once(request: dict[str, Any]) -> Answer:
        answer = deleted(request)
        return answers.pop() if answers else answer

    stub.on("POST", ACCOUNT, once)
    assert empty(cloud._site, "b", sleep=nothing_more) == (2, 20)
    assert held == []


def losing_every_second_answer(stub: Stub) -> None:
    """An overloaded store: what it says 503 to was carried out all the same."""
    deleted, calls = stub.handlers["POST", ACCOUNT], count()

    def overloaded(request: dict[str, Any]) -> Answer:
        answer = deleted(request)
        return answer if next(calls) % 2 else Answer(503)

    stub.on("POST", ACCOUNT, overloaded)


def test_what_a_lagging_listing_shows_again_counts_once_though_answers_are_lost(
    stub: Stub, cloud: OpenStackCloud
) -> None:
    held = holding(stub, "a", "b", lag=6)
    losing_every_second_answer(stub)
    counts, pauses = list[int](), list[float]()
    assert empty(cloud._site, "b", counts.append, sleep=pauses.append) == (2, 20)
    assert (held, counts) == ([], [2])
    assert pauses.count(PAUSE_S) == 3, "two looks a pass"


def test_what_comes_later_or_goes_later_counts_though_its_answer_is_lost(stub: Stub, cloud: OpenStackCloud) -> None:
    """Beside what the listing still shows: "a" went, "c" would not, then "b" was written."""
    written, held, looks, calls = {"a": 1, "c": 2}, {"a", "c"}, count(), count()

    def listed(request: dict[str, Any]) -> Answer:
        if "marker" in request["query"]:
            return Answer(200, [])
        if next(looks) == 1:
            written["b"] = 3
            held.add("b")
        shown = sorted(written.items()) if held else []
        times = {name: f"2026-01-01T00:00:0{second}.000000" for name, second in shown}
        return Answer(200, [{"name": name, "bytes": 10, "last_modified": time} for name, time in times.items()])

    def deleted(request: dict[str, Any]) -> Answer:
        call = next(calls)
        asked = {line.removeprefix("b/") for line in request["text"].splitlines()}
        gone = asked & held - ({"c"} if call == 0 else set())
        held.difference_update(gone)
        told = {"Number Deleted": len(gone), "Number Not Found": len(asked - gone - held)}
        errors = [[f"/b/{name}", "503 Busy"] for name in asked & held]
        return Answer(503) if call == 1 else Answer(200, told | {"Errors": errors})

    stub.on("GET", f"{ACCOUNT}/b", listed)
    stub.on("POST", ACCOUNT, deleted)
    assert empty(cloud._site, "b", sleep=nothing_more) == (3, 30)


def test_a_trickle_beside_what_a_lagging_listing_shows_again_is_no_flood(stub: Stub, cloud: OpenStackCloud) -> None:
    held, shown, late = holding(stub, *"abcdef"), [*"abcdef"], [["m", "n", "o"], ["x", "y"], ["z"], []]

    def lagging(request: dict[str, Any]) -> Answer:
        if "marker" in request["query"]:
            return Answer(200, [])
        if not held:
            held[:] = late.pop(0)
            shown.extend(held)
        return Answer(200, [{"name": name, "bytes": 10} for name in shown if held])

    stub.on("GET", f"{ACCOUNT}/b", lagging)
    assert empty(cloud._site, "b", sleep=nothing_more) == (12, 120)


def test_a_listing_that_breaks_off_each_time_is_a_sentence(stub: Stub, cloud: OpenStackCloud) -> None:
    holding(stub, "a", "b")
    stub.on("GET", f"{ACCOUNT}/b", Answer(200, [{"name": "a"}], cut=True))
    with pytest.raises(Transient, match="listing the objects of b at stub"):
        empty(cloud._site, "b", sleep=nothing_more)


def test_one_that_is_written_to_as_fast_as_it_goes_is_told(stub: Stub, cloud: OpenStackCloud) -> None:
    held, deleted = holding(stub, "a", "b"), stub.handlers["POST", ACCOUNT]

    def written(request: dict[str, Any]) -> Answer:
        answer = deleted(request)
        held.extend(["a", "b"])
        return answer

    stub.on("POST", ACCOUNT, written)
    with pytest.raises(DataError) as told:
        empty(cloud._site, "b", sleep=nothing_more)
    assert "something is still writing to it" in told.value.sentence()


def test_what_is_written_behind_a_listing_does_not_hold_it_up(stub: Stub, cloud: OpenStackCloud) -> None:
    held = holding(stub, *(f"{number:03}" for number in range(5)), page=3)
    listed, more = stub.handlers["GET", f"{ACCOUNT}/b"], [f"z{number:03}" for number in range(40)]

    def growing(request: dict[str, Any]) -> Answer:
        if more:
            held.append(more.pop(0))
        return listed(request)

    stub.on("GET", f"{ACCOUNT}/b", growing)
    assert empty(cloud._site, "b", sleep=nothing_more)[0] == 45
    assert held == []


@pytest.mark.parametrize(
    ("url", "headers", "faster"),
    [
        ("/v1/AUTH_p", {}, True),
        ("/v1/AUTH_p", {"X-Versions-Enabled": "False"}, True),
        ("/v1/AUTH_p", {"X-Versions-Enabled": "True"}, False),
        ("/v1/AUTH_p", {"X-Versions-Location": "old"}, False),
        ("/v1/AUTH_p", {"X-History-Location": "old"}, False),
        ("/swift/v1/AUTH_p", {}, False),
    ],
)
def test_swifts_own_way_is_the_faster_one_at_swift_where_no_versions_are_kept(
    stub: Stub, cloud: OpenStackCloud, monkeypatch: pytest.MonkeyPatch, url: str, headers: dict[str, str], faster: bool
) -> None:
    monkeypatch.setattr(cloud.objects, "_address", lambda: f"http://store{url}")
    stub.on("HEAD", f"{ACCOUNT}/b", Answer(204, headers=headers))
    assert cloud.objects.outpaces_s3("b") is faster


def test_a_swift_without_bulk_delete_says_so(stub: Stub, cloud: OpenStackCloud) -> None:
    holding(stub, "a")
    stub.on("POST", ACCOUNT, Answer(204))
    with pytest.raises(CloudError, match="knows no bulk-delete"):
        empty(cloud._site, "b")


def test_a_container_that_is_not_there_and_one_that_is_not_for_us(stub: Stub, cloud: OpenStackCloud) -> None:
    with pytest.raises(NotFound, match="no bucket b"):
        empty(cloud._site, "b")
    stub.on("GET", f"{ACCOUNT}/b", Answer(403))
    with pytest.raises(Auth):
        empty(cloud._site, "b")
