"""From texts to features: TF-IDF of words, pairs of words and runs of letters inside words, and rates of keywords."""

from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer

from .config import FeaturesConfig, NormalizeConfig
from .keywords import KeywordRates
from .normalize import ArabicNormalizer
from .themes import Taxonomy


class Tfidf(TfidfVectorizer):
    """scikit-learn's TF-IDF, made to pickle to the same bytes every time.

    The parent keeps the memory address of its stop list in its fitted state, to warn only once.
    """

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {key: value for key, value in state.items() if key != "_stop_words_id"}


def build_features(normalize: NormalizeConfig, features: FeaturesConfig, taxonomy: Taxonomy) -> Pipeline:
    """Assemble the steps from raw texts to a sparse float32 matrix of shape (n_texts, n_features).

    The normalizer leaves words separated by spaces. Words of one letter count too, and case does not. Runs of letters
    stop at a word's ends, which they see as spaces: ``" ار", "ارهاب", "اب "``. Each of these blocks of features, words
    and letters, has length 1 a text, times its weight. The rates of the taxonomy's keywords follow, times theirs.
    """
    normalizer = ArabicNormalizer(**vars(normalize))
    shared = {"min_df": features.min_df, "sublinear_tf": features.sublinear_tf, "dtype": np.float32}
    weights = {}
    blocks: list[tuple[str, Any]] = [("words", Tfidf(token_pattern=r"\S+", ngram_range=features.word_ngrams, **shared))]
    if features.char_weight > 0:
        blocks.append(("chars", Tfidf(analyzer="char_wb", ngram_range=features.char_ngrams, **shared)))
        weights["chars"] = features.char_weight
    if features.keyword_weight > 0 and any(theme.keywords for theme in taxonomy.themes):
        keywords = tuple(tuple(normalizer.transform(theme.keywords)) for theme in taxonomy.themes)
        blocks.append(("keywords", KeywordRates(keywords)))
        weights["keywords"] = features.keyword_weight
    steps: list[tuple[str, Any]] = [("normalize", normalizer)]
    if features.head_weight > 1:
        steps.insert(0, ("head", FunctionTransformer(repeat_head, kw_args={"times": features.head_weight})))
    return Pipeline([*steps, ("tfidf", FeatureUnion(blocks, transformer_weights=weights))])


def repeat_head(texts: list[str], times: int) -> list[str]:
    r"""Write the first line of each text, its title or lead, several times.

    >>> repeat_head(["تفكيك خلية\nأعلنت السلطات"], times=2)
    ['تفكيك خلية\nتفكيك خلية\nأعلنت السلطات']
    """
    return [(text.partition("\n")[0] + "\n") * (times - 1) + text for text in texts]
