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
from .tfidf import narrow, tally
from .words import Words

if TYPE_CHECKING:
    from .features import TextFeatures

_TINY = np.float32(np.finfo(np.float32).tiny)
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
        n_runs, n_ngrams, n_outputs = ngrams.n_runs, len(ngrams.idf_), len(coef)
        self._rates = by_feature[n_ngrams:]
        # Of each n-gram that occurs once, its outputs, and what it adds to the text's length, squared: its mass.
        idf = ngrams.idf_[:, None]
        weighed = np.concatenate((by_feature[:n_ngrams] * idf, idf * idf), axis=1)
        self._runs = np.zeros((ngrams.n_places, n_outputs + 1), dtype=np.float32)
        self._runs[:n_runs] = weighed[:n_runs]
        self._letters = weighed[n_runs:]
        # Of all letters of each known word; the last row is that of no word.
        self._words = np.zeros((ngrams.n_places + 1, n_outputs + 1), dtype=np.float32)
        self._words[:-1] = ngrams.spelling() @ self._letters

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
        products = np.zeros((len(texts), len(self.coef)), dtype=np.float32)
        known = np.zeros(len(texts), dtype=np.bool_)
        unseen = np.ones(len(texts))
        first = 0
        for words in self.features.split(texts):
            rows = slice(first, first := first + len(words.counts))
            places = self.features.ngrams_.find(words)
            products[rows], known[rows] = self._multiply(words, places)
            unseen[rows] -= words.count(places[:, 0] >= 0) / np.maximum(words.counts, 1)
        return products, known, unseen

    def _multiply(self, words: Words, places: Ints) -> tuple[Floats, NDArray[np.bool_]]:
        # Summed text by text, so that each gets the same bits alone and among others.
        products, known = _scale(self._sum_runs(words, places), 1.0)
        if self.features.ngrams_.char_ngrams is not None:
            letters, spelled = _scale(self._sum_letters(words, places[:, 0]), self.features.ngrams_.char_weight)
            products += letters
            known |= spelled
        if self.features.keywords_ is not None:
            rates = self.features.rate(words)
            texts, columns = rates.nonzero()
            parts = self._rates.take(columns, axis=0) * rates[texts, columns][:, None]
            products += _sum_rows(parts, np.bincount(texts, minlength=len(rates)))
            known[texts] = True
        return products, known

    def _sum_runs(self, words: Words, places: Ints) -> Floats:
        """Sum outputs and mass of the words of each text, and of their runs."""
        found = (places >= 0).ravel().nonzero()[0]
        counts, columns, bounds = tally(words, found // places.shape[1], places.ravel().take(found))
        parts = self._runs.take(columns, axis=0, mode="clip")
        several = (counts > 1).nonzero()[0]
        times = counts.take(several)[:, None]
        if self.features.ngrams_.sublinear_tf:
            times = np.log(times) + np.float32(1)
        some = parts.take(several, axis=0) * times
        some[:, -1:] *= times
        parts[several] = some
        return _sum_rows(parts, bounds[1:] - bounds[:-1])

    def _sum_letters(self, words: Words, numbers: Ints) -> Floats:
        """Sum outputs and mass of the letters of each text."""
        letters = _sum_rows(self._words.take(numbers, axis=0), words.counts)
        unknown = (numbers < 0).nonzero()[0]
        which, found = self.features.ngrams_.spell(words, unknown)
        if len(words.counts) == 1:  # nothing to sort by text: an article alone is answered sooner
            return letters + _sum_rows(self._letters.take(found, axis=0), np.array([len(found)]))
        owners = words.owners.take(unknown.take(which))
        order = np.argsort(owners.astype(narrow(len(words.counts))), kind="stable")
        parts = self._letters.take(found.take(order), axis=0)
        letters += _sum_rows(parts, np.bincount(owners, minlength=len(words.counts)))
        return letters


def _scale(sums: Floats, weight: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Divide outputs by the root of their mass, and multiply them by a weight; tell where there is any mass."""
    outputs, mass = sums[:, :-1], sums[:, -1:]
    outputs *= weight / np.sqrt(np.maximum(mass, _TINY))
    return outputs, mass[:, 0] > 0


def _sum_rows(rows: Floats, sizes: Ints) -> Floats:
    """Sum the first rows, the next ones, and so on, as many as each size says."""
    if len(sizes) == 1 and len(rows):
        return np.add.reduceat(rows, [0], axis=0)
    sums = np.zeros((len(sizes), rows.shape[1]), dtype=np.float32)
    filled = sizes.nonzero()[0]
    if filled.size:
        sums[filled] = np.add.reduceat(rows, (sizes.cumsum() - sizes).take(filled), axis=0)
    return sums
