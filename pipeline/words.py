"""Words as numbers: texts as one array of code points, and a 64-bit hash for each word, run of words, run of letters.

No Python string is made for a word. A hash stands for its string: that any two of a million different strings share one
has a probability of one to thirty million.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from .hashtable import Hashes, HashTable, Ints

SPACE = ord(" ")
_T = TypeVar("_T")
_PIECE = 1 << 15  # letters that are hashed at a time, so that they stay in the processor's cache
_LEAST = 10  # characters that a text counts at least, where texts are cut into chunks
_SHORTEST = 3  # letters of a word of one letter between its spaces
_LETTER, _RUN = np.uint64(0xD1B54A32D192ED03), np.uint64(0xABC98388FB8FAC03)  # odd, with well-mixed bits


@dataclass(frozen=True)
class Words:
    """The words of some texts.

    Attributes
    ----------
    codes : ndarray of uint32
        Code points: a space, then the words of all texts, each with one space after it.
    spaces : ndarray of int, shape (n_words + 1,)
        Where in `codes` the spaces are: word ``i`` lies between the spaces ``i`` and ``i + 1``.
    counts : ndarray of int, shape (n_texts,)
        How many words each text has.
    """

    codes: NDArray[np.uint32]
    spaces: Ints
    counts: Ints

    @classmethod
    def of(cls, texts: Sequence[str]) -> Self:
        """Split texts at white space.

        >>> words = Words.of(["أوقفت الشرطة", "", "مهربا"])
        >>> words.counts.tolist(), words.write(np.array([2, 0]))
        ([2, 0, 1], ['مهربا', 'أوقفت'])
        """
        split = [text.split() for text in texts]
        joined = " ".join(["", *(word for words in split for word in words), ""]) if any(split) else " "
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        return cls(codes, (codes == SPACE).nonzero()[0], np.array([len(words) for words in split], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.spaces) - 1

    @cached_property
    def owners(self) -> Ints:
        """Which text each word belongs to."""
        return np.arange(len(self.counts)).repeat(self.counts)

    @cached_property
    def hashes(self) -> Hashes:
        """A hash of each word: the sum of its letters, each times a power of a base that its place decides."""
        if not len(self):
            return np.zeros(0, dtype=np.uint64)
        # Powers by place among all letters, whatever the word; each sum is divided by the power its word began with.
        parts = []
        for first, last in self._pieces():
            starts = self.spaces[first : last + 1] - self.spaces[first]
            letters = self.codes[self.spaces[first] + 1 : self.spaces[last] + 1]
            powers, inverse = _powers(len(letters))
            sums = np.add.reduceat(np.multiply(letters, powers, dtype=np.uint64), starts[:-1])
            parts.append(sums * inverse.take(starts[:-1]))
        return np.concatenate(parts)

    def _pieces(self) -> Iterable[tuple[int, int]]:
        """Cut the words into pieces of some `_PIECE` letters: the first word of each, and of the next."""
        if len(self.codes) <= _PIECE:
            return [(0, len(self))]
        places = np.arange(self.spaces[0], self.spaces[-1] + _PIECE, _PIECE)
        return pairwise(distinct(np.searchsorted(self.spaces, places).clip(max=len(self))).tolist())

    def runs(self, longest: int) -> list[Hashes]:
        """Hash the runs of words, those that reach into the next text too: see `inside`.

        Returns
        -------
        list of ndarray of uint64, one for runs of 1 word, of 2 words, … up to `longest`
            Of the run that begins at each word, as far as there are words enough.
        """
        known = [self.hashes]
        while len(known) < longest:
            shorter, last = known[-1][:-1], self.hashes[len(known) :]
            known.append(join(shorter, last))
        return known

    def inside(self, starts: Ints, length: int) -> Ints:
        """Leave out the starts of runs of this many words that reach into the next text."""
        if len(self.counts) == 1:
            return starts
        whole: Ints = starts[self.owners.take(starts) == self.owners.take(starts + (length - 1))]
        return whole

    def cut(self, words: Ints, shortest: int, longest: int) -> tuple[Ints, Hashes, Ints, list[int]]:
        """Cut words into runs of letters, as scikit-learn's ``analyzer="char_wb"`` does.

        A word is seen with a space at each end. A run does not reach beyond them; a word too short for the shortest run
        is one run as a whole.

        Parameters
        ----------
        words : ndarray of int, shape (n,)
            Which words.
        shortest, longest : int
            Letters of a run.

        Returns
        -------
        owners : ndarray of int, shape (n_runs,)
            Place in `words` of the word that a run is part of.
        hashes : ndarray of uint64, shape (n_runs,)
        starts : ndarray of int, shape (n_runs,)
            Where in `codes` each run is.
        sizes : list of int
            How many of the runs have 1 letter, 2 letters, …; the shorter come first.
        """
        opening = self.spaces.take(words)
        lengths = self.spaces.take(words + 1) - opening + 1
        ends = lengths.cumsum()
        owner = np.arange(len(words)).repeat(lengths)
        places = np.arange(len(owner))
        room = ends.repeat(lengths) - places  # letters from here to the end of the word
        places += (opening - ends + lengths).repeat(lengths)
        letters = self.codes.take(places).astype(np.uint64)
        running = letters
        where, hashes = [], []
        for length in range(1, longest + 1):
            if length > 1:
                running = running[:-1] * _LETTER + letters[length - 1 :]
            if length < min(shortest, _SHORTEST):
                where.append(places[:0])
                continue
            fits = room[: len(running)] >= length
            if length < shortest:  # a whole word, or nothing
                fits = (room[: len(running)] == length) & (lengths.take(owner[: len(running)]) == length)
            where.append(fits.nonzero()[0])
            hashes.append(running.take(where[-1]))
        found = np.concatenate(where)
        return owner.take(found), np.concatenate(hashes), places.take(found), [*map(len, where)]

    def take(self, words: Ints) -> tuple[NDArray[np.uint32], Ints]:
        """Copy some words: their letters with a space after each, and their lengths with it."""
        lengths = self.spaces.take(words + 1) - self.spaces.take(words)
        return self.codes.take(ranges(self.spaces.take(words) + 1, lengths)), lengths

    def write(self, words: Ints) -> list[str]:
        """Give some words as strings."""
        return [
            self.codes[start + 1 : end].tobytes().decode("utf-32-le", "surrogatepass")
            for start, end in zip(self.spaces[words].tolist(), self.spaces[words + 1].tolist(), strict=True)
        ]


def collect(chunks: Sequence[Words]) -> tuple[Words, Ints]:
    """Find the distinct words of some texts.

    Returns
    -------
    lexicon : Words
        Each word once, as one text.
    numbers : ndarray of int, shape (n_words,)
        Which word of it each word is.
    """
    hashes = np.concatenate([np.zeros(0, dtype=np.uint64), *(words.hashes for words in chunks)])
    known = distinct(hashes)
    numbers = HashTable(known).find(hashes)
    last = np.zeros(len(known), dtype=np.int64)  # place of each word's last occurrence
    last[numbers] = np.arange(len(numbers))
    order = np.argsort(last)
    renumbered = np.empty_like(last)
    renumbered[order] = np.arange(len(order))
    last, bounds = last[order], np.cumsum([0, *map(len, chunks)])
    inside = np.searchsorted(last, bounds)
    parts = [
        words.take(last[begin:end] - first)
        for words, first, (begin, end) in zip(chunks, bounds.tolist(), pairwise(inside), strict=False)
    ]
    codes = np.concatenate([np.array([SPACE], dtype=np.uint32), *(letters for letters, _ in parts)])
    lengths = np.concatenate([np.zeros(1, dtype=np.int64), *(sizes for _, sizes in parts)])
    return Words(codes, np.cumsum(lengths), np.array([len(known)])), renumbered.take(numbers)


def join(first: Hashes, last: Hashes) -> Hashes:
    """Hash runs of words, given the hashes of all but their last words, and of those."""
    return first * _RUN + last


def hash_letters(letters: NDArray[np.uint32]) -> Hashes:
    """Hash runs of letters, one a row, as `Words.cut` does."""
    hashes = letters[:, 0].astype(np.uint64)
    for column in letters.T[1:]:
        hashes = hashes * _LETTER + column
    return hashes


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Sort values and drop those that occur again; what `numpy.unique` does, which is slower on integers."""
    ordered = np.sort(values)
    first = np.ones(len(ordered), dtype=np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return ordered[first]


def ranges(starts: Ints, sizes: Ints) -> Ints:
    """Count up from each start, as far as its size says, one after the other.

    >>> ranges(np.array([5, 20]), np.array([3, 2])).tolist()
    [5, 6, 7, 20, 21]
    """
    ends = sizes.cumsum()
    places: Ints = (starts - ends + sizes).repeat(sizes)
    places += np.arange(len(places))
    return places


def batched(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Cut items, such as texts, into lists of this many."""
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some


def chunked(texts: Iterable[str], most: int) -> Iterator[list[str]]:
    """Cut texts into lists of some `most` characters, never within a text.

    >>> list(chunked(["نص", "نص", "نص أطول من الآخرين"], most=30))
    [['نص', 'نص'], ['نص أطول من الآخرين']]
    """
    some: list[str] = []
    size = 0
    for text in texts:
        if some and size + len(text) > most:
            yield some
            some, size = [], 0
        some.append(text)
        size += len(text) + _LEAST  # lest there be millions of empty ones
    if some:
        yield some


_known_powers = np.ones((2, 1), dtype=np.uint64)


def _powers(count: int) -> Hashes:
    """Powers 0, 1, … of the base, and of its inverse, shape (2, `count`); computed once for the most ever asked for."""
    global _known_powers
    powers = _known_powers  # read once: another thread may put shorter ones there at any moment
    if powers.shape[1] < count:
        bases = _LETTER, np.uint64(pow(int(_LETTER), -1, 1 << 64))
        steps = np.array(bases)[:, None].repeat(max(2 * _PIECE, count), axis=1)
        steps[:, 0] = 1
        powers = _known_powers = np.cumprod(steps, axis=1, dtype=np.uint64)
    return powers[:, :count]
