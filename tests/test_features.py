import io
from dataclasses import replace

import joblib
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from pipeline.config import Config
from pipeline.features import build_features, repeat_head
from pipeline.normalize import ArabicNormalizer

TEXTS = ["أوقفت الشرطة مهربا و٣ شركاء", "أوقفت الجمارك مهربا", "فاز المنتخب على ضيفه و فرح الجمهور"]


def test_features_are_scikit_learns_on_normalized_words(config: Config) -> None:
    wanted = replace(config.features, min_df=1, head_weight=1, char_weight=0.5)
    X = build_features(config.normalize, wanted).fit_transform(TEXTS)
    normalized = ArabicNormalizer().transform(TEXTS)
    shared = {"sublinear_tf": wanted.sublinear_tf, "dtype": np.float32}
    words = TfidfVectorizer(token_pattern=r"\S+", ngram_range=wanted.word_ngrams, **shared).fit_transform(normalized)
    chars = TfidfVectorizer(analyzer="char_wb", ngram_range=wanted.char_ngrams, **shared).fit_transform(normalized)
    np.testing.assert_allclose(X.toarray(), np.hstack((words.toarray(), 0.5 * chars.toarray())), rtol=1e-6)
    assert X.dtype == np.float32


def test_a_weight_of_zero_leaves_the_letters_out(config: Config) -> None:
    features = build_features(config.normalize, replace(config.features, min_df=1, char_weight=0.0)).fit(TEXTS)
    assert all(name.startswith("words__") for name in features["tfidf"].get_feature_names_out())


def test_a_word_of_one_letter_counts(config: Config) -> None:
    features = build_features(config.normalize, replace(config.features, min_df=1)).fit(TEXTS)
    assert "words__و" in features["tfidf"].get_feature_names_out()


def test_the_head_counts_as_often_as_asked(config: Config) -> None:
    assert repeat_head(["أ\nب", "ج"], times=3) == ["أ\nأ\nأ\nب", "ج\nج\nج"]
    features = build_features(config.normalize, replace(config.features, head_weight=2))
    assert features["head"].transform(["أ\nب"]) == ["أ\nأ\nب"]


def test_equal_fits_pickle_to_equal_bytes(config: Config) -> None:
    def dump() -> bytes:
        file = io.BytesIO()
        joblib.dump(build_features(config.normalize, config.features).fit(TEXTS), file)
        return file.getvalue()

    assert dump() == dump()


def test_a_loaded_copy_gives_the_same_features(config: Config) -> None:
    features = build_features(config.normalize, config.features).fit(TEXTS)
    file = io.BytesIO()
    joblib.dump(features, file)
    file.seek(0)
    assert (joblib.load(file).transform(TEXTS) != features.transform(TEXTS)).nnz == 0
