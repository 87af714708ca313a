"""64-bit hashes in bulk, with no loop over them in Python: a table from hashes to places, and which are distinct."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Ints = NDArray[np.signedinteger[Any]]

# Odd numbers with well-mixed bits, of the golden ratio and of SplitMix64: a product's high bits depend on all bits.
_MIX, _MIX_MOVED, _MIX_MOVE = map(np.uint64, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_LOWER = np.uint64(2**32 - 1)  # the lower half of a slot is one more than the place, 0 if the slot is free
_FREE = np.uint64(2**63)  # in its upper half unlike hash 0, which is asked for most
_PER_BUCKET = 3  # binary digits of the slots there are for each bucket
_PIECE = 1 << 18  # hashes among which the distinct ones are found at a time, so that they stay in the processor's cache
_MOVES = np.arange(5000, dtype=np.uint64) * _MIX_MOVE  # to try, before the table is made larger; few need two hundred


class HashTable:
    """Where each of some distinct hashes stands; a perfect hash table, so that one look tells it.

    "Hash and displace" (Belazzougui, Botelho, Dietzfelbinger, "Hash, displace, and compress", ESA 2009): hashes fall
    into small buckets, and each bucket has a move that was found to put all its hashes into slots of their own. Beside
    its place a slot holds 32 bits of its hash; a hash that is not there passes for one that is in one of four thousand
    million cases.

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
        self._size = len(hashes)
        bits = max(1, (2 * len(hashes)).bit_length())  # half filled at most
        while not self._fill(hashes * _MIX, bits):
            if len(np.unique(hashes)) < len(hashes):
                raise ValueError("a hash occurs twice")
            bits += 1

    def _fill(self, marks: Hashes, bits: int) -> bool:
        """Make a table of this size; tell whether each bucket found a move."""
        bucket_bits = max(1, bits - _PER_BUCKET)
        self._shift, self._bucket_shift = np.uint64(64 - bits), np.uint64(64 - bucket_bits)
        self._moves, self._slots = np.zeros(1 << bucket_bits, dtype=np.uint64), np.full(1 << bits, _FREE)
        filled = marks & ~_LOWER | np.arange(1, len(marks) + 1, dtype=np.uint64)
        buckets = (marks >> self._bucket_shift).view(np.int64)
        crowds = np.bincount(buckets).take(buckets)
        for crowd in range(crowds.max(initial=0), 0, -1):  # large buckets first, while there is room
            homeless = (crowds == crowd).nonzero()[0]
            for move in _MOVES:
                if not homeless.size:
                    break
                own, content = buckets.take(homeless), filled.take(homeless)
                slots = ((marks.take(homeless) ^ move) * _MIX_MOVED >> self._shift).view(np.int64)
                free = self._slots.take(slots) == _FREE
                self._slots[slots[free]] = content[free]  # of several for one slot, the last stays
                stays = self._slots.take(slots) == content
                stuck = np.zeros(len(self._moves), dtype=np.bool_)
                stuck[own[~stays]] = True  # where one of a bucket cannot stay, none can
                leaves = stuck.take(own)
                self._slots[slots[stays & leaves]] = _FREE
                self._moves[own[~leaves]] = move
                homeless = homeless[leaves]
            if homeless.size:
                return False
        return True

    def __len__(self) -> int:
        return self._size

    def find(self, hashes: Hashes) -> Ints:
        """Give the place of each hash among those the table was made of; -1 for one that was not. Of any shape."""
        differences, filled = self._look_up(hashes)
        filled &= _LOWER
        filled *= differences <= _LOWER
        found: Ints = filled.view(np.int64)
        found -= 1
        return found

    def find_known(self, hashes: Hashes) -> tuple[Ints, Ints]:
        """Say which hashes of a row are among those the table was made of, and give their places."""
        differences, filled = self._look_up(hashes)
        known = (differences <= _LOWER).nonzero()[0]
        places: Ints = (filled.take(known) & _LOWER).view(np.int64)
        places -= 1
        return known, places

    def _look_up(self, hashes: Hashes) -> tuple[Hashes, Hashes]:
        """Give the slot of each hash, and in what it differs; only in the lower half, if it is that of the hash."""
        marks = hashes * _MIX
        slots = self._moves.take((marks >> self._bucket_shift).view(np.int64), mode="clip")  # quicker: none lies beyond
        slots ^= marks
        slots *= _MIX_MOVED
        slots >>= self._shift
        filled = self._slots.take(slots.view(np.int64), mode="clip")
        marks ^= filled
        return marks, filled


def find_distinct(hashes: Hashes) -> tuple[Ints, Ints]:
    """Say where each distinct hash occurs last, in order, and which of these each hash is; without sorting them.

    >>> last, numbers = find_distinct(np.array([7, 70, 7, 12], dtype=np.uint64))
    >>> last.tolist(), numbers.tolist()
    ([1, 2, 3], [1, 0, 1, 2])
    """
    if len(hashes) <= _PIECE:
        return _find_distinct(hashes)
    firsts = range(0, len(hashes), _PIECE)
    parts = [_find_distinct(hashes[first : first + _PIECE]) for first in firsts]
    # What is distinct in each piece is little, as most hashes are those of common words.
    last = np.concatenate([places + first for first, (places, _) in zip(firsts, parts, strict=True)])
    before = np.cumsum([0, *(len(places) for places, _ in parts)])
    some = np.concatenate([numbers + n for n, (_, numbers) in zip(before.tolist(), parts, strict=False)])
    stays, numbers = _find_distinct(hashes.take(last))
    return last.take(stays), numbers.take(some)


def _find_distinct(hashes: Hashes) -> tuple[Ints, Ints]:
    places = np.arange(len(hashes))
    last, left, marks = places.copy(), places, hashes
    while left.size:
        # Each hash writes its place into a slot, where the last to write stays. Those equal to it are settled; the
        # others try again, by other bits. Of those equal to each other all are settled at once.
        marks = marks * _MIX
        slots = (marks >> np.uint64(64 - len(left).bit_length())).view(np.int64)
        written = np.empty(1 << len(left).bit_length(), dtype=np.int64)
        written[slots] = places[: len(left)]
        stays = written.take(slots)
        last[left] = left.take(stays)
        lost = (marks.take(stays) != marks).nonzero()[0]
        left, marks = left.take(lost), marks.take(lost)
    is_last = last == places
    return is_last.nonzero()[0], (np.cumsum(is_last) - 1).take(last)
