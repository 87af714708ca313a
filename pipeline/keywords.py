"""Words and phrases that people who know a field would look for: the taxonomy's keywords, counted in texts."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin

from .hashtable import HashFilter, HashTable, Ints
from .words import Words, distinct, join

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
    """

    def __init__(self, keywords: Sequence[Sequence[str]]) -> None:
        spelled = [
            (form, theme) for theme, phrases in enumerate(keywords) for phrase in phrases for form in _forms(phrase)
        ]
        words = Words.of([form for form, _ in spelled])
        self._longest = int(words.counts.max(initial=1))
        opening = words.counts.cumsum() - words.counts
        hashes = np.zeros(len(spelled), dtype=np.uint64)
        for length, some in enumerate(words.runs(self._longest).T, start=1):
            whole = (words.counts == length).nonzero()[0]
            hashes[whole] = some.take(opening[whole])
        known = distinct(hashes)
        self._table = HashTable(known)
        self._openings = HashFilter(distinct(words.hashes.take(opening)))  # few words open a keyword
        self._themes = np.zeros((len(known), len(keywords)), dtype=np.float32)
        self._themes[self._table.find(hashes), [theme for _, theme in spelled]] = 1

    def count(self, words: Words) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Count each theme's keywords: arrays of shape (n_texts, n_themes), for whole texts and for their leads.

        >>> KeywordIndex([["شرطه"], ["وقف اطلاق"]]).count(Words.of(["قالت الشرطه ان وقف اطلاق"]))[0].tolist()
        [[1.0, 1.0]]
        """
        first, last, themes = self.find(words)
        owners = words.owners.take(first)
        last -= (words.counts.cumsum() - words.counts).take(owners)  # counted from the text's first word
        found, theme = themes.nonzero()
        shape = len(words.counts), themes.shape[1]
        cells = owners.take(found) * shape[1] + theme
        everywhere, lead = (
            np.bincount(some, minlength=shape[0] * shape[1]).astype(np.float32).reshape(shape)
            for some in (cells, cells[last.take(found) < LEAD])
        )
        return everywhere, lead

    def find(self, words: Words) -> tuple[Ints, Ints, NDArray[np.float32]]:
        """Find the keywords: the first word of each, its last word, and 1 for the themes it is a keyword of.

        >>> first, last, themes = KeywordIndex([["شرطه"], ["وقف اطلاق"]]).find(Words.of(["قالت الشرطه ان وقف اطلاق"]))
        >>> first.tolist(), last.tolist(), themes.tolist()
        ([1, 3], [1, 4], [[1.0, 0.0], [0.0, 1.0]])
        """
        starts = self._openings.may_hold(words.hashes).nonzero()[0]
        ends = words.counts.cumsum().take(words.owners.take(starts))
        hashes = words.hashes.take(starts)
        firsts, spelled = [starts], [hashes]
        for length in range(2, self._longest + 1):
            fits = (ends - starts >= length).nonzero()[0]
            starts, ends = starts.take(fits), ends.take(fits)
            hashes = join(hashes.take(fits), words.hashes.take(starts + (length - 1)))
            firsts.append(starts)
            spelled.append(hashes)
        found = self._table.find(np.concatenate(spelled))  # once for all lengths
        hits = (found >= 0).nonzero()[0]
        first = np.concatenate(firsts)
        last = first + np.arange(self._longest).repeat(list(map(len, firsts)))
        return first.take(hits), last.take(hits), self._themes.take(found.take(hits), axis=0)


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
        self.__dict__.pop("_index", None)
        return self

    def transform(self, texts: Sequence[str]) -> csr_matrix:
        """Turn normalized texts into logarithms of rates.

        Returns
        -------
        sparse matrix of float32, shape (n_texts, 2 * n_themes)
            For each theme half of log(1 + keywords in a hundred words), then log(1 + keywords in the lead).
        """
        return csr_matrix(self.rate(Words.of(texts)))

    def rate(self, words: Words) -> NDArray[np.float32]:
        """Turn texts that are split into words already into rates, as `transform` does."""
        everywhere, lead = self._index.count(words)
        everywhere *= (100 / np.maximum(_SHORTEST, words.counts)).astype(np.float32)[:, None]
        return np.concatenate((np.float32(0.5) * np.log1p(everywhere), np.log1p(lead)), axis=1)

    def find(self, words: Words) -> tuple[Ints, Ints, NDArray[np.float32]]:
        """Find the keywords that are counted, see `KeywordIndex.find`."""
        return self._index.find(words)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Name the columns: ``rate0`` … and ``lead0`` …, by the theme's number."""
        return np.array([f"{part}{theme}" for part in ("rate", "lead") for theme in range(len(self.keywords))], object)

    @cached_property
    def _index(self) -> KeywordIndex:
        return KeywordIndex(self.keywords)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {key: value for key, value in state.items() if key != "_index"}


def _forms(phrase: str) -> Iterator[str]:
    """Spell a phrase with every prefix its first word may carry."""
    definite = phrase.startswith("ال")
    for conjunction, prefix in product(_AND, _DEFINITE if definite else _PREFIXES):
        yield conjunction + prefix + (phrase[2:] if definite else phrase)
