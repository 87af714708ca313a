"""Words and phrases that people who know a field would look for: the taxonomy's keywords, counted in texts."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

LEAD = 30  # words: a title and the first sentence
_SHORTEST = 20  # words; rates in shorter texts would say more than there is

# Joined to a word: and, so; in, like, to; the. The article melts into "to": لل.
_AND = ("", "و", "ف")
_DEFINITE = ("ال", "بال", "كال", "لل")
_PREFIXES = ("", "ب", "ك", "ل", *_DEFINITE)

Index = dict[str, list[tuple[list[str], int]]]


def build_index(keywords: Sequence[Sequence[str]]) -> Index:
    """Look keywords up by their first word, with every prefix it may carry.

    Parameters
    ----------
    keywords : sequence of sequence of str
        Normalized words and phrases, theme by theme. One with the article is not met without it.

    Returns
    -------
    dict of str to list of (list of str, int)
        First word to the words that must follow, and the theme's number.

    >>> build_index([["حزام ناسف"]])["بالحزام"]
    [(['ناسف'], 0)]
    """
    index: Index = {}
    for theme, phrases in enumerate(keywords):
        for phrase in dict.fromkeys(phrases):
            first, *rest = phrase.split()
            definite = first.startswith("ال")
            for prefix in _DEFINITE if definite else _PREFIXES:
                for conjunction in _AND:
                    word = conjunction + prefix + (first[2:] if definite else first)
                    if (rest, theme) not in index.setdefault(word, []):
                        index[word].append((rest, theme))
    return index


def count_keywords(index: Index, words: Sequence[str], themes: int) -> NDArray[np.float32]:
    """Count each theme's keywords among normalized words: an array of shape (themes,).

    >>> count_keywords(build_index([["شرطه"], ["وقف اطلاق"]]), ["قالت", "الشرطه", "ان", "وقف", "اطلاق"], 2).tolist()
    [1.0, 1.0]
    """
    counts = np.zeros(themes, dtype=np.float32)
    for place, word in enumerate(words):
        for rest, theme in index.get(word, ()):
            if not rest or list(words[place + 1 : place + 1 + len(rest)]) == rest:
                counts[theme] += 1
    return counts


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
        """Build the index; nothing is learned from the texts."""
        self.index_ = build_index(self.keywords)
        return self

    def transform(self, texts: Sequence[str]) -> csr_matrix:
        """Turn normalized texts into logarithms of rates.

        Returns
        -------
        sparse matrix of float32, shape (n_texts, 2 * n_themes)
            For each theme half of log(1 + keywords in a hundred words), then log(1 + keywords in the lead).
        """
        check_is_fitted(self)
        themes = len(self.keywords)
        rates = np.zeros((len(texts), 2 * themes), dtype=np.float32)
        for row, text in zip(rates, texts, strict=True):
            words = text.split()
            all_over = count_keywords(self.index_, words, themes)
            row[:themes] = np.log1p(100 * all_over / max(_SHORTEST, len(words))) / 2
            row[themes:] = np.log1p(count_keywords(self.index_, words[:LEAD], themes))
        return csr_matrix(rates)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Name the columns: ``rate0`` … and ``lead0`` …, by the theme's number."""
        return np.array([f"{part}{theme}" for part in ("rate", "lead") for theme in range(len(self.keywords))], object)
