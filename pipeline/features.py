"""From texts to features: TF-IDF of words, pairs of words and runs of letters inside words, and rates of keywords."""

from typing import Any

from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer

from .config import FeaturesConfig, NormalizeConfig
from .keywords import KeywordRates
from .normalize import ArabicNormalizer
from .tfidf import NgramTfidf
from .themes import Taxonomy


def build_features(normalize: NormalizeConfig, features: FeaturesConfig, taxonomy: Taxonomy) -> Pipeline:
    """Assemble the steps from raw texts to a sparse float32 matrix of shape (n_texts, n_features).

    The normalizer leaves words separated by spaces. Words of one letter count too, and case does not. Runs of letters
    stop at a word's ends, which they see as spaces: ``" ار", "ارهاب", "اب "``. Each of these blocks of features, words
    and letters, has length 1 a text, times its weight. The rates of the taxonomy's keywords follow, times theirs.
    """
    normalizer = ArabicNormalizer(**vars(normalize))
    ngrams = NgramTfidf(
        word_ngrams=features.word_ngrams,
        char_ngrams=features.char_ngrams if features.char_weight > 0 else None,
        min_df=features.min_df,
        sublinear_tf=features.sublinear_tf,
        char_weight=features.char_weight,
    )
    blocks: list[tuple[str, Any]] = [("ngrams", ngrams)]
    weights = {}
    if features.keyword_weight > 0 and any(theme.keywords for theme in taxonomy.themes):
        keywords = tuple(tuple(normalizer.transform(theme.keywords)) for theme in taxonomy.themes)
        blocks.append(("keywords", KeywordRates(keywords)))
        weights["keywords"] = features.keyword_weight
    steps: list[tuple[str, Any]] = [("normalize", normalizer)]
    if features.head_weight > 1:
        steps.insert(0, ("head", FunctionTransformer(repeat_head, kw_args={"times": features.head_weight})))
    union = FeatureUnion(blocks, transformer_weights=weights, verbose_feature_names_out=False)
    return Pipeline([*steps, ("features", union)])


def repeat_head(texts: list[str], times: int) -> list[str]:
    r"""Write the first line of each text, its title or lead, several times.

    >>> repeat_head(["تفكيك خلية\nأعلنت السلطات"], times=2)
    ['تفكيك خلية\nتفكيك خلية\nأعلنت السلطات']
    """
    return [(text.partition("\n")[0] + "\n") * (times - 1) + text for text in texts]
