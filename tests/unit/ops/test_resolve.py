"""Names and ids, as people type them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.errors import Ambiguous, NotFound
from chiops.ops.resolve import one


@dataclass(frozen=True)
class Thing:
    id: str
    name: str
    live: bool = True


def test_an_id_beats_a_name() -> None:
    assert one([Thing("1", "2"), Thing("2", "x")], "2", "thing", "here").name == "x"


def test_several_of_a_name_are_listed_with_their_ids() -> None:
    things = [Thing("17", "a"), Thing("18", "a"), Thing("19", "b")]
    with pytest.raises(Ambiguous) as caught:
        one(things, "a", "thing", "here", describe=lambda thing: f"number {thing.id}")
    assert caught.value.sentence() == ("2 things at here are named 'a'. Use an id: 17 (number 17), 18 (number 18).")


def test_what_lives_beats_what_has_ended() -> None:
    things = [Thing("1", "a", live=False), Thing("2", "a"), Thing("3", "a", live=False)]
    assert one(things, "a", "thing", "here", prefer=lambda thing: thing.live).id == "2"
    with pytest.raises(Ambiguous):
        one([things[0], things[2]], "a", "thing", "here", prefer=lambda thing: thing.live)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(NotFound, match="Did you mean 'lease-block'"):
        one([Thing("1", "lease-block"), Thing("2", "zzz")], "lease-blok", "thing", "here")


def test_a_long_list_is_not_recited() -> None:
    with pytest.raises(NotFound) as caught:
        one([Thing(str(n), f"image-{n}") for n in range(100)], "q", "image", "here")
    assert "image-7" not in caught.value.sentence()


def test_nothing_yet_is_said_plainly() -> None:
    with pytest.raises(NotFound, match="There are no key pairs yet"):
        one([], "x", "key pair", "here")


@given(st.lists(st.tuples(st.text(), st.text()), max_size=6), st.text())
def test_what_is_found_bears_the_word(pairs: list[tuple[str, str]], word: str) -> None:
    things = [Thing(id_, name) for id_, name in pairs]
    try:
        found = one(things, word, "thing", "here")
    except Ambiguous:
        assert [thing.name for thing in things].count(word) > 1
    except NotFound:
        assert all(word not in (thing.id, thing.name) for thing in things)
    else:
        assert word in (found.id, found.name)
