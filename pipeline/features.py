"""From texts to features: TF-IDF of words, pairs of words and runs of letters inside words, and rates of keywords."""

from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError

from .config import FeaturesConfig, NormalizeConfig
from .hashtable import Ints
from .keywords import Found, KeywordRates
from .normalize import ArabicNormalizer, check_texts
from .tfidf import NgramTfidf
from .themes import Taxonomy
from .words import Words, chunked

# Characters whose features are made at a time. Each look-up table has to come into the processor's cache again for each
# of these chunks, which fewer of them do less often; larger ones do not fit there themselves.
_CHUNK = 400_000


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
        chunks = list(self.split(texts))
        self.ngrams_ = clone(self.ngrams)
        self.keywords_ = None if self.keywords is None else clone(self.keywords).fit([])
        return self.ngrams_.learn(chunks, self._rates(chunks))

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
        chunks = list(self.split(texts))
        return self.ngrams_.weigh(chunks, self._rates(chunks))

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
        return self.ngrams_.prune(X[:, :n_ngrams], kept, [X[:, n_ngrams:]])

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Name the columns: those of `NgramTfidf`, then those of `KeywordRates`."""
        names = self.ngrams_.get_feature_names_out()
        return names if self.keywords_ is None else np.append(names, self.keywords_.get_feature_names_out())

    def split(self, texts: Sequence[str]) -> Iterator[Words]:
        """Normalize raw texts and split them into words, some `_CHUNK` characters at a time."""
        for some in chunked(check_texts(texts), _CHUNK):
            yield self.normalizer.words(repeat_head(some, self.head_weight) if self.head_weight > 1 else some)

    def find_words(self, text: str) -> tuple[NDArray[np.uint32], Ints]:
        """Normalize one raw text and find its words: their code points and edges, see `Words`."""
        if self.head_weight > 1:
            (text,) = repeat_head([text], self.head_weight)
        return self.normalizer.find_words(text)

    def rate(self, words: Words, found: Found | None = None) -> NDArray[np.float32]:
        """Give the rates of keywords in texts, see `KeywordRates.rate`; only where there are any."""
        assert self.keywords_ is not None
        rates: NDArray[np.float32] = self.keywords_.rate(words, found)
        rates *= np.float32(self.keyword_weight)
        return rates

    def _rates(self, chunks: list[Words]) -> list[csr_matrix]:
        """Give the rates of keywords in all texts; nothing if there are no keywords."""
        if self.keywords_ is None:
            return []
        none = np.zeros((0, len(self.keywords_.get_feature_names_out())), dtype=np.float32)
        return [csr_matrix(np.concatenate([none, *map(self.rate, chunks)]))]

    def _check_fitted(self) -> None:
        if not hasattr(self, "ngrams_"):
            raise NotFittedError("these TextFeatures are not fitted yet; call fit first")


def build_features(normalize: NormalizeConfig, features: FeaturesConfig, taxonomy: Taxonomy) -> TextFeatures:
    """Assemble the steps from raw texts to a sparse float32 matrix of shape (n_texts, n_features).

    The normalizer leaves words separated by spaces. Words of one letter count too. Runs of letters stop at a word's
    ends, which they see as spaces: ``" ار", "ارهاب", "اب "``. Of these blocks of features, words have length 1 a
    text, letters about their weight. The rates of the taxonomy's keywords follow, times theirs.
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
