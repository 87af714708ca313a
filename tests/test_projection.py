import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.features import TextFeatures
from pipeline.hashtable import HashTable
from pipeline.keywords import KeywordIndex, KeywordRates
from pipeline.normalize import ArabicNormalizer
from pipeline.projection import KeywordPlaces, Projection
from pipeline.tfidf import NgramTfidf
from pipeline.words import Words

from .conftest import make_toy_articles

WORDS = st.text(alphabet="ابتةـé1 W\n\u200f", max_size=7)
TEXTS = st.lists(st.lists(WORDS, max_size=12).map(" ".join), min_size=1, max_size=40)
TOYS = [row["text"] for row in make_toy_articles(60)]
KEYWORDS = (("با", "تا با"), ("سفينه",))


def make(
    texts: list[str],
    char_ngrams: tuple[int, int] | None = (3, 5),
    word_ngrams: tuple[int, int] = (1, 2),
    keywords: bool = True,
) -> Projection:
    ngrams = NgramTfidf(char_ngrams=char_ngrams, word_ngrams=word_ngrams, min_df=1, char_weight=5.0)
    rates = KeywordRates(KEYWORDS) if keywords else None
    features = TextFeatures(ArabicNormalizer(), ngrams, rates, keyword_weight=0.3)
    n_features = features.fit_transform(texts).shape[1]
    coef = np.random.default_rng(0).normal(size=(3, n_features)).astype(np.float32)
    return Projection(features, coef)


@settings(deadline=None)
@given(TEXTS, TEXTS, st.sampled_from([None, (3, 5), (2, 3)]), st.sampled_from([(1, 1), (1, 2), (2, 3)]))
def test_it_is_the_product_of_features_and_coefficients(
    texts: list[str], others: list[str], char_ngrams: tuple[int, int] | None, word_ngrams: tuple[int, int]
) -> None:
    assume(any(len(text.split()) > 2 and any(map(str.isalpha, text)) for text in texts))
    try:
        projection = make(texts, char_ngrams, word_ngrams)
    except ValueError:  # no feature occurs
        assume(False)
    for some in (texts, others):
        X = projection.features.transform(some)
        products, known, unseen = projection(some)
        words = [text.split() for text in ArabicNormalizer().transform(some)]
        vocabulary = set(projection.features.ngrams_.vocabulary_.split())
        shares = [sum(word not in vocabulary for word in each) / len(each) if each else 1 for each in words]
        np.testing.assert_allclose(unseen, shares)
        np.testing.assert_allclose(products, X @ projection.coef.T, rtol=1e-4, atol=1e-4)
        assert known.tolist() == (X.getnnz(axis=1) > 0).tolist()


FEW = st.lists(st.sampled_from(["با", "وبا", "تا", "ثا"]), max_size=12).map(" ".join)


@given(st.lists(FEW, min_size=1, max_size=5), st.integers(1, 4), st.booleans())
def test_keywords_are_found_among_places_as_they_are_without(texts: list[str], longest: int, all_known: bool) -> None:
    index = KeywordIndex([["با", "تا با", "تا با تا", "ثا تا"], ["تا", "تا با", "با با ثا تا", "ثا با تا تا ثا"], []])
    words = Words.of(texts)
    known = Words.of(["تا", "با تا", "ثا"]).runs(2)
    finder = KeywordPlaces(index, np.unique(known[known > 0]) if all_known else known[0, :0], longest)
    places = HashTable(finder.hashes).find(words.runs(longest))
    for ours, plain in zip(finder.find(words, places), index.find(words), strict=True):
        np.testing.assert_array_equal(ours, plain)


def test_a_pruned_vocabulary_too() -> None:
    projection = make(TOYS[:30])
    features = projection.features
    X = features.transform(TOYS)
    features.prune(X, np.random.default_rng(1).random(X.shape[1]), most=len(features.ngrams_.idf_) // 3)
    X = features.transform(TOYS)
    coef = np.random.default_rng(2).normal(size=(3, X.shape[1])).astype(np.float32)
    np.testing.assert_allclose(Projection(features, coef)(TOYS)[0], X @ coef.T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("keywords", [True, False])
@pytest.mark.parametrize("char_ngrams", [None, (3, 5)])
@pytest.mark.parametrize("word_ngrams", [(1, 1), (1, 2), (2, 2), (2, 3)])
@pytest.mark.parametrize("pruned", [False, True])
def test_each_text_gets_the_same_bits_alone_and_among_others(
    pruned: bool,
    word_ngrams: tuple[int, int],
    char_ngrams: tuple[int, int] | None,
    keywords: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    projection = make(TOYS[:30], char_ngrams, word_ngrams, keywords)
    features = projection.features
    if pruned:
        X = features.transform(TOYS)
        features.prune(X, np.random.default_rng(1).random(X.shape[1]), most=len(features.ngrams_.idf_) // 3)
        n_features = features.transform(TOYS).shape[1]
        projection = Projection(features, np.random.default_rng(2).normal(size=(3, n_features)).astype(np.float32))
    long = " ".join(TOYS) + " قال" * 9000  # more than is hashed at a time
    texts = [*TOYS, "", "漢字", "!?", long, TOYS[0] + " رااائع <b>&amp;</b> أ\u0653"]
    alone = [*map(np.concatenate, zip(*(projection([text]) for text in texts), strict=True))]
    for chunk in (500, 300_000):
        monkeypatch.setattr("pipeline.features._CHUNK", chunk)
        for ours, theirs in zip(projection(texts), alone, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_very_many_texts_of_unknown_words_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.features._CHUNK", 1 << 30)
    projection = make(TOYS)
    words = [TOYS[0].split()[0] + "ون", TOYS[1].split()[0] + "هما"]
    alone = np.concatenate([projection([word])[0] for word in words])
    which = np.random.default_rng(0).integers(0, 2, size=70_000)
    np.testing.assert_array_equal(projection([words[i] for i in which.tolist()])[0], alone[which])


def test_themes_without_keywords() -> None:
    features = TextFeatures(ArabicNormalizer(), NgramTfidf(min_df=1), KeywordRates(((), ())))
    coef = np.ones((3, features.fit_transform(TOYS).shape[1]), dtype=np.float32)
    products = Projection(features, coef)(TOYS)[0]
    np.testing.assert_allclose(products, features.transform(TOYS) @ coef.T, rtol=1e-4)


def test_a_text_of_unknown_words_and_no_text_at_all() -> None:
    projection = make(TOYS)
    products, known, unseen = projection(["", "漢字 漢字", TOYS[0]])
    assert unseen.tolist() == [1, 1, 0]
    assert known.tolist() == [False, False, True]
    assert not products[:2].any()
    assert projection([])[0].shape == (0, 3)


def test_only_what_it_was_made_for() -> None:
    with pytest.raises(TypeError, match="expected a list of texts"):
        make(TOYS)("نص")
