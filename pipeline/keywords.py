"""Words and phrases that people who know a field would look for: the taxonomy's keywords, counted in texts."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin

from .hashtable import Hashes, HashTable, Ints
from .words import Words, distinct, join, sum_rows

Found = tuple[Ints, Ints, NDArray[np.float32]]

LEAD = 30  # words: a title and the first sentence
_SHORTEST = 20  # words; rates in shorter texts would say more than there is

# Joined to a word: and, so; in, like, to; the. The article melts into "to": لل.
_AND = ("", "و", "ف")
_DEFINITE = ("ال", "بال", "كال", "لل")
_PREFIXES = ("", "ب", "ك", "ل", *_DEFINITE)


class KeywordIndex:
    """Finds keywords, with every prefix they may carry, among words.

    Parameters
    ----------
    keywords : sequence of sequence of str
        Normalized words and phrases, theme by theme. One with the article is not met without it.

    Attributes
    ----------
    hashes : ndarray of uint64, shape (n,)
        Of the keywords, with each prefix.
    sizes : ndarray of int, shape (n,)
        How many words each has.
    themes : ndarray of float32, shape (n, n_themes)
        1 for the themes it is a keyword of.
    """

    def __init__(self, keywords: Sequence[Sequence[str]]) -> None:
        spelled = [
            (form, theme) for theme, phrases in enumerate(keywords) for phrase in phrases for form in _forms(phrase)
        ]
        words = Words.of([form for form, _ in spelled])
        self._longest = int(words.counts.max(initial=1))
        runs = words.runs(self._longest).take(words.bounds[:-1], axis=0)  # the first word, two words, … of each
        self.hashes, first, which = np.unique(
            runs[np.arange(len(spelled)), words.counts - 1], return_index=True, return_inverse=True
        )
        self._runs, self.sizes = runs[first], words.counts[first]
        self.themes = np.zeros((len(self.hashes), len(keywords)), dtype=np.float32)
        self.themes[which, [theme for _, theme in spelled]] = 1
        self._table = HashTable(self.hashes)
        self._openings = HashTable(distinct(self._runs[:, 0]))

    def open(self, size: int) -> Hashes:
        """Give the hashes of the first words, as many as `size`, of the keywords that have more."""
        return distinct(self._runs[self.sizes > size, min(size, self._longest) - 1])

    def find(self, words: Words, starts: Ints | None = None, shortest: int = 1) -> Found:
        """Find the keywords that begin at some words, or at any.

        Parameters
        ----------
        words : Words
        starts : ndarray of int, default=None
            Which words, in order; None for all.
        shortest : int, default=1
            Words of a keyword.

        Returns
        -------
        first, last : ndarray of int, shape (n_found,)
            The first word of each, in order, and its last one.
        themes : ndarray of float32, shape (n_found, n_themes)
            1 for those that it is a keyword of.

        >>> first, last, themes = KeywordIndex([["شرطه"], ["وقف اطلاق"]]).find(Words.of(["قالت الشرطه ان وقف اطلاق"]))
        >>> first.tolist(), last.tolist(), themes.tolist()
        ([1, 3], [1, 4], [[1.0, 0.0], [0.0, 1.0]])
        """
        if starts is None:
            starts = (self._openings.find(words.hashes) >= 0).nonzero()[0]
        ends = words.bounds[1:].take(words.owners.take(starts))
        hashes, first, last, numbers = words.hashes.take(starts), [starts[:0]], [starts[:0]], [starts[:0]]
        for size in range(1, self._longest + 1):
            if size > 1:
                fits = (ends - starts >= size).nonzero()[0]
                starts, ends = starts.take(fits), ends.take(fits)
                hashes = join(hashes.take(fits), words.hashes.take(starts + (size - 1)))
            if size >= shortest:
                found = self._table.find(hashes)
                hits = (found >= 0).nonzero()[0]
                first.append(starts.take(hits))
                last.append(first[-1] + (size - 1))
                numbers.append(found.take(hits))
        themes = self.themes.take(np.concatenate(numbers), axis=0)
        return in_order(np.concatenate(first), np.concatenate(last), themes)


def in_order(first: Ints, last: Ints, themes: NDArray[np.float32]) -> Found:
    """Order keywords that were found by their first words."""
    order = np.argsort(first, kind="stable")
    return first.take(order), last.take(order), themes.take(order, axis=0)


def count_keywords(words: Words, found: Found) -> NDArray[np.float32]:
    """Count each theme's keywords, of those found as `KeywordIndex.find` gives them.

    Returns
    -------
    ndarray of float32, shape (n_texts, 2 * n_themes)
        For whole texts, then for their leads.

    >>> words = Words.of(["قالت الشرطه ان وقف اطلاق"])
    >>> count_keywords(words, KeywordIndex([["شرطه"], ["وقف اطلاق"]]).find(words)).tolist()
    [[1.0, 1.0, 1.0, 1.0]]
    """
    first, last, themes = found
    bounds = first.searchsorted(words.bounds)
    begin = words.bounds[:-1].repeat(bounds[1:] - bounds[:-1])  # of the text
    lead = themes * (last - begin < LEAD)[:, None]
    return sum_rows(np.concatenate((themes, lead), axis=1), bounds)


class KeywordRates(TransformerMixin, BaseEstimator):
    """How often each theme's keywords occur in a text, and in its first words.

    It brings to a model of few articles what its authors know beyond them: a keyword counts even where no training
    article has it. How much, and for which theme, the model learns.

    Parameters
    ----------
    keywords : tuple of tuple of str
        Normalized words and phrases, theme by theme.
    """

    def __init__(self, keywords: tuple[tuple[str, ...], ...]) -> None:
        self.keywords = keywords

    def fit(self, texts: Sequence[str], y: Any = None) -> Self:
        """Forget the index of other keywords; nothing is learned from the texts."""
        self.__dict__.pop("index", None)
        return self

    def transform(self, texts: Sequence[str]) -> csr_matrix:
        """Turn normalized texts into logarithms of rates.

        Returns
        -------
        sparse matrix of float32, shape (n_texts, 2 * n_themes)
            For each theme half of log(1 + keywords in a hundred words), then log(1 + keywords in the lead).
        """
        return csr_matrix(self.rate(Words.of(texts)))

    def rate(self, words: Words, found: Found | None = None) -> NDArray[np.float32]:
        """Turn texts that are split into words already into rates, as `transform` does.

        What is `found` in them, as `KeywordIndex.find` gives it, may be given, too.
        """
        rates = count_keywords(words, self.index.find(words) if found is None else found)
        everywhere = rates[:, : len(self.keywords)]
        everywhere *= (100 / np.maximum(_SHORTEST, words.counts)).astype(np.float32)[:, None]
        np.log1p(rates, out=rates)
        everywhere *= np.float32(0.5)
        return rates

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Name the columns: ``rate0`` … and ``lead0`` …, by the theme's number."""
        return np.array([f"{part}{theme}" for part in ("rate", "lead") for theme in range(len(self.keywords))], object)

    @cached_property
    def index(self) -> KeywordIndex:
        """Finds the keywords."""
        return KeywordIndex(self.keywords)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {key: value for key, value in state.items() if key != "index"}


def _forms(phrase: str) -> Iterator[str]:
    """Spell a phrase with every prefix its first word may carry."""
    definite = phrase.startswith("ال")
    for conjunction, prefix in product(_AND, _DEFINITE if definite else _PREFIXES):
        yield conjunction + prefix + (phrase[2:] if definite else phrase)
