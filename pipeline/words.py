"""Words as numbers: texts as one array of code points, and a 64-bit hash for each word, run of words, run of letters.

No Python string is made for a word. A hash stands for its string: that any two of a million different strings share one
has a probability of one to thirty million.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from .hashtable import Hashes, Ints, find_distinct

SPACE = ord(" ")
_T = TypeVar("_T")
_PIECE = 1 << 15  # letters that are hashed at a time, so that they stay in the processor's cache
_WORDS = 4000  # that are cut at a time, for the same reason
_LEAST = 10  # characters that a text counts at least, where texts are cut into chunks
_SHORTEST = 3  # letters of a word of one letter between its spaces
_MARK = np.uint32(1)  # is added to each letter of a run of letters, lest NUL add nothing
_LETTER, _RUN = np.uint64(0xD1B54A32D192ED03), np.uint64(0xABC98388FB8FAC03)  # odd, with well-mixed bits


@dataclass(frozen=True)
class Words:
    """The words of some texts.

    Attributes
    ----------
    codes : ndarray of uint32
        Code points: a space, then the words of all texts, each with a space or more after it.
    edges : ndarray of int, shape (n_words, 2)
        Where in `codes` the spaces before and after each word are.
    bounds : ndarray of int, shape (n_texts + 1,)
        Where among the words those of each text begin.
    hashes : ndarray of uint64, shape (n_words,)
        Of each word, see `hash_words`.
    """

    codes: NDArray[np.uint32]
    edges: Ints
    bounds: Ints
    hashes: Hashes

    @classmethod
    def of(cls, texts: Sequence[str]) -> Self:
        """Split texts at white space.

        >>> words = Words.of(["أوقفت الشرطة", "", "مهربا"])
        >>> words.counts.tolist(), words.write(np.array([2, 0]))
        ([2, 0, 1], ['مهربا', 'أوقفت'])
        """
        split = [text.split() for text in texts]
        joined = " ".join(["", *(word for words in split for word in words), ""]) if any(split) else " "
        return cls.between(encode(joined), np.cumsum([0, *map(len, split)]))

    @classmethod
    def between(cls, codes: NDArray[np.uint32], bounds: Ints) -> Self:
        """Take code points that hold single spaces, each word between two of them."""
        spaces = (codes == SPACE).nonzero()[0]
        edges = np.stack((spaces[:-1], spaces[1:]), axis=1)
        return cls(codes, edges, bounds, hash_words(codes, edges))

    def __len__(self) -> int:
        return len(self.edges)

    @property
    def counts(self) -> Ints:
        """How many words each text has, shape (n_texts,)."""
        return self.bounds[1:] - self.bounds[:-1]

    @property
    def owners(self) -> Ints:
        """Which text each word belongs to, shape (n_words,)."""
        return np.arange(len(self.bounds) - 1).repeat(self.counts)

    def runs(self, longest: int) -> Hashes:
        """Hash the runs of words.

        Returns
        -------
        ndarray of uint64, shape (n_words, `longest`)
            Of the runs of 1 word, of 2 words, … that begin at each word; 0 where they would reach beyond the text.
        """
        hashes, n_words = self.hashes, len(self.edges)
        runs = np.zeros((n_words, longest), dtype=np.uint64)
        runs[:, 0] = hashes
        for length in range(1, min(longest, n_words)):
            join(runs[:-length, length - 1], hashes[length:], out=runs[:-length, length])
            for rest in range(1, length + 1):  # where fewer words than that follow in the text
                runs[self.bounds[1:] - rest, length] = 0
        return runs

    def cut(self, words: Ints, shortest: int, longest: int) -> tuple[Ints, Hashes, Ints, Ints]:
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
            Place in `words` of the word that a run is part of; in order.
        hashes : ndarray of uint64, shape (n_runs,)
        starts : ndarray of int, shape (n_runs,)
            Where in `codes` each run is.
        sizes : ndarray of int, shape (n_runs,)
            Letters of each.
        """
        if len(words) > _WORDS:
            firsts = range(0, len(words), _WORDS)
            parts = [self.cut(words[first : first + _WORDS], shortest, longest) for first in firsts]
            owners = np.concatenate([part[0] + first for part, first in zip(parts, firsts, strict=True)])
            hashes, starts, sizes = (np.concatenate([part[i] for part in parts]) for i in (1, 2, 3))
            return owners, hashes, starts, sizes
        edges = self.edges.take(words, axis=0)
        lengths = edges[:, 1] - edges[:, 0] + 1
        places = ranges(edges[:, 0], lengths)
        owners = np.arange(len(words)).repeat(lengths)
        room = (edges[:, 1] + 1).take(owners) - places  # letters from here to the end of the word
        powers, inverse = _powers(len(places) + 1)
        sums = np.zeros(len(places) + 1, dtype=np.uint64)
        letters = self.codes.take(places) + _MARK
        np.add.accumulate(letters * powers[: len(places)], out=sums[1:])
        least = min(shortest, _SHORTEST)
        fits = room[:, None] >= np.arange(least, longest + 1)
        for length in range(least, shortest):  # then a whole word, or nothing
            fits[:, length - least] = (room == length) & (lengths.take(owners) == length)
        found = fits.ravel().nonzero()[0]
        at = found // fits.shape[1]
        sizes = found - at * fits.shape[1] + least
        hashes = sums.take(at + sizes) - sums.take(at)
        hashes *= inverse.take(at)
        return owners.take(at), hashes, places.take(at), sizes

    def take(self, words: Ints) -> NDArray[np.uint32]:
        """Copy some words: their letters, with a space after each."""
        edges = self.edges.take(words, axis=0)
        lengths = edges[:, 1] - edges[:, 0]
        return self.codes.take(ranges(edges[:, 0] + 1, lengths))

    def write(self, words: Ints) -> list[str]:
        """Give some words as strings."""
        return self.take(words).tobytes().decode("utf-32-le", "surrogatepass").split(" ")[:-1]


