"""What any model must beat: a list of keywords a theme, and the pipeline of the textbooks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from .keywords import KeywordIndex, count_keywords
from .normalize import ArabicNormalizer
from .themes import Taxonomy


def predict_by_keywords(taxonomy: Taxonomy, texts: Sequence[str]) -> NDArray[np.int8]:
    """Say yes to a theme with a keyword in the first line (title or lead) or two anywhere.

    Texts and keywords are normalized; a keyword is met as a whole word, with or without a prefix.

    Returns
    -------
    ndarray of 0 and 1, shape (n_texts, n_themes)
        A theme without keywords is never found.
    """
    normalizer = ArabicNormalizer()
    index = KeywordIndex([normalizer.transform(theme.keywords) for theme in taxonomy.themes])

    def count(parts: Sequence[str]) -> NDArray[np.float32]:
        words = normalizer.words(list(parts))
        return count_keywords(words, index.find(words))[:, : len(taxonomy)]

    in_head, all_over = count([text.partition("\n")[0] for text in texts]), count(texts)
    return ((in_head > 0) | (all_over > 1)).astype(np.int8)


def build_textbook() -> Pipeline:
    """Assemble what a first course teaches: scikit-learn's defaults on the text as it is, one theme after another.

    Themes are balanced: with a few positives among many articles the plain default never says yes.
    """
    learner = LogisticRegression(class_weight="balanced", max_iter=1000)
    return make_pipeline(TfidfVectorizer(), OneVsRestClassifier(learner))
