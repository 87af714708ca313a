from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import hashtable as module
from pipeline.hashtable import HashFilter, HashTable, count_distinct

HASHES = st.lists(st.integers(0, 2**64 - 1) | st.integers(1, 40), unique=True, max_size=200)


@given(HASHES, HASHES)
def test_it_finds_what_a_dictionary_finds(known: list[int], asked: list[int]) -> None:
    table = HashTable(np.array(known, dtype=np.uint64))
    places = {number: place for place, number in enumerate(known)}
    both = [*asked, *known]
    assert table.find(np.array(both, dtype=np.uint64)).tolist() == [places.get(number, -1) for number in both]


def test_many_neighbors_all_find_room() -> None:
    hashes = np.arange(1, 50_001, dtype=np.uint64)
    np.testing.assert_array_equal(HashTable(hashes).find(hashes[::-1]), np.arange(50_000)[::-1])


def test_hashes_that_a_small_table_would_take_for_one() -> None:
    inverse = pow(int(module._FIRST), -1, 1 << 64)
    # Their products differ in one bit, below those that a table of eight slots looks at.
    alike = np.array([product * inverse % 2**64 for product in (5 << 59, 5 << 59 | 1 << 27)], dtype=np.uint64)
    assert HashTable(alike).find(alike).tolist() == [0, 1]


def test_a_hash_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        HashTable(np.array([5, 5], dtype=np.uint64))


@given(st.lists(st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1), max_size=200))
def test_counting_tells_what_a_counter_tells(keys: list[int]) -> None:
    places, counts = count_distinct(np.array(keys, dtype=np.int64))
    assert places.tolist() == sorted(len(keys) - 1 - keys[::-1].index(key) for key in set(keys))
    assert dict(zip([keys[place] for place in places.tolist()], counts.tolist(), strict=True)) == Counter(keys)


def test_keys_made_for_one_slot_are_counted_without_a_round_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    inverse = pow(int(module._FIRST), -1, 1 << 64)
    keys = np.array([i * inverse % 2**64 for i in range(1000)], dtype=np.uint64)  # their products begin with zeros
    unique: Any = np.unique
    sizes: list[int] = []

    def watch(some: np.ndarray, **options: bool) -> object:
        sizes.append(len(some))
        return unique(some, **options)

    monkeypatch.setattr(np, "unique", watch)
    places, counts = count_distinct(np.concatenate((keys, keys)))
    assert places.tolist() == [*range(1000, 2000)]
    assert set(counts.tolist()) == {2}
    assert sizes == [2 * (1000 - 1 - module._TRIES)]


@given(st.sets(st.integers(0, 2**64 - 1), max_size=200))
def test_a_filter_denies_none_of_its_own_and_most_others(own: set[int]) -> None:
    hashes = np.array(sorted(own), dtype=np.uint64)
    some = HashFilter(hashes)
    assert some.may_hold(hashes).all()
    others = np.setdiff1d(np.random.default_rng(0).integers(0, 2**64 - 1, 1000, dtype=np.uint64), hashes)
    assert some.may_hold(others).mean() < 0.25
