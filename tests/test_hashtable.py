import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import hashtable as module
from pipeline.hashtable import HashTable, find_distinct

HASHES = st.lists(st.integers(0, 2**64 - 1) | st.integers(1, 40), unique=True, max_size=200)


@given(HASHES, HASHES)
def test_it_finds_what_a_dictionary_finds(known: list[int], asked: list[int]) -> None:
    table = HashTable(np.array(known, dtype=np.uint64))
    places = {number: place for place, number in enumerate(known)}
    both = [*asked, *known, 0]
    expected = [places.get(number, -1) for number in both]
    assert table.find(np.array(both, dtype=np.uint64)).tolist() == expected
    at, found = table.find_known(np.array(both, dtype=np.uint64))
    assert list(zip(at.tolist(), found.tolist(), strict=True)) == [
        (i, place) for i, place in enumerate(expected) if place >= 0
    ]


def test_many_neighbors_all_find_room() -> None:
    hashes = np.arange(1, 50_001, dtype=np.uint64)
    np.testing.assert_array_equal(HashTable(hashes).find(hashes[::-1]), np.arange(50_000)[::-1])


def test_hashes_of_one_bucket_each_get_a_slot() -> None:
    inverse = pow(int(module._MIX), -1, 1 << 64)
    # Their products begin with the same bits, by which a bucket is chosen.
    alike = np.array([(5 << 59 | i) * inverse % 2**64 for i in range(40)], dtype=np.uint64)
    assert HashTable(alike).find(alike).tolist() == [*range(40)]


def test_a_table_that_a_bucket_finds_no_move_in_is_made_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64 - 1, 1000, dtype=np.uint64)
    usual = HashTable(hashes)
    monkeypatch.setattr(module, "_MOVES", module._MOVES[:5])
    larger = HashTable(hashes)
    assert len(larger._slots) > len(usual._slots)
    np.testing.assert_array_equal(larger.find(hashes), np.arange(1000))


def test_a_hash_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        HashTable(np.array([5, 5], dtype=np.uint64))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9).map(lambda move: (move << 61) % 2**64), max_size=300),
    st.integers(1, 400),
)
def test_distinct_hashes_are_told_by_their_last_places(
    monkeypatch: pytest.MonkeyPatch, hashes: list[int], piece: int
) -> None:
    monkeypatch.setattr(module, "_PIECE", piece)
    last, numbers = find_distinct(np.array(hashes, dtype=np.uint64))
    places = {number: place for place, number in enumerate(hashes)}
    assert last.tolist() == sorted(places.values())
    assert last.take(numbers).tolist() == [places[number] for number in hashes]
