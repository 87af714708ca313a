import io
import pickle
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, diags_array, hstack
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from pipeline.corpus import read_records
from pipeline.normalize import ArabicNormalizer
from pipeline.tfidf import NgramTfidf
from pipeline.words import Words

from .conftest import ROOT, make_toy_articles

WORDS = st.text(alphabet="ابتةـé1 W\n\u200f", max_size=7)
TEXTS = st.lists(st.lists(WORDS, max_size=12).map(" ".join), min_size=1, max_size=6)
RANGES = st.tuples(st.integers(1, 6), st.integers(0, 2)).map(lambda pair: (pair[0], sum(pair)))
TOYS = [row["text"] for row in make_toy_articles(60)]


def scale_letters(X: csr_matrix, idf: np.ndarray) -> csr_matrix:
    """Divide counts times IDF by the root of what they sum to, times IDF once more."""
    sums = X @ idf
    return csr_matrix(diags_array(1 / np.sqrt(np.where(sums > 0, sums, 1))) @ X)


def by_scikit_learn(ngrams: NgramTfidf, texts: list[str], others: list[str]) -> tuple[list[str], list[csr_matrix]]:
    """Names and values of the same features from the vectorizers that NgramTfidf stands for."""
    shared: dict[str, Any] = {"min_df": ngrams.min_df, "dtype": np.float32, "lowercase": False}
    words = {"token_pattern": r"\S+", "ngram_range": ngrams.word_ngrams, "sublinear_tf": ngrams.sublinear_tf}
    blocks = [(TfidfVectorizer(**words, **shared), "words", 1.0)]
    if ngrams.char_ngrams is not None:
        letters = TfidfVectorizer(analyzer="char_wb", norm=None, ngram_range=ngrams.char_ngrams, **shared)
        blocks.append((letters, "chars", ngrams.char_weight))
    names, values = [], []
    for vectorizer, prefix, weight in blocks:
        try:
            vectorizer.fit(texts)
        except ValueError:  # it has no feature at all: the other block may
            continue
        names += [f"{prefix}__{name}" for name in vectorizer.get_feature_names_out()]
        parts = [vectorizer.transform(some) for some in (texts, others)]
        if prefix == "chars":
            parts = [scale_letters(part, vectorizer.idf_) for part in parts]
        values.append([weight * part for part in parts])
    return names, [hstack(parts, format="csr") for parts in zip(*values, strict=True)]


def assert_same(ngrams: NgramTfidf, texts: list[str], others: list[str]) -> None:
    names, wanted = by_scikit_learn(ngrams, texts, others)
    if not names:
        with pytest.raises(ValueError, match="no feature occurs"):
            ngrams.fit(texts)
        return
    learned = ngrams.fit_transform(texts)
    ours = ngrams.get_feature_names_out().tolist()
    assert sorted(ours) == sorted(names)
    order = [ours.index(name) for name in names]
    for X, Y in zip((learned, ngrams.transform(texts), ngrams.transform(others)), (wanted[0], *wanted), strict=True):
        assert X.dtype == np.float32
        assert X.has_canonical_format
        np.testing.assert_allclose(X[:, order].toarray(), Y.toarray(), rtol=1e-5, atol=1e-7)


@settings(deadline=None)
@given(TEXTS, TEXTS, RANGES, st.none() | RANGES, st.integers(1, 3), st.booleans())
def test_it_is_scikit_learns_on_any_text(
    texts: list[str],
    others: list[str],
    word_ngrams: tuple[int, int],
    char_ngrams: tuple[int, int] | None,
    min_df: int,
    sublinear_tf: bool,
) -> None:
    ngrams = NgramTfidf(
        word_ngrams=word_ngrams, char_ngrams=char_ngrams, min_df=min_df, sublinear_tf=sublinear_tf, char_weight=0.5
    )
    assert_same(ngrams, texts, others)


@pytest.mark.parametrize("word_ngrams", [(1, 1), (1, 2), (2, 3)])
@pytest.mark.parametrize("char_ngrams", [None, (3, 5), (4, 6)])
def test_it_is_scikit_learns_on_articles(word_ngrams: tuple[int, int], char_ngrams: tuple[int, int] | None) -> None:
    raw = [record.fields["text"] for record in read_records(ROOT / "data/articles/sham.jsonl")]
    texts = ArabicNormalizer().transform(raw)
    assert_same(NgramTfidf(word_ngrams=word_ngrams, char_ngrams=char_ngrams), texts[:60], texts[60:])


