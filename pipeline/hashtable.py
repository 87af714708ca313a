"""A table from 64-bit hashes to places, asked and built in bulk: no loop over keys in Python."""

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Ints = NDArray[np.int64]

# Odd numbers with well-mixed bits, of the golden ratio and of SplitMix64: a product's high bits depend on all bits.
_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_ROUNDS = 200  # of evictions, before the table is made larger


class HashTable:
    """Where each of some distinct hashes stands; a cuckoo table (Pagh, Rodler, "Cuckoo hashing", 2004).

    Each hash lies in one of two slots, so that any is found, or known not to be there, after two looks.

    Parameters
    ----------
    hashes : ndarray of uint64, shape (n,)
        Distinct.

    Raises
    ------
    ValueError
        If a hash occurs twice.

    >>> HashTable(np.array([7, 70, 12], dtype=np.uint64)).find(np.array([12, 13, 7], dtype=np.uint64))
    array([ 2, -1,  0])
    """

    def __init__(self, hashes: Hashes) -> None:
        if len(np.unique(hashes)) < len(hashes):
            raise ValueError("a hash occurs twice")
        bits = max(1, (5 * len(hashes) // 2).bit_length())  # filled to two fifths at most: beyond one half it fails
        while (places := _settle(hashes, bits)) is None:
            bits += 1
        self._shift = np.uint64(64 - bits)
        self._places = places
        self._hashes = np.where(places < 0, np.uint64(0), hashes.take(places) if len(hashes) else np.uint64(0))

    def find(self, hashes: Hashes) -> Ints:
        """Give the place of each hash among those the table was made of; -1 for one that was not."""
        slots = _slots(hashes, _FIRST, self._shift)
        missed = (self._hashes.take(slots) != hashes).nonzero()[0]
        found = self._places.take(slots)
        others = hashes.take(missed)
        slots = _slots(others, _SECOND, self._shift)
        second = self._places.take(slots)
        second[self._hashes.take(slots) != others] = -1
        found[missed] = second
        return found


def _slots(hashes: Hashes, factor: np.uint64, shift: np.uint64) -> Ints:
    return ((hashes * factor) >> shift).view(np.int64)


def _settle(hashes: Hashes, bits: int) -> Ints | None:
    """Give each slot the number of the hash that lies in it, -1 where none does; None if they do not fit."""
    shift = np.uint64(64 - bits)
    places = np.full(1 << bits, -1)
    choices = np.stack([_slots(hashes, factor, shift) for factor in (_FIRST, _SECOND)])
    choice = np.zeros(len(hashes), dtype=np.int64)
    homeless = np.arange(len(hashes))
    for _ in range(_ROUNDS):
        if not len(homeless):
            return places
        slots = choices[choice[homeless], homeless]
        before = places[slots]
        places[slots] = homeless  # of several that want one slot, the last stays
        stays = places[slots] == homeless
        evicted = before[stays]
        homeless = np.concatenate((homeless[~stays], evicted[evicted >= 0]))
        choice[homeless] ^= 1
    return None
