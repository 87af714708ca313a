"""From texts to features: TF-IDF of words, pairs of words and runs of letters inside words, and rates of keywords."""

from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError

from .config import FeaturesConfig, NormalizeConfig
from .keywords import KeywordRates
from .normalize import ArabicNormalizer, check_texts
from .tfidf import NgramTfidf
from .themes import Taxonomy
from .words import Words, batched

_CHUNK = 16  # texts whose features are made at a time, so that they stay in the processor's cache


class TextFeatures(TransformerMixin, BaseEstimator):
    """From raw texts to features: a normalizer, then n-grams and rates of keywords side by side.

    What scikit-learn's ``Pipeline`` and ``FeatureUnion`` of these would give, but that a text is split into words once.

    Parameters
    ----------
    normalizer : ArabicNormalizer
    ngrams : NgramTfidf
    keywords : KeywordRates or None, default=None
    keyword_weight : float, default=1.0
        Of the rates beside the n-grams.
    head_weight : int, default=1
        Times the first line of a text, its title or lead, is counted.

    Attributes
    ----------
    ngrams_ : fitted NgramTfidf
    keywords_ : fitted KeywordRates or None
    """

    def __init__(
        self,
        normalizer: ArabicNormalizer,
        ngrams: NgramTfidf,
        keywords: KeywordRates | None = None,
        *,
        keyword_weight: float = 1.0,
        head_weight: int = 1,
    ) -> None:
        self.normalizer = normalizer
        self.ngrams = ngrams
        self.keywords = keywords
        self.keyword_weight = keyword_weight
        self.head_weight = head_weight

    def fit(self, texts: Sequence[str], y: Any = None) -> Self:
        """Learn the features of texts; raises as `NgramTfidf.fit` does."""
        self.fit_transform(texts)
        return self

    def fit_transform(self, texts: Sequence[str], y: Any = None) -> csr_matrix:
        """Learn, and give the features of the same texts, see `transform`."""
        chunks = list(self._split(texts))
        self.ngrams_ = clone(self.ngrams)
        self.keywords_ = None if self.keywords is None else clone(self.keywords).fit([])
        return self._beside(self.ngrams_.learn(chunks), chunks)

    def transform(self, texts: Sequence[str]) -> csr_matrix:
        """Turn raw texts into features.

        Returns
        -------
        sparse matrix of float32, shape (n_texts, n_features)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it was not fitted.
        """
        self._check_fitted()
        chunks = list(self._split(texts))
        parts = [self.ngrams_.weigh(words, self.ngrams_.find(words)) for words in chunks]
        return self._beside(self.ngrams_.join(parts), chunks)

    def project(
        self, texts: Sequence[str], coef: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]:
        """Multiply features by coefficients: ``transform(texts) @ coef.T``, without the matrix of features.

        Parameters
        ----------
        texts : sequence of str
        coef : ndarray of float32, shape (n_outputs, n_features)
            Quickest where the outputs of a feature lie side by side in memory.

        Returns
        -------
        products : ndarray of float32, shape (n_texts, n_outputs)
        known : ndarray of bool, shape (n_texts,)
            False for texts of which no feature is known.
        unseen : ndarray of float64, shape (n_texts,)
            Share of its words that are not in ``ngrams_.vocabulary_``; 1 for a text without words.
        """
        self._check_fitted()
        products = np.zeros((len(texts), len(coef)), dtype=np.float32)
        known = np.zeros(len(texts), dtype=np.bool_)
        unseen = np.ones(len(texts))
        by_feature, n_ngrams = coef.T, len(self.ngrams_.idf_)
        first = 0
        for words in self._split(texts):
            rows = slice(first, first := first + len(words.counts))
            numbers = self.ngrams_.find(words)
            seen = np.bincount(words.owners, numbers >= 0, len(words.counts))
            unseen[rows] -= seen / np.maximum(words.counts, 1)
            values, columns, bounds = self.ngrams_.weigh(words, numbers)
            # Summed text by text, so that each gets the same bits alone and among others.
            bounds = bounds[::2]
            filled = (bounds[1:] > bounds[:-1]).nonzero()[0]
            parts = by_feature.take(columns, axis=0)
            parts *= values[:, None]
            products[rows][filled] = np.add.reduceat(parts, bounds.take(filled), axis=0) if filled.size else 0
            known[rows][filled] = True
            if self.keywords_ is not None:
                rates = self._rate(words)
                for theme in np.flatnonzero(rates.any(axis=0)).tolist():
                    products[rows] += rates[:, theme, None] * by_feature[n_ngrams + theme]
                known[rows] |= rates.any(axis=1)
        return products, known, unseen

    def prune(self, X: csr_matrix, strength: NDArray[np.floating[Any]], most: int) -> csr_matrix:
        """Forget all but the strongest n-grams; the rates of keywords stay.

        Parameters
        ----------
        X : sparse matrix of shape (n_texts, n_features)
            Features of some texts.
        strength : ndarray, shape (n_features,)
        most : int
            N-grams to keep.

        Returns
        -------
        sparse matrix of shape (n_texts, fewer)
            What `transform` gives for these texts from now on.
        """
        n_ngrams = len(self.ngrams_.idf_)
        kept = np.zeros(n_ngrams, dtype=np.bool_)
        kept[np.argsort(-strength[:n_ngrams], kind="stable")[:most]] = True
        ngrams = self.ngrams_.prune(X[:, :n_ngrams], kept)
        return hstack((ngrams, X[:, n_ngrams:]), format="csr", dtype=np.float32)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Name the columns: those of `NgramTfidf`, then those of `KeywordRates`."""
        names = self.ngrams_.get_feature_names_out()
        return names if self.keywords_ is None else np.append(names, self.keywords_.get_feature_names_out())

    def _split(self, texts: Sequence[str]) -> Iterator[Words]:
        for some in batched(check_texts(texts), _CHUNK):
            yield self.normalizer.words(repeat_head(some, self.head_weight) if self.head_weight > 1 else some)

    def _rate(self, words: Words) -> NDArray[np.float32]:
        assert self.keywords_ is not None
        rates: NDArray[np.float32] = self.keywords_.rate(words) * np.float32(self.keyword_weight)
        return rates

    def _beside(self, ngrams: csr_matrix, chunks: list[Words]) -> csr_matrix:
        """Put the rates of keywords to the right of the n-grams of the same texts."""
        if self.keywords_ is None or not chunks:
            return ngrams if self.keywords_ is None else csr_matrix((0, len(self.get_feature_names_out())))
        rates = np.concatenate([self._rate(words) for words in chunks])
        return hstack((ngrams, csr_matrix(rates)), format="csr", dtype=np.float32)

    def _check_fitted(self) -> None:
        if not hasattr(self, "ngrams_"):
            raise NotFittedError("these TextFeatures are not fitted yet; call fit first")


def build_features(normalize: NormalizeConfig, features: FeaturesConfig, taxonomy: Taxonomy) -> TextFeatures:
    """Assemble the steps from raw texts to a sparse float32 matrix of shape (n_texts, n_features).

    The normalizer leaves words separated by spaces. Words of one letter count too. Runs of letters stop at a word's
    ends, which they see as spaces: ``" ار", "ارهاب", "اب "``. Each of these blocks of features, words and letters, has
    length 1 a text, times its weight. The rates of the taxonomy's keywords follow, times theirs.
    """
    normalizer = ArabicNormalizer(**vars(normalize))
    ngrams = NgramTfidf(
        word_ngrams=features.word_ngrams,
        char_ngrams=features.char_ngrams if features.char_weight > 0 else None,
        min_df=features.min_df,
        sublinear_tf=features.sublinear_tf,
        char_weight=features.char_weight,
    )
    keywords = None
    if features.keyword_weight > 0 and any(theme.keywords for theme in taxonomy.themes):
        keywords = KeywordRates(tuple(tuple(normalizer.transform(theme.keywords)) for theme in taxonomy.themes))
    return TextFeatures(
        normalizer, ngrams, keywords, keyword_weight=features.keyword_weight, head_weight=features.head_weight
    )


def repeat_head(texts: list[str], times: int) -> list[str]:
    r"""Write the first line of each text, its title or lead, several times.

    >>> repeat_head(["تفكيك خلية\nأعلنت السلطات"], times=2)
    ['تفكيك خلية\nتفكيك خلية\nأعلنت السلطات']
    """
    return [(text.partition("\n")[0] + "\n") * (times - 1) + text for text in texts]
