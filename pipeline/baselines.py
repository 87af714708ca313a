"""What any model must beat: a list of keywords a theme, and the pipeline of the textbooks."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from .normalize import ArabicNormalizer
from .themes import Taxonomy

# و ف (and) · ب ل ك (in, to, as) · ال or لل (the), joined to the next word
_PREFIX = "[وف]?(?:[بك]?(?:ال)?|لل?)"


def predict_by_keywords(taxonomy: Taxonomy, texts: Sequence[str]) -> NDArray[np.int8]:
    """Say yes to a theme with a keyword in the first line (title or lead) or two anywhere.

    Texts and keywords are normalized; a keyword is met as a whole word, with or without a prefix.

    Returns
    -------
    ndarray of 0 and 1, shape (n_texts, n_themes)
        A theme without keywords is never found.
    """
    normalizer = ArabicNormalizer()
    patterns = [_pattern(normalizer.transform(theme.keywords)) for theme in taxonomy.themes]
    heads = normalizer.transform(text.partition("\n")[0] for text in texts)
    answers = np.zeros((len(texts), len(taxonomy)), dtype=np.int8)
    for i, (head, text) in enumerate(zip(heads, normalizer.transform(texts), strict=True)):
        for j, pattern in enumerate(patterns):
            answers[i, j] = pattern is not None and (bool(pattern.search(head)) or len(pattern.findall(text)) > 1)
    return answers


def build_textbook() -> Pipeline:
    """Assemble what a first course teaches: scikit-learn's defaults on the text as it is, one theme after another.

    Themes are balanced: with a few positives among many articles the plain default never says yes.
    """
    learner = LogisticRegression(class_weight="balanced", max_iter=1000)
    return make_pipeline(TfidfVectorizer(), OneVsRestClassifier(learner))


def _pattern(keywords: Sequence[str]) -> re.Pattern[str] | None:
    if not keywords:
        return None
    longest_first = sorted(map(re.escape, keywords), key=len, reverse=True)
    return re.compile(rf"(?<!\S){_PREFIX}(?:{'|'.join(longest_first)})(?!\S)")
