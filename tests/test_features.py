import io
from dataclasses import replace

import joblib
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from pipeline.config import Config
from pipeline.features import build_features, repeat_head
from pipeline.normalize import ArabicNormalizer
from pipeline.tfidf import NgramTfidf
from pipeline.themes import Taxonomy, Theme

PLAIN = Taxonomy((Theme("a", "أ", "A", "A", ""),))  # without keywords
TEXTS = ["أوقفت الشرطة مهربا و٣ شركاء", "أوقفت الجمارك مهربا", "فاز المنتخب على ضيفه و فرح الجمهور"]


def test_the_blocks_are_made_as_configured(config: Config) -> None:
    wanted = replace(config.features, min_df=1, head_weight=1, char_weight=0.5)
    X = build_features(config.normalize, wanted, PLAIN).fit_transform(TEXTS)
    ngrams = NgramTfidf(
        word_ngrams=wanted.word_ngrams, char_ngrams=wanted.char_ngrams, min_df=1, sublinear_tf=wanted.sublinear_tf,
        char_weight=0.5,
    )  # fmt: skip
    np.testing.assert_array_equal(X.toarray(), ngrams.fit_transform(ArabicNormalizer().transform(TEXTS)).toarray())
    assert X.dtype == np.float32


def test_a_weight_of_zero_leaves_the_letters_out(config: Config) -> None:
    features = build_features(config.normalize, replace(config.features, min_df=1, char_weight=0.0), PLAIN).fit(TEXTS)
    assert all(name.startswith("words__") for name in features.get_feature_names_out())


def test_rates_of_keywords_follow_with_their_weight(config: Config) -> None:
    taxonomy = Taxonomy((Theme("a", "أ", "A", "A", "", keywords=("مُهرّبا",)), Theme("b", "ب", "B", "B", "")))
    wanted = replace(config.features, min_df=1, keyword_weight=0.5)
    X = build_features(config.normalize, wanted, taxonomy).fit_transform(TEXTS).toarray()[:, -4:]
    once = np.log1p(100 / 20) / 2  # of the 20 words that a shorter text is taken for
    np.testing.assert_allclose(X[:, 0], [0.5 * once, 0.5 * once, 0], rtol=1e-6)  # vowel signs aside
    np.testing.assert_allclose(X[:, 2], [0.5 * np.log(2), 0.5 * np.log(2), 0], rtol=1e-6)
    assert not X[:, [1, 3]].any()
    without = build_features(config.normalize, replace(wanted, keyword_weight=0.0), taxonomy).fit(TEXTS)
    assert not any(name.startswith(("rate", "lead")) for name in without.get_feature_names_out())


def test_a_word_of_one_letter_counts(config: Config) -> None:
    features = build_features(config.normalize, replace(config.features, min_df=1), PLAIN).fit(TEXTS)
    assert "words__و" in features.get_feature_names_out()


def test_the_head_counts_as_often_as_asked(config: Config) -> None:
    assert repeat_head(["أ\nب", "ج"], times=3) == ["أ\nأ\nأ\nب", "ج\nج\nج"]
    wanted = replace(config.features, min_df=1)
    twice = build_features(config.normalize, replace(wanted, head_weight=2), PLAIN).fit_transform(["أ\nب"])
    assert (twice != build_features(config.normalize, wanted, PLAIN).fit_transform(["أ\nأ\nب"])).nnz == 0


def test_any_number_of_texts_gives_what_each_gives_alone(config: Config) -> None:
    taxonomy = Taxonomy((Theme("a", "أ", "A", "A", "", keywords=("مهربا",)),))
    features = build_features(config.normalize, replace(config.features, min_df=1), taxonomy).fit(TEXTS)
    many = [*TEXTS, "", "كلمات لم ترد"] * 9
    X = features.transform(many)
    assert X.has_canonical_format
    alone = np.concatenate([features.transform([text]).toarray() for text in many])
    np.testing.assert_array_equal(X.toarray(), alone)
    assert features.transform([]).shape == (0, X.shape[1])
    assert len(features.get_feature_names_out()) == X.shape[1]


def test_before_fitting_it_says_so(config: Config) -> None:
    with pytest.raises(NotFittedError):
        build_features(config.normalize, config.features, PLAIN).transform(["نص"])


def test_equal_fits_pickle_to_equal_bytes(config: Config) -> None:
    def dump() -> bytes:
        file = io.BytesIO()
        joblib.dump(build_features(config.normalize, config.features, PLAIN).fit(TEXTS), file)
        return file.getvalue()

    assert dump() == dump()


def test_a_loaded_copy_gives_the_same_features(config: Config) -> None:
    features = build_features(config.normalize, config.features, PLAIN).fit(TEXTS)
    file = io.BytesIO()
    joblib.dump(features, file)
    file.seek(0)
    assert (joblib.load(file).transform(TEXTS) != features.transform(TEXTS)).nnz == 0
