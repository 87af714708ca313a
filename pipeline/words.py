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

from .hashtable import Hashes, HashTable, Ints, count_distinct

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
        Code points: a space, then the words of all texts, each with a space or more after it.
    opens, closes : ndarray of int, shape (n_words,)
        Where in `codes` the spaces before and after each word are.
    counts : ndarray of int, shape (n_texts,)
        How many words each text has.
    """

    codes: NDArray[np.uint32]
    opens: Ints
    closes: Ints
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
        spaces = (codes == SPACE).nonzero()[0]
        return cls(codes, spaces[:-1], spaces[1:], np.array([len(words) for words in split], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.opens)

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
        # Sums up to a word's end, less those up to its start, are made twice as fast as each word's own.
        parts = []
        for first, last in self._pieces():
            begin = self.opens[first]
            letters = self.codes[begin : self.closes[last - 1] + 1]
            powers, inverse = _powers(len(letters))
            sums = np.multiply(letters, powers, dtype=np.uint64).cumsum()
            opens = self.opens[first:last] - begin
            hashes = sums.take(self.closes[first:last] - begin)  # with the space, which tells that a word ends in NUL
            hashes -= sums.take(opens)
            hashes *= inverse.take(opens)
            parts.append(hashes)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _pieces(self) -> Iterable[tuple[int, int]]:
        """Cut the words into pieces of some `_PIECE` letters: the first word of each, and of the next."""
        if len(self.codes) <= _PIECE:
            return [(0, len(self))]
        places = np.arange(0, len(self.codes) + _PIECE, _PIECE)
        return pairwise(distinct(self.opens.searchsorted(places)).tolist())

    def count(self, flags: NDArray[np.bool_]) -> Ints:
        """Count the flagged words of each text."""
        if len(self.counts) == 1:
            return np.array([np.count_nonzero(flags)])
        sums, ends = np.concatenate(([0], flags.cumsum())), self.counts.cumsum()
        return sums.take(ends) - sums.take(ends - self.counts)

    def runs(self, longest: int) -> Hashes:
        """Hash the runs of words.

        Returns
        -------
        ndarray of uint64, shape (n_words, `longest`)
            Of the runs of 1 word, of 2 words, … that begin at each word; 0 where they would reach beyond the text.
        """
        known = np.zeros((len(self), longest), dtype=np.uint64)
        known[:, 0] = self.hashes
        ends = self.counts.cumsum()
        for length in range(1, min(longest, len(self))):
            known[:-length, length] = join(known[:-length, length - 1], self.hashes[length:])
            for rest in range(1, length + 1):  # words from here to the end of the text
                known[ends - rest, length] = 0
        return known

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
        opening = self.opens.take(words)
        lengths = self.closes.take(words) - opening + 1
        owner = np.arange(len(words)).repeat(lengths)
        places = ranges(opening, lengths)
        room = (opening + lengths).take(owner) - places  # letters from here to the end of the word
        letters = self.codes.take(places).astype(np.uint64)
        least = min(shortest, _SHORTEST)
        running, fits, hashes = letters, [], []
        for length in range(1, longest + 1):
            if length > 1:
                running = running * _LETTER
                running[: 1 - length] += letters[length - 1 :]  # what begins further on is no whole run
            if length >= least:
                hashes.append(running)
                # A whole word, or nothing, where it is shorter than the shortest run.
                fits.append(
                    room >= length if length >= shortest else (room == length) & (lengths.take(owner) == length)
                )
        found = np.concatenate(fits).nonzero()[0]
        bounds = found.searchsorted(np.arange(len(fits) + 1) * len(letters))
        sizes = bounds[1:] - bounds[:-1]
        some = np.concatenate(hashes).take(found)
        found -= (np.arange(len(fits)) * len(letters)).repeat(sizes)
        return owner.take(found), some, places.take(found), [0] * (least - 1) + sizes.tolist()

    def take(self, words: Ints) -> tuple[NDArray[np.uint32], Ints]:
        """Copy some words: their letters with a space after each, and their lengths with it."""
        opens = self.opens.take(words)
        lengths = self.closes.take(words) - opens
        return self.codes.take(ranges(opens + 1, lengths)), lengths

    def write(self, words: Ints) -> list[str]:
        """Give some words as strings."""
        letters, _ = self.take(words)
        return letters.tobytes().decode("utf-32-le", "surrogatepass").split(" ")[:-1]


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
    each = [words.hashes.take(count_distinct(words.hashes)[0]) for words in chunks]  # fewer to sort
    known = distinct(np.concatenate([hashes[:0], *each]))
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
    spaces = np.cumsum(np.concatenate([np.zeros(1, dtype=np.int64), *(sizes for _, sizes in parts)]))
    return Words(codes, spaces[:-1], spaces[1:], np.array([len(known)])), renumbered.take(numbers)


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
