"""A table from 64-bit hashes to places, asked and built in bulk: no loop over keys in Python."""

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Ints = NDArray[np.int64]

# Odd numbers with well-mixed bits, of the golden ratio and of SplitMix64: a product's high bits depend on all bits.
_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_LOWER = np.uint64(2**32 - 1)  # the lower half of a slot is one more than the place, 0 if the slot is free
_LEAST = 12  # binary digits of the number of slots in which few keys are counted, so that few of them meet
_TRIES = 30  # of keys for one slot; chance keys need three to six
_ROUNDS = 200  # of evictions, before the table is made larger


class HashTable:
    """Where each of some distinct hashes stands; a cuckoo table (Pagh, Rodler, "Cuckoo hashing", 2004).

    Each hash lies in one of two slots, so that any is found, or known not to be there, after two looks. Beside its
    place a slot holds 32 bits of it, those after the ones that chose its first slot, so that a table is small; a hash
    that is not there passes for one that is in one of four thousand million cases.

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
        bits = max(1, (5 * len(hashes) // 2).bit_length())  # filled to two fifths at most: beyond one half it fails
        while not self._fill(hashes, bits):
            if len(np.unique(hashes)) < len(hashes):
                raise ValueError("a hash occurs twice")
            bits += 1

    def _fill(self, hashes: Hashes, bits: int) -> bool:
        """Make a table of this size; tell whether it holds all hashes and tells them apart."""
        places = _settle(hashes, bits)
        if places is None:
            return False
        self._bits, self._shift = np.uint64(bits), np.uint64(64 - bits)
        self._slots = (places + 1).view(np.uint64)
        filled = (places >= 0).nonzero()[0]
        self._slots[filled] |= ((hashes * _FIRST) << self._bits).take(places.take(filled)) & ~_LOWER
        return np.array_equal(self.find(hashes), np.arange(len(hashes)))

    def find(self, hashes: Hashes) -> Ints:
        """Give the place of each hash among those the table was made of; -1 for one that was not."""
        marks = hashes * _FIRST
        slots = self._slots.take((marks >> self._shift).view(np.int64), mode="clip")  # quicker, as none lies beyond
        marks <<= self._bits
        # A hash that is in its second slot has left the first one to another: where that is free, it is nowhere.
        missed = (((slots ^ marks) > _LOWER) & (slots > 0)).nonzero()[0]
        second = self._slots.take(_numbers(hashes.take(missed), _SECOND, self._shift), mode="clip")
        second *= (second ^ marks.take(missed)) <= _LOWER
        slots[missed] = second
        slots &= _LOWER
        found: Ints = slots.view(np.int64)
        found -= 1
        return found


class HashFilter:
    """Which hashes may be among some given ones; a Bloom filter of one function (Bloom, "Space/time trade-offs", 1970).

    It never denies one that is, and of the others lets one in eight pass at most; for that it is small and quick.

    >>> HashFilter(np.array([7, 70], dtype=np.uint64)).may_hold(np.array([70, 7], dtype=np.uint64))
    array([ True,  True])
    """

    def __init__(self, hashes: Hashes) -> None:
        bits = max(1, (8 * len(hashes)).bit_length())
        self._shift = np.uint64(64 - bits)
        self._marks = np.zeros(1 << bits, dtype=np.bool_)
        self._marks[_numbers(hashes, _FIRST, self._shift)] = True

    def may_hold(self, hashes: Hashes) -> NDArray[np.bool_]:
        """Say for each hash whether it may be one of those given."""
        return self._marks.take(_numbers(hashes, _FIRST, self._shift))


def count_distinct(keys: NDArray[np.int64] | Hashes) -> tuple[Ints, Ints]:
    """Count how often each key occurs; what sorting would tell, faster while the keys fit into the processor's cache.

    Each key writes its place into a slot that it chooses; the last one to write is found by all its like. Those that
    find another key there try again among themselves; those that do so many times, as keys made for it may, are sorted.

    Returns
    -------
    places : ndarray of int, shape (n_distinct,)
        The last place of each distinct key, in order.
    counts : ndarray of int, shape (n_distinct,)

    >>> count_distinct(np.array([7, 5, 7, 9]))
    (array([1, 2, 3]), array([1, 2, 1]))
    """
    bits = max(_LEAST, (2 * len(keys)).bit_length())
    slots = _numbers(keys.view(np.uint64), _FIRST, np.uint64(64 - bits))
    table, numbers = np.empty(1 << bits, dtype=np.int64), np.arange(len(keys))
    table[slots] = numbers  # of several places for one slot, the last stays
    last = table.take(slots, mode="clip")
    lost = (keys.take(last, mode="clip") != keys).nonzero()[0]
    for _ in range(_TRIES):
        if not lost.size:
            break
        again = slots.take(lost)
        table[again] = lost
        last[lost] = found = table.take(again)
        lost = lost[keys.take(found) != keys.take(lost)]
    if lost.size:
        _, like = np.unique(keys.take(lost), return_inverse=True)
        table[like] = lost
        last[lost] = table.take(like)
    places = (last == numbers).nonzero()[0]
    return places, np.bincount(last, minlength=len(keys)).take(places)


def _numbers(hashes: Hashes, factor: np.uint64, shift: np.uint64) -> Ints:
    return ((hashes * factor) >> shift).view(np.int64)


def _settle(hashes: Hashes, bits: int) -> Ints | None:
    """Give each slot the number of the hash that lies in it, -1 where none does; None if they do not fit."""
    shift = np.uint64(64 - bits)
    places = np.full(1 << bits, -1)
    choices = np.stack([_numbers(hashes, factor, shift) for factor in (_FIRST, _SECOND)])
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