def encode(text: str) -> NDArray[np.uint32]:
    """Give the code points of a text, lone surrogates too."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


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
    last, numbers = find_distinct(hashes)
    bounds = np.cumsum([0, *map(len, chunks)])
    inside = np.searchsorted(last, bounds)
    parts = [
        words.take(last[begin:end] - first)
        for words, first, (begin, end) in zip(chunks, bounds.tolist(), pairwise(inside), strict=False)
    ]
    codes = np.concatenate([np.array([SPACE], dtype=np.uint32), *parts])
    return Words.between(codes, np.array([0, len(last)])), numbers


def hash_runs(hashes: Hashes, longest: int) -> Hashes:
    """Hash the runs of words of one text, given the hashes of its words: `Words.runs`, turned over."""
    runs = np.zeros((longest, len(hashes)), dtype=np.uint64)
    runs[0] = shorter = hashes
    for length in range(1, min(longest, len(hashes))):
        shorter = join(shorter[:-1], hashes[length:], out=runs[length, :-length])
    return runs


def join(first: Hashes, last: Hashes, out: Hashes | None = None) -> Hashes:
    """Hash runs of words, given the hashes of all but their last words, and of those; into `out`, if it is given."""
    runs = np.multiply(first, _RUN, out=out)
    runs += last
    return runs


def hash_words(codes: NDArray[np.uint32], edges: Ints) -> Hashes:
    """Hash words, see `Words`: the sum of a word's letters, each times a power of a base that its place decides."""
    if len(codes) > _PIECE:
        places = np.arange(0, len(codes) + _PIECE, _PIECE)
        parts = [np.zeros(0, dtype=np.uint64)]
        for first, last in pairwise(distinct(edges[:, 0].searchsorted(places)).tolist()):
            begin, end = edges[first, 0], edges[last - 1, 1] + 1
            parts.append(_hash_piece(codes[begin:end], edges[first:last] - begin))
        return np.concatenate(parts)
    return _hash_piece(codes, edges)


def _hash_piece(codes: NDArray[np.uint32], edges: Ints) -> Hashes:
    # Powers by place among all letters, whatever the word; each sum is divided by the power its word began with.
    # Sums up to a word's end, less those up to its start, are made twice as fast as each word's own.
    powers, inverse = _powers(len(codes))
    sums = np.add.accumulate(codes * powers[: len(codes)]).take(edges)
    hashes: Hashes = sums[:, 1] - sums[:, 0]  # with the space after it, which tells that a word ends in NUL
    hashes *= inverse.take(edges[:, 0])
    return hashes


def hash_letters(letters: NDArray[np.uint32]) -> Hashes:
    """Hash runs of letters, one a row, as `Words.cut` does."""
    length = letters.shape[1]
    hashes: Hashes = ((letters + _MARK) * _powers(length)[0][:length]).sum(axis=1)
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


def sum_rows(rows: NDArray[np.float32], bounds: Ints) -> NDArray[np.float32]:
    """Sum the rows of each text, given where those of each begin; each sum has the same bits whatever the others are.

    >>> sum_rows(np.array([[1], [2], [4]], dtype=np.float32), np.array([0, 2, 2, 3])).tolist()
    [[3.0], [0.0], [4.0]]
    """
    filled = bounds[1:] > bounds[:-1]
    if np.logical_and.reduce(filled):
        return np.add.reduceat(rows, bounds[:-1], axis=0)
    sums = np.zeros((len(filled), rows.shape[1]), dtype=np.float32)
    if len(rows):
        sums[filled] = np.add.reduceat(rows, bounds[:-1][filled], axis=0)
    return sums


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


_known_powers = (np.ones(1, dtype=np.uint64),) * 2


def _powers(count: int) -> tuple[Hashes, Hashes]:
    """Powers 0, 1, … of the base, and of its inverse: `count` or more; computed once for the most ever asked for."""
    global _known_powers
    known = _known_powers  # read once: another thread may put shorter ones there at any moment
    if len(known[0]) < count:
        bases = np.array([_LETTER, np.uint64(pow(int(_LETTER), -1, 1 << 64))])
        steps = bases[:, None].repeat(max(2 * _PIECE, count), axis=1)
        steps[:, 0] = 1
        powers, inverse = np.cumprod(steps, axis=1, dtype=np.uint64)
        known = _known_powers = powers, inverse
    return known
