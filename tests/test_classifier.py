import io
from copy import deepcopy
from typing import Any

import joblib
import numpy as np
import pytest
from scipy.special import expit
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils import estimator_checks, get_tags

from pipeline.classifier import Scores, ThemeClassifier, _sigmoid, best_threshold, tune_threshold
from pipeline.features import TextFeatures
from pipeline.keywords import KeywordRates
from pipeline.linear import LEARNERS
from pipeline.normalize import ArabicNormalizer
from pipeline.tfidf import NgramTfidf
from pipeline.themes import Taxonomy
from pipeline.words import chunked

from .conftest import make_toy_articles

TEXTS = [row["text"] for row in make_toy_articles(80)]
THEMES = [row["themes"] for row in make_toy_articles(80)]
NEW = make_toy_articles(40, seed=1)


def make(taxonomy: Taxonomy, **parameters: Any) -> ThemeClassifier:
    return ThemeClassifier(TfidfVectorizer(dtype=np.float32), taxonomy, folds=3, **parameters)


@pytest.fixture(scope="module")
def fitted(toy_taxonomy: Taxonomy) -> ThemeClassifier:
    return make(toy_taxonomy).fit(TEXTS, toy_taxonomy.label_matrix(THEMES))


# The checks of scikit-learn that do not feed an estimator matrices of numbers.
CHECKS = (
    "check_estimator_cloneable", "check_estimator_repr", "check_estimator_tags_renamed", "check_valid_tag_types",
    "check_get_params_invariance", "check_set_params", "check_no_attributes_set_in_init", "check_mixin_order",
)  # fmt: skip


@pytest.mark.parametrize("check", CHECKS)
def test_scikit_learns_own_checks(toy_taxonomy: Taxonomy, check: str) -> None:
    for estimator in (make(toy_taxonomy), ArabicNormalizer()):
        getattr(estimator_checks, check)(type(estimator).__name__, estimator)


def test_tags_say_what_it_takes_and_gives(toy_taxonomy: Taxonomy) -> None:
    tags = get_tags(make(toy_taxonomy))
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array
    assert tags.classifier_tags.multi_label


@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_every_learner_learns(toy_taxonomy: Taxonomy, learner: str) -> None:
    model = make(toy_taxonomy, learner=learner).fit(TEXTS, toy_taxonomy.label_matrix(THEMES))
    right = model.predict([row["text"] for row in NEW]) == toy_taxonomy.label_matrix(row["themes"] for row in NEW)
    assert right.mean() > 0.9
    assert model.coef_.dtype == np.float32


def test_the_features_that_decide_are_kept_and_the_rest_forgotten(toy_taxonomy: Taxonomy) -> None:
    labels = toy_taxonomy.label_matrix(THEMES)
    model = ThemeClassifier(TextFeatures(ArabicNormalizer(), NgramTfidf()), toy_taxonomy, folds=3, max_features=40)
    every, few = clone(model).set_params(max_features=None).fit(TEXTS, labels), model.fit(TEXTS, labels)
    assert few.coef_.shape == (3, 40) < every.coef_.shape
    strength = dict(zip(every.features_.get_feature_names_out(), np.abs(every.coef_).max(axis=0), strict=True))
    kept = set(few.features_.get_feature_names_out())
    assert min(strength[name] for name in kept) >= max(strength[name] for name in strength.keys() - kept)
    texts = [row["text"] for row in NEW]
    assert (few.predict(texts) == toy_taxonomy.label_matrix(row["themes"] for row in NEW)).mean() > 0.9
    more_than_there_are = clone(model).set_params(max_features=10**6).fit(TEXTS, labels)
    assert more_than_there_are.coef_.shape == every.coef_.shape


def test_shapes_and_order_of_the_answers(fitted: ThemeClassifier) -> None:
    texts = [row["text"] for row in NEW]
    probabilities, labels = fitted.predict_proba(texts), fitted.predict(texts)
    assert probabilities.shape == labels.shape == (40, 2)
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert (fitted.decide(fitted.score_texts(texts)) == labels).all()
    assert fitted.classes_.tolist() == ["sea", "sky"]
    assert fitted.predict([]).shape == (0, 2)


