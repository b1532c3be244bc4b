"""Marks survive the way through a name, a description, a key's comment."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiops.cloud.base import Mark
from chiops.cloud.openstack import marks
from chiops.cloud.openstack.record import Record
from chiops.errors import InvalidRequest

words = st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=20)
made = st.builds(Mark, words, words)


@given(st.text(string.printable, max_size=30).map(str.strip), made)
def test_leases(name: str, mark: Mark) -> None:
    assert marks.from_lease(marks.lease_name(name, mark), mark.owner) == (name, mark)


@given(st.text(max_size=80).filter(lambda text: " chiops-lab=" not in text))
def test_a_lease_without_our_words_is_not_ours(name: str) -> None:
    assert marks.from_lease(name, "me") == (name, None)


def test_a_lease_is_its_users_whatever_its_name_says() -> None:
    mine = Mark("lab", "me")
    assert marks.from_lease(marks.lease_name("n", mine), "somebody-else")[1] != mine


def test_a_lease_name_that_blazar_would_cut_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="too long"):
        marks.lease_name("n" * 70, Mark("lab", "me"))


@given(st.lists(words.filter(lambda word: not word.startswith("chiops-"))), made)
def test_descriptions(text: list[str], mark: Mark) -> None:
    stored = marks.description(" ".join(text)[:100], mark, "abc")
    assert Mark.from_text(stored) == mark
    assert marks.plain(stored) == " ".join(" ".join(text)[:100].split())


@given(made)
def test_public_keys(mark: Mark) -> None:
    stored = marks.public_key("ssh-ed25519 AAAA me@here chiops-lab=older", mark)
    assert stored.startswith("ssh-ed25519 AAAA me@here ")
    assert Mark.from_text(stored) == mark


@pytest.mark.parametrize("key", ["", "ssh-ed25519", "   "])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest):
        marks.public_key(key, Mark("lab", "me"))


def test_the_record_is_private_and_survives() -> None:
    mark = Mark("lab", "me")
    record = Record("buckets", "p/../1", "KVM@TACC")
    record.put("a/b", mark)
    record.put("c", mark)
    again = Record("buckets", "p/../1", "KVM@TACC")
    assert again.all() == {"a/b": mark, "c": mark}
    assert Record("buckets", "p/../1", "CHI@TACC").all() == {}
    (file, *_) = again._folder.iterdir()
    assert file.stat().st_mode & 0o077 == 0
    again.drop("a/b")
    again.drop("never there")
    assert record.all() == {"c": mark}