def test_words_alone_are_forgotten_whatever_the_letters_would_weigh() -> None:
    ngrams = NgramTfidf(char_ngrams=None, char_weight=0.0)
    X = ngrams.fit_transform(TOYS)
    kept = np.arange(X.shape[1]) % 2 == 0
    np.testing.assert_allclose(ngrams.prune(X, kept).toarray(), ngrams.transform(TOYS).toarray(), rtol=1e-5)


@settings(deadline=None)
@given(TEXTS, TEXTS, st.integers(1, 3), st.none() | st.just((2, 3)), st.data())
def test_what_is_forgotten_leaves_the_rest_as_it_was(
    texts: list[str], others: list[str], longest: int, char_ngrams: tuple[int, int] | None, data: st.DataObject
) -> None:
    ngrams = NgramTfidf(word_ngrams=(1, longest), char_ngrams=char_ngrams, min_df=1, char_weight=0.5)
    assume(any(text.split() for text in texts))
    X = ngrams.fit_transform(texts)
    names, idf, Y = ngrams.get_feature_names_out(), ngrams.idf_, ngrams.transform(others)
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=X.shape[1], max_size=X.shape[1])))
    pruned = ngrams.prune(X, kept)
    assert ngrams.get_feature_names_out().tolist() == names[kept].tolist()
    for given_before, now in ((X, pruned), (X, ngrams.transform(texts)), (Y, ngrams.transform(others))):
        blocks = []
        are_letters = np.array([name.startswith("chars__") for name in names])
        if (kept & ~are_letters).any():
            blocks.append(normalize(given_before[:, kept & ~are_letters]))
        if (kept & are_letters).any():
            # Such a sum over all letters is the weight, squared, over what counts times IDF were multiplied by.
            scales = given_before[:, are_letters] @ idf[are_letters] / 0.5**2
            plain = csr_matrix(diags_array(scales) @ given_before)[:, kept & are_letters]
            blocks.append(0.5 * scale_letters(plain, idf[kept & are_letters]))
        np.testing.assert_allclose(now.toarray(), hstack(blocks).toarray() if blocks else 0, rtol=1e-5, atol=1e-7)
    copy = pickle.loads(pickle.dumps(ngrams))
    assert (copy.transform(others) != ngrams.transform(others)).nnz == 0
    nothing = np.zeros(len(ngrams.idf_), dtype=np.bool_)
    assert ngrams.prune(pruned, nothing).shape == (len(texts), 0)


def test_one_text_alone_gets_what_it_gets_among_others() -> None:
    ngrams = NgramTfidf().fit(TOYS)
    alone = [ngrams.transform([text]).toarray()[0] for text in TOYS]
    np.testing.assert_array_equal(np.stack(alone), ngrams.transform(TOYS).toarray())


def test_a_batch_of_any_size_at_once() -> None:
    ngrams, many = NgramTfidf().fit(TOYS), TOYS * 3
    at_once = ngrams.weigh([Words.of(many)])
    assert (at_once != ngrams.transform(many)).nnz == 0


def test_a_text_of_unknown_words_and_no_text_at_all() -> None:
    ngrams = NgramTfidf().fit(TOYS)
    size = len(ngrams.get_feature_names_out())
    assert ngrams.transform(["", "漢字 漢字"]).nnz == 0
    assert ngrams.transform([]).shape == (0, size)


def test_before_fitting_it_says_so() -> None:
    with pytest.raises(NotFittedError):
        NgramTfidf().transform(["نص"])


def test_a_copy_loaded_from_disk_is_the_same_to_the_byte_and_the_value() -> None:
    def dump(ngrams: NgramTfidf) -> bytes:
        file = io.BytesIO()
        joblib.dump(ngrams, file)
        return file.getvalue()

    ngrams = NgramTfidf().fit(TOYS)
    copy = joblib.load(io.BytesIO(dump(ngrams)))
    assert (copy.transform(TOYS) != ngrams.transform(TOYS)).nnz == 0
    assert dump(copy) == dump(ngrams) == dump(clone(ngrams).fit(TOYS))