def test_more_texts_than_a_chunk_are_answered_as_one_by_one(
    fitted: ThemeClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.features._CHUNK", 1000)
    texts = [row["text"] for row in NEW] * 3
    assert len(list(chunked(texts, 1000))) > 10
    together = fitted.predict_proba(texts)
    np.testing.assert_allclose(together[-40:], [fitted.predict_proba([text])[0] for text in texts[:40]], rtol=1e-5)


def test_a_text_without_a_known_word_has_no_theme(fitted: ThemeClassifier) -> None:
    low = clone(fitted).set_params(thresholds={"sea": 0.0, "sky": 0.0}).fit(TEXTS, fitted.taxonomy.label_matrix(THEMES))
    for text in ("", "12345", "only Latin", "ÙØ±", "\x00"):
        assert low.predict_proba([text]).tolist() == [[0.0, 0.0]]
        assert low.predict([text]).tolist() == [[0, 0]]


def test_thresholds_can_be_moved_after_fitting(fitted: ThemeClassifier) -> None:
    model = clone(fitted).fit(TEXTS, fitted.taxonomy.label_matrix(THEMES))
    assert model.get_params()["thresholds"] is None
    tuned = model.thresholds_.copy()
    model.set_params(thresholds={"sea": 1.0})
    assert model.thresholds_.tolist() == [1.0, tuned[1]]
    assert model.predict([row["text"] for row in NEW])[:, 0].sum() == 0
    for wrong, message in (({"land": 0.5}, "unknown theme 'land'"), ({"sea": 50}, "from 0 to 1, found 50")):
        model.set_params(thresholds=wrong)
        with pytest.raises(ValueError, match=message):
            model.predict(TEXTS)


def test_equal_fits_pickle_to_equal_bytes(toy_taxonomy: Taxonomy) -> None:
    def dump() -> bytes:
        file = io.BytesIO()
        texts = [*TEXTS]  # an equal list, another object
        joblib.dump(
            make(toy_taxonomy).fit(ArabicNormalizer().transform(texts), toy_taxonomy.label_matrix(THEMES)).coef_, file
        )
        return file.getvalue()

    assert dump() == dump()


def test_articles_of_a_group_are_not_apart_in_the_inner_folds(toy_taxonomy: Taxonomy) -> None:
    labels = toy_taxonomy.label_matrix(THEMES)
    with pytest.raises(ValueError, match="cannot deal 2 groups of articles into 3 folds"):
        make(toy_taxonomy).fit(TEXTS, labels, groups=np.arange(80) % 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [[0, 1]]}, "80 texts, but 1 rows"),
        ({"labels": [[2, 0]] * 80}, "matrix of 0 and 1"),
        ({"labels": [1] * 80}, "matrix of 0 and 1"),
        ({"labels": [[1, 0, 0]] * 80}, "3 columns of labels, but 2 themes"),
        ({"labels": [[1, 0]] * 80}, "no article without theme 'sea'"),
        ({"learner": "forest"}, "unknown learner 'forest'. Known learners: svm, "),
    ],
)
def test_faulty_training_data_is_refused(toy_taxonomy: Taxonomy, change: dict[str, Any], message: str) -> None:
    labels = change.pop("labels", toy_taxonomy.label_matrix(THEMES))
    with pytest.raises(ValueError, match=message):
        make(toy_taxonomy, **change).fit(TEXTS, labels)


def test_a_theme_that_cannot_be_learned_is_never_given(toy_taxonomy: Taxonomy) -> None:
    """Two kinds of articles, each labeled half and half: what is left out of a fold tells the opposite of the rest."""
    labels = toy_taxonomy.label_matrix(THEMES)
    texts = [f"نص {'بحر' if i % 2 else 'سماء'}" for i in range(80)]
    labels[:, 0] = [i % 4 < 2 for i in range(80)]
    with pytest.warns(UserWarning, match="not learned, so never given: sea"):
        model = make(toy_taxonomy, balanced=False).fit(texts, labels)
    assert not model.predict(texts)[:, 0].any()


