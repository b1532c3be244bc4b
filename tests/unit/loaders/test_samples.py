from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from chiops.etl.inventory import storage_rank
from chiops.loaders.samples import Tally, as_text, canonical_order, combine, digest

contents = st.lists(st.tuples(st.binary(max_size=40), st.integers(min_value=0, max_value=255)), max_size=20)


@given(contents, st.randoms(use_true_random=False))
def test_the_content_hash_does_not_depend_on_the_order(samples: list[tuple[bytes, int]], dice: object) -> None:
    shuffled = list(samples)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert combine(digest(*one) for one in samples) == combine(digest(*one) for one in shuffled)


@given(contents.filter(bool))
def test_a_sample_lost_doubled_or_relabelled_changes_it(samples: list[tuple[bytes, int]]) -> None:
    whole = combine(digest(*one) for one in samples)
    (jpeg, label), *others = samples
    assert combine(digest(*one) for one in others) != whole
    assert combine(digest(*one) for one in [*samples, samples[0], samples[0]]) != whole
    assert combine(digest(*one) for one in [(jpeg, (label + 1) % 256), *others]) != whole


@given(contents, st.integers(min_value=1, max_value=5))
def test_batches_add_up_to_the_same_hash_as_the_whole(samples: list[tuple[bytes, int]], size: int) -> None:
    digests = [digest(*one) for one in samples]
    tallies = [
        Tally(len(part), 0, combine(part)) for part in (digests[at : at + size] for at in range(0, len(digests), size))
    ]
    assert Tally.total(tallies) == Tally(len(samples), 0, combine(digests))


def test_it_is_the_hash_that_data_prepare_reports_of_a_split() -> None:
    samples = [(b"\xff\xd8one", 0), (b"\xff\xd8two", 10)]
    expected = sum(int.from_bytes(hashlib.sha256(bytes([label]) + jpeg).digest(), "big") for jpeg, label in samples)
    assert as_text(combine(digest(*one) for one in samples)) == f"{expected % 2**256:064x}"


@given(st.sets(st.tuples(st.integers(0, 10), st.integers(0, 999)), max_size=30))
def test_the_first_samples_are_the_same_as_shards_are_written_in(numbers: set[tuple[int, int]]) -> None:
    keys = [f"class_{label:02d}/{label}_{number}.jpg" for label, number in numbers]
    assert canonical_order(keys) == sorted(keys, key=storage_rank)
