"""Numbers for n-grams: runs of words in texts, runs of letters in words.

An n-gram is known by the number of its first n - 1 symbols and by its last symbol, together one integer, its key. The
keys of one length stand in a sorted array, and an n-gram's number is its key's place there. So n-grams are found in
bulk, by binary search, without a string for each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sequences:
    """Sequences of symbols, one after the other.

    Attributes
    ----------
    symbols : ndarray of int, shape (n_symbols,)
        From 0 on; -1 is a symbol that no n-gram holds.
    owners : ndarray of int, shape (n_symbols,)
        Which sequence each symbol belongs to.
    room : ndarray of int, shape (n_symbols,)
        How many symbols there are from each place, itself included, to the end of its sequence.
    """

    symbols: Ints
    owners: Ints
    room: Ints

    @classmethod
    def of(cls, symbols: Ints, lengths: Ints) -> Self:
        """Cut symbols into sequences of these lengths."""
        ends = np.repeat(np.cumsum(lengths), lengths)
        return cls(symbols, np.repeat(np.arange(len(lengths)), lengths), ends - np.arange(len(symbols)))


@dataclass(frozen=True)
class Ngrams:
    """The known n-grams over the symbols 0, 1, … below `base`.

    Attributes
    ----------
    base : int
        Number of symbols; each is an n-gram of length 1, and its own number.
    keys : tuple of ndarray of int64
        Sorted keys of the n-grams of 2, 3, … symbols.
    """

    base: int
    keys: tuple[Ints, ...] = ()

    @classmethod
    def learn(cls, base: int, longest: int, sequences: Sequences, least: int = 1) -> Self:
        """Know all n-grams of 2 to `longest` symbols that occur in `least` sequences or more."""
        keys: list[Ints] = []
        places = np.flatnonzero(sequences.symbols >= 0)
        numbers = sequences.symbols.take(places)
        for length in range(2, longest + 1):
            places, found = _lengthen(places, numbers, sequences, length, base)
            keys.append(_frequent(found, sequences.owners.take(places), least))
            places, numbers = _known(keys[-1], places, found)
        return cls(base, tuple(keys))

    def find(self, sequences: Sequences) -> Iterator[tuple[Ints, Ints]]:
        """Find the known n-grams.

        Yields
        ------
        places, numbers : ndarray of int
            For length 1, 2, …: where n-grams start, in rising order, and which they are.
        """
        places = np.flatnonzero(sequences.symbols >= 0)
        numbers = sequences.symbols.take(places)
        yield places, numbers
        for length, known in enumerate(self.keys, start=2):
            places, numbers = _known(known, *_lengthen(places, numbers, sequences, length, self.base))
            yield places, numbers

    def keep(self, kept: Sequence[NDArray[np.bool_]]) -> "Ngrams":
        """Forget all n-grams of 2, 3, … symbols but these; the first part of one that is kept must be kept too."""
        keys = []
        renumbered = np.arange(self.base)
        for known, mask in zip(self.keys, kept, strict=True):
            first, last = np.divmod(known[mask], self.base)
            keys.append(renumbered[first] * self.base + last)
            renumbered = np.cumsum(mask) - 1
        return Ngrams(self.base, tuple(keys))

    def write(self, symbols: Sequence[str], joint: str) -> list[list[str]]:
        """Write out the n-grams of 1, 2, … symbols, in the order of their numbers.

        >>> Ngrams(2, (np.array([1, 2]),)).write(["وقف", "إطلاق"], " ")
        [['وقف', 'إطلاق'], ['وقف إطلاق', 'إطلاق وقف']]
        """
        written = [list(symbols)]
        for known in self.keys:
            first, last = np.divmod(known, self.base)
            parts = zip(first.tolist(), last.tolist(), strict=True)
            written.append([written[-1][part] + joint + symbols[symbol] for part, symbol in parts])
        return written


def look_up(known: Ints, keys: Ints) -> Ints:
    """Find keys in a sorted array: their places, -1 for one that is not there.

    >>> look_up(np.array([5, 12, 70]), np.array([12, 13, 70]))
    array([ 1, -1,  2])
    """
    if not len(known):
        return np.full(len(keys), -1)
    places = np.searchsorted(known, keys)
    places[places == len(known)] = 0
    places[known.take(places) != keys] = -1
    return places


def _lengthen(places: Ints, numbers: Ints, sequences: Sequences, length: int, base: int) -> tuple[Ints, Ints]:
    """Where n-grams can grow by a symbol to this length, and the keys of what they become."""
    fits = sequences.room.take(places) >= length
    places, numbers = places[fits], numbers[fits]
    last = sequences.symbols.take(places + (length - 1))
    known = last >= 0
    return places[known], numbers[known] * base + last[known]


def _known(known: Ints, places: Ints, keys: Ints) -> tuple[Ints, Ints]:
    numbers = look_up(known, keys)
    hits = numbers >= 0
    return places[hits], numbers[hits]


def _frequent(keys: Ints, owners: Ints, least: int) -> Ints:
    """Sort out the keys that occur in `least` sequences or more."""
    known, counts = np.unique(keys, return_counts=True)
    known = known[counts >= least]  # most n-grams occur once: fewer to look up
    if least == 1:
        return known
    places, numbers = _known(known, np.arange(len(keys)), keys)
    return known[count_owners(owners.take(places), numbers, len(known)) >= least]


def count_owners(owners: Ints, numbers: Ints, size: int) -> Ints:
    """Count in how many sequences each number below `size` occurs."""
    return np.bincount(np.unique(owners << 32 | numbers) & 0xFFFFFFFF, minlength=size)
