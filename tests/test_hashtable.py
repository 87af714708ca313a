import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.hashtable import HashTable

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


def test_a_hash_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        HashTable(np.array([5, 5], dtype=np.uint64))
