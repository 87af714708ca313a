"""Features times coefficients, without making the features: what a fitted model does to a text.

The letters of a text are counted plainly, and what they are divided by is the root of a sum over its running words. So
what a word's letters are worth to each output, and what they add to that sum, its mass, is added up once, for all words
known; a text then costs one look-up a word instead of one for each run of its letters. fastText (Bojanowski et al.,
"Enriching word vectors with subword information", TACL 2017) is quick for the same reason.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .hashtable import Ints
from .words import Words

if TYPE_CHECKING:
    from .features import TextFeatures

Floats = NDArray[np.float32]
Projected = tuple[Floats, NDArray[np.bool_], NDArray[np.float64]]


class Projection:
    """Multiplies features of texts by coefficients.

    Parameters
    ----------
    features : TextFeatures
        Fitted.
    coef : ndarray of float32, shape (n_outputs, n_features)
    """

    def __init__(self, features: "TextFeatures", coef: Floats) -> None:
        self.features, self.coef = features, coef
        ngrams = features.ngrams_
        by_feature = np.ascontiguousarray(coef.T, dtype=np.float32)
        n_runs, n_ngrams = ngrams.n_runs, len(ngrams.idf_)
        self._runs = by_feature[:n_runs]
        self._rates = by_feature[n_ngrams:]
        # Of each run of letters, and of each known word, the last row that of no word: its outputs, and its mass.
        idf = ngrams.idf_[n_runs:, None]
        self._letters = np.concatenate((by_feature[n_runs:n_ngrams] * idf, idf * idf), axis=1)
        spelled = ngrams.spelling()
        self._words = np.zeros((spelled.shape[0] + 1, self._letters.shape[1]), dtype=np.float32)
        self._words[:-1] = spelled @ self._letters

    def __call__(self, texts: Sequence[str]) -> Projected:
        """Multiply: ``features.transform(texts) @ coef.T``.

        Parameters
        ----------
        texts : sequence of str

        Returns
        -------
        products : ndarray of float32, shape (n_texts, n_outputs)
        known : ndarray of bool, shape (n_texts,)
            False for texts of which no feature is known.
        unseen : ndarray of float64, shape (n_texts,)
            Share of its words that are not in ``features.ngrams_.vocabulary_``; 1 for a text without words.
        """
        products = np.zeros((len(texts), self._runs.shape[1]), dtype=np.float32)
        known = np.zeros(len(texts), dtype=np.bool_)
        unseen = np.ones(len(texts))
        first = 0
        for words in self.features.split(texts):
            rows = slice(first, first := first + len(words.counts))
            numbers = self.features.ngrams_.number(words)
            self._add(words, numbers, products[rows], known[rows])
            seen = np.bincount(words.owners, numbers >= 0, len(words.counts))
            unseen[rows] -= seen / np.maximum(words.counts, 1)
        return products, known, unseen

    def _add(self, words: Words, numbers: Ints, products: Floats, known: NDArray[np.bool_]) -> None:
        # Summed text by text, so that each gets the same bits alone and among others.
        ngrams = self.features.ngrams_
        values, columns, bounds = ngrams.weigh_runs(words, numbers)
        sizes = bounds[1:] - bounds[:-1]
        products += _sum_weighted(self._runs, columns, values, sizes)
        known |= sizes > 0
        if ngrams.char_ngrams is not None:
            letters = self._add_letters(words, numbers)
            filled = letters[:, -1].nonzero()[0]
            mass = letters[filled, -1:]
            products[filled] += letters[filled, :-1] * (np.float32(ngrams.char_weight) / np.sqrt(mass))
            known[filled] = True
        if self.features.keywords_ is not None:
            rates = self.features.rate(words)
            texts, columns = rates.nonzero()
            sizes = np.bincount(texts, minlength=len(rates))
            products += _sum_weighted(self._rates, columns, rates[texts, columns], sizes)
            known[texts] = True

    def _add_letters(self, words: Words, numbers: Ints) -> Floats:
        """Sum outputs and mass of the letters of each text."""
        letters = _sum_rows(self._words.take(numbers, axis=0), words.counts)
        unknown = (numbers < 0).nonzero()[0]
        which, found = self.features.ngrams_.spell(words, unknown)
        owners = words.owners.take(unknown.take(which))
        narrow = np.uint16 if len(words.counts) < 1 << 16 else np.uint32  # 16 bits are sorted fastest
        order = np.argsort(owners.astype(narrow), kind="stable")
        parts = self._letters.take(found.take(order), axis=0)
        letters += _sum_rows(parts, np.bincount(owners, minlength=len(words.counts)))
        return letters


def _sum_weighted(rows: Floats, some: Ints, weights: Floats, sizes: Ints) -> Floats:
    """Weigh some of the rows, and sum them as `_sum_rows` does."""
    parts = rows.take(some, axis=0)
    parts *= weights[:, None]
    return _sum_rows(parts, sizes)


def _sum_rows(rows: Floats, sizes: Ints) -> Floats:
    """Sum the first rows, the next ones, and so on, as many as each size says."""
    sums = np.zeros((len(sizes), rows.shape[1]), dtype=np.float32)
    filled = sizes.nonzero()[0]
    if filled.size:
        sums[filled] = np.add.reduceat(rows, (sizes.cumsum() - sizes).take(filled), axis=0)
    return sums
