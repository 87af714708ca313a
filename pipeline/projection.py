"""Features times coefficients, without making the features: what a fitted model does to a text.

The letters of a text are counted plainly, and what they are divided by is the root of a sum over its running words. So
what a word's letters are worth to each output, and what they add to that sum, its mass, is added up once, for all words
known; a text then costs one look-up a word instead of one for each run of its letters. fastText (Bojanowski et al.,
"Enriching word vectors with subword information", TACL 2017) is quick for the same reason.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .hashtable import Hashes, HashTable, Ints
from .keywords import Found, KeywordIndex, in_order
from .memory import keep_some
from .normalize import check_texts
from .tfidf import tally
from .words import Words, distinct, hash_runs, hash_words, sum_rows

if TYPE_CHECKING:
    from .features import TextFeatures

_BEGIN = np.array([0])  # of the only text
_FEW = 1000  # times that a word occurs, for which how much it counts is computed once
_TINY = np.float32(np.finfo(np.float32).tiny)
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Projected = tuple[Floats, Flags, NDArray[np.float64]]


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
        n_ngrams = len(ngrams.idf_)
        # Of each n-gram that occurs once, its outputs, and what it adds to the text's length, squared: its mass.
        idf = ngrams.idf_[:, None]
        weighed = np.concatenate((by_feature[:n_ngrams] * idf, idf * idf), axis=1)
        self._runs, self._letters = np.split(weighed, [ngrams.n_runs])
        self._rates = by_feature[n_ngrams:]
        self._keywords = None
        if features.keywords_ is not None:
            self._keywords = KeywordPlaces(features.keywords_.index, ngrams.hashes, ngrams.word_ngrams[1])
        # One table of all that is looked up: n-grams of words first, then keywords that are none of them.
        self._n_known = len(ngrams.hashes)
        self._table = HashTable(ngrams.hashes if self._keywords is None else self._keywords.hashes)
        # Of all letters of each known word; nothing for keywords, nor in the last row, that of no word.
        self._words = np.zeros((len(self._table) + 1, len(coef) + 1), dtype=np.float32)
        self._words[: self._n_known] = ngrams.spelling() @ self._letters
        self._times = ngrams.damp(np.arange(_FEW, dtype=np.float32).clip(1))
        keep_some()

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        keep_some()

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
        texts = check_texts(texts)
        if len(texts) == 1:
            products, is_known, share = self.multiply_one(texts[0])
            return products, np.array([is_known]), np.array([share])
        parts = [self._multiply(words) for words in self.features.split(texts)]
        if len(parts) == 1:
            return parts[0]
        none = np.zeros((0, len(self.coef)), dtype=np.float32), np.zeros(0, dtype=np.bool_), np.zeros(0)
        products, known, unseen = (np.concatenate(some) for some in zip(none, *parts, strict=True))
        return products, known, unseen

    def _multiply(self, words: Words) -> Projected:
        # Summed text by text, so that each gets the same bits alone and among others.
        ngrams = self.features.ngrams_
        places = self._table.find(words.runs(ngrams.word_ngrams[1]))
        products, known = _scale(self._sum_runs(words, places), 1.0)
        unknown = self._find_unknown(places)
        counts, before = words.counts, unknown.searchsorted(words.bounds)
        unseen = np.maximum(before[1:] - before[:-1], counts == 0) / np.maximum(counts, 1)
        self._add_others(words, places, unknown, products, known)
        return products, known, unseen

    def multiply_one(self, text: str) -> tuple[Floats, bool, float]:
        """Multiply the features of one text: products of shape (1, n_outputs), whether any is known, share unseen.

        They have the same bits as among several texts, but take half as many steps of NumPy. With some hundred words
        it is the number of steps that counts.
        """
        ngrams = self.features.ngrams_
        codes, edges = self.features.find_words(text)
        hashes, n_words = hash_words(codes, edges), len(edges)
        runs = hash_runs(hashes, ngrams.word_ngrams[1])
        at, found = self._table.find_known(runs.ravel())
        sums = self._sum_one(found)
        products, mass = sums[:, :-1], sums.item(-1)
        if mass > 0:
            products *= np.float32(1) / np.float32(math.sqrt(mass))
        is_known = mass > 0
        if ngrams.char_ngrams is None and self._keywords is None:
            n_unknown = n_words - int(at.searchsorted(n_words))
        else:
            turned = np.full(runs.shape, -1)
            turned.ravel()[at] = found
            places = turned.T
            unknown = self._find_unknown(places)
            n_unknown, known = len(unknown), np.array([is_known])
            self._add_others(Words(codes, edges, np.array([0, n_words]), hashes), places, unknown, products, known)
            is_known = bool(known[0])
        return products, is_known, n_unknown / n_words if n_words else 1.0

    def _find_unknown(self, places: Ints) -> Ints:
        """Say which words, by what `_table` finds, are not in the vocabulary."""
        unknown: Ints = (places[:, 0].view(np.uint64) >= self._n_known).nonzero()[0]  # -1 is a high number there
        return unknown

    def _add_others(self, words: Words, places: Ints, unknown: Ints, products: Floats, known: Flags) -> None:
        """Add what letters and keywords say to products, and that there are any to what is known."""
        ngrams = self.features.ngrams_
        numbers = places[:, 0]
        if ngrams.char_ngrams is not None:
            letters, spelled = _scale(self._sum_letters(words, numbers, unknown), ngrams.char_weight)
            products += letters
            known |= spelled
        if self._keywords is not None:
            found = self._keywords.find(words, places)
            if len(found[0]):
                rates = self.features.rate(words, found)
                parts = (rates[:, :, None] * self._rates).reshape(-1, products.shape[1])
                products += sum_rows(parts, np.arange(len(rates) + 1) * rates.shape[1])
                known |= rates.any(axis=1)

    def _sum_runs(self, words: Words, places: Ints) -> Floats:
        """Sum outputs and mass of the words of each text, and of their runs."""
        counts, columns, bounds = tally(*self.features.ngrams_.pick_features(words, places))
        parts = self._runs.take(columns, axis=0, mode="clip")  # quicker, as none lies beyond
        times = self.features.ngrams_.damp(counts)
        parts *= times[:, None]
        parts[:, -1] *= times
        return sum_rows(parts, bounds)

    def _sum_one(self, places: Ints) -> Floats:
        """Do what `_sum_runs` does, for one text."""
        columns = places.copy()
        columns.sort()
        columns = columns[: columns.searchsorted(self.features.ngrams_.n_runs)]
        if not columns.size:
            return np.zeros((1, self._runs.shape[1]), dtype=np.float32)
        first = np.empty(len(columns) + 1, dtype=np.bool_)
        first[0] = first[-1] = True
        np.not_equal(columns[1:], columns[:-1], out=first[1:-1])
        starts = first.nonzero()[0]
        parts = self._runs.take(columns.take(starts[:-1]), axis=0, mode="clip")
        counts = starts[1:] - starts[:-1]
        few = len(columns) < len(self._times)
        times = self._times.take(counts) if few else self.features.ngrams_.damp(counts.astype(np.float32))
        parts *= times[:, None]
        parts[:, -1] *= times
        return np.add.reduceat(parts, _BEGIN, axis=0)

    def _sum_letters(self, words: Words, numbers: Ints, unknown: Ints) -> Floats:
        """Sum outputs and mass of the letters of each text."""
        letters = sum_rows(self._words.take(numbers, axis=0), words.bounds)
        if unknown.size:
            which, found = self.features.ngrams_.spell(words, unknown)
            bounds = unknown.take(which).searchsorted(words.bounds)
            letters += sum_rows(self._letters.take(found, axis=0, mode="clip"), bounds)
        return letters


class KeywordPlaces:
    """Finds keywords among the places of words and their runs, which are looked up anyway.

    Parameters
    ----------
    index : KeywordIndex
    hashes : ndarray of uint64, shape (n_places,)
        Of the words and runs that are looked up without it.
    longest : int
        Words of a run. Of longer keywords the beginning is looked up, and the rest only where that is found.

    Attributes
    ----------
    hashes : ndarray of uint64, shape (n_places + n_more,)
        Those given, and those that it needs looked up, too.
    """

    def __init__(self, index: KeywordIndex, hashes: Hashes, longest: int) -> None:
        self._index = index
        whole, openings = index.sizes <= longest, index.open(longest)
        wanted = distinct(np.concatenate((index.hashes[whole], openings)))
        numbers = HashTable(wanted).find(hashes)
        more = np.setdiff1d(np.arange(len(wanted)), numbers)
        self.hashes = np.concatenate((hashes, wanted.take(more)))
        # A number from 1 for what is wanted, at its place; 0 elsewhere, and in the last place, that of no word.
        self._numbers = np.concatenate((numbers, more, [-1])).astype(np.int32) + np.int32(1)  # small, for the cache
        self._themes = np.zeros((len(wanted) + 1, index.themes.shape[1]), dtype=np.float32)
        self._themes[wanted.searchsorted(index.hashes[whole]) + 1] = index.themes[whole]
        self._opens = np.zeros(len(wanted) + 1, dtype=np.bool_)
        self._opens[wanted.searchsorted(openings) + 1] = True

    def find(self, words: Words, places: Ints) -> Found:
        """Find what `KeywordIndex.find` finds, given the places of words and runs, shape (n_words, longest)."""
        longest = places.shape[1]
        numbers = self._numbers.take(places.ravel())
        at = numbers.nonzero()[0]
        numbers = numbers.take(at)
        first: Ints = at // longest
        last, themes = at - first * (longest - 1), self._themes.take(numbers, axis=0)
        opening = self._opens.take(numbers)
        if not opening.any():
            return first, last, themes
        more = self._index.find(words, first[opening], shortest=longest + 1)
        whole = themes.any(axis=1)  # the others are no keywords, but only the beginnings of some
        parts = zip((first[whole], last[whole], themes[whole]), more, strict=True)
        return in_order(*(np.concatenate(part) for part in parts))


def _scale(sums: Floats, weight: float) -> tuple[Floats, Flags]:
    """Divide outputs by the root of their mass, and multiply them by a weight; tell where there is any mass."""
    outputs, mass = sums[:, :-1], sums[:, -1:]
    outputs *= weight / np.sqrt(np.maximum(mass, _TINY))
    return outputs, mass[:, 0] > 0