def test_a_bare_string_is_refused(fitted: ThemeClassifier, toy_taxonomy: Taxonomy) -> None:
    for call in (fitted.predict, fitted.predict_proba, lambda text: fitted.fit(text, [[0, 1]])):
        with pytest.raises(TypeError, match="got one string"):
            call("نص")


def test_an_unfitted_model_says_so(toy_taxonomy: Taxonomy) -> None:
    with pytest.raises(NotFittedError):
        make(toy_taxonomy).predict(["نص"])


@pytest.mark.parametrize(
    ("labels", "probabilities", "threshold"),
    [
        # ranked .9 yes, .6 no, .4 yes, .2 no: F1 after each 2/3, 1/2, 4/5, 2/3; best after the third, halfway .4 and .2
        ([1, 0, 1, 0], [0.9, 0.6, 0.4, 0.2], 0.3),
        # all alike: one step, everything a yes
        ([1, 0, 1, 0], [0.5, 0.5, 0.5, 0.5], 0.25),
        # yes only at the top: 1, 2/3, 1/2
        ([1, 0, 0], [0.8, 0.6, 0.1], 0.7),
    ],
)
def test_best_threshold_worked_by_hand(labels: list[int], probabilities: list[float], threshold: float) -> None:
    assert best_threshold(np.array(labels), np.array(probabilities)) == pytest.approx(threshold)


def test_tuned_thresholds_vary_less_than_the_best_ones() -> None:
    """On many samples of 60 articles with scores in two overlapping heaps, as themes have."""
    rng = np.random.default_rng(0)
    best, tuned = [], []
    for _ in range(30):
        labels = (rng.random(60) < 0.25).astype(np.int8)
        probabilities = np.clip(rng.normal(np.where(labels, 0.6, 0.3), 0.15), 0, 1)
        best.append(best_threshold(labels, probabilities))
        tuned.append(tune_threshold(labels, probabilities, np.random.default_rng(0)))
    assert np.std(tuned) < 0.9 * np.std(best)
    assert 0.3 < np.mean(tuned) < 0.6


def test_thresholds_lie_between_the_best_and_the_hyperplane(
    toy_taxonomy: Taxonomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.classifier.tune_threshold", lambda *_: 0.2)
    model = make(toy_taxonomy).fit(TEXTS, toy_taxonomy.label_matrix(THEMES))
    np.testing.assert_allclose(model.thresholds_, 0.2 / 3 + 2 / 3 * expit(model.calibration_[:, 1]))
    assert model.none_calibration_ is not None
    assert model.none_threshold_ == (0.2 + expit(model.none_calibration_[1])) / 2


@pytest.mark.parametrize(
    ("thresholds", "answers"),
    [
        ({}, [[1, 0], [0, 0], [0, 1], [1, 0], [0, 0]]),
        ({"sky": 0.6}, [[1, 0], [0, 0], [0, 0], [1, 0], [0, 0]]),  # set by hand, so it holds for the nearest too
        ({"sky": 0.35, "none": 0.5}, [[1, 0], [1, 1], [0, 1], [0, 1], [0, 0]]),
        ({"sea": 0.5, "sky": 0.6, "none": 0.15}, [[1, 0], [0, 0], [0, 0], [0, 0], [0, 0]]),
        ({"none": 0}, [[0, 0]] * 5),
    ],
)
def test_first_whether_there_is_a_theme_then_which(
    fitted: ThemeClassifier, thresholds: dict[str, float], answers: list[list[int]]
) -> None:
    model = deepcopy(fitted).set_params(thresholds=thresholds)
    model.tuned_thresholds_, model.tuned_none_threshold_ = np.array([0.5, 0.6]), 0.4
    themes, none = [[0.9, 0.1], [0.9, 0.9], [0.3, 0.4], [0.3, 0.4], [0.9, 0.9]], [0.1, 0.4, 0.2, 0.2, 1.0]
    scores = Scores(np.array(themes), np.array(none), np.array([0, 0, 1, 0, 0]), np.zeros(5))
    assert model.decide(scores).tolist() == answers


def test_a_theme_that_was_not_learned_is_not_given_as_the_nearest(fitted: ThemeClassifier) -> None:
    model = deepcopy(fitted)
    model.tuned_thresholds_ = np.array([0.5, 1.0])
    scores = Scores(np.array([[0.1, 0.3], [0.1, 0.3]]), np.zeros(2), np.array([0, 1]), np.zeros(2))
    assert model.decide(scores).tolist() == [[1, 0], [0, 0]]


def test_where_all_texts_have_a_theme_thresholds_alone_decide(toy_taxonomy: Taxonomy) -> None:
    chosen = [i for i, themes in enumerate(THEMES) if themes]
    labels = toy_taxonomy.label_matrix(THEMES[i] for i in chosen)
    model = make(toy_taxonomy).fit([TEXTS[i] for i in chosen], labels)
    assert (model.none_calibration_, len(model.coef_)) == (None, 2)
    scores = model.score_texts([row["text"] for row in NEW] + [""])
    assert scores.none.tolist() == [0.0] * len(NEW) + [1.0]
    assert (model.decide(scores) == (scores.themes >= model.thresholds_)).all()


def test_none_is_told_by_its_probability(fitted: ThemeClassifier) -> None:
    texts = [row["text"] for row in NEW]
    none = fitted.score_texts(texts).none
    truth = np.array([not row["themes"] for row in NEW])
    assert none[truth].min() > fitted.none_threshold_ > none[~truth].max()


def test_a_sigmoid_of_one_number_is_that_of_many() -> None:
    numbers = [-1e4, -745.0, -709.9, -709.7, -700.0, -1.0, 0.0, 0.3, 36.0, 800.0, 1e4]
    assert [_sigmoid(number) for number in numbers] == expit(np.array(numbers)).tolist()


@pytest.mark.parametrize("asks_first", [True, False])
@pytest.mark.parametrize(
    "thresholds",
    [{}, {"none": 0}, {"none": 1}, {"sky": 0, "sea": 0, "none": 1}, {"sea": 0.9, "none": 0.9}, {"sky": 1, "sea": 1}],
)
def test_one_text_gets_the_answer_it_gets_among_others(
    thresholds: dict[str, float], asks_first: bool, toy_taxonomy: Taxonomy
) -> None:
    chosen = [i for i, themes in enumerate(THEMES) if asks_first or themes]
    labels = toy_taxonomy.label_matrix(THEMES[i] for i in chosen)
    features = TextFeatures(ArabicNormalizer(), NgramTfidf(), KeywordRates((("سفينه",), ("نجمه",))), head_weight=2)
    model = ThemeClassifier(features, toy_taxonomy, folds=3, max_features=150)
    model.fit([TEXTS[i] for i in chosen], labels).set_params(thresholds=thresholds)
    assert (model.none_calibration_ is not None) == asks_first
    texts = [*(row["text"] for row in NEW), "", "漢字", "ميناء سماء", "سفينه"]
    for unlearned in (False, True):
        if unlearned:
            model.calibration_[0, 0], model.tuned_thresholds_[0] = 0, 1
        together = model.decide(model.score_texts(texts))
        alone = np.concatenate([model.predict([text]) for text in texts])
        np.testing.assert_array_equal(alone, together)
        assert alone.dtype == together.dtype
        several = model.score_texts(texts)
        for i, text in enumerate(texts):
            for ours, theirs in zip(model.score_texts([text]), several, strict=True):
                np.testing.assert_array_equal(ours[0], theirs[i])


def test_texts_need_be_no_list_and_a_text_may_be_more_than_a_string(toy_taxonomy: Taxonomy) -> None:
    class Named(str):
        def __str__(self) -> str:
            return "نص"

    labels, text = toy_taxonomy.label_matrix(THEMES), "ميناء سفينة بحر قارب"
    model = ThemeClassifier(TextFeatures(ArabicNormalizer(), NgramTfidf()), toy_taxonomy, folds=3).fit(TEXTS, labels)
    assert model.predict([text]).tolist() == model.predict([text, ""])[:1].tolist() == [[1, 0]]
    assert model.predict([Named(text)]).tolist() == [[1, 0]]
    assert model.predict(one for one in [text]).tolist() == [[1, 0]]  # type: ignore[arg-type]
