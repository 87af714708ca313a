from copy import deepcopy

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from pipeline import Article, Prediction, classify
from pipeline.classifier import Scores, ThemeClassifier
from pipeline.predict import find_doubts
from pipeline.themes import Taxonomy

from .conftest import make_toy_articles


def test_themes_by_descending_score(model: ThemeClassifier) -> None:
    predictions = classify(
        model, ["ميناء سفينة بحر طائرة مطار جناح طيار سحاب رحلة", "ميناء سفينة بحر قارب", "خبز سوق كتاب"]
    )
    assert [prediction.primary for prediction in predictions] == [predictions[0].themes[0], "sea", "none"]
    assert set(predictions[0].themes) == {"sea", "sky"}
    assert predictions[2].themes == ()
    for prediction in predictions:
        scores = [prediction.scores[name] for name in prediction.themes]
        assert scores == sorted(scores, reverse=True)
        assert list(prediction.scores) == ["sea", "sky"]


def test_articles_and_texts_are_the_same_to_it(model: ThemeClassifier) -> None:
    article = Article("1", "ميناء سفينة", "بحر قارب صياد")
    assert classify(model, [article]) == classify(model, iter(["ميناء سفينة\nبحر قارب صياد"]))


def test_nothing_in_nothing_out(model: ThemeClassifier) -> None:
    assert classify(model, []) == []
    empty = "'text' is empty; write the article or delete the line"
    assert classify(model, [""]) == [Prediction((), {"sea": 0.0, "sky": 0.0}, 1.0, "none", (empty,))]


def test_a_bare_string_and_other_things_are_refused(model: ThemeClassifier) -> None:
    with pytest.raises(TypeError, match=r"write classify\(model, \[text\]\)"):
        classify(model, "نص")
    with pytest.raises(TypeError, match="text 1 is of type int"):
        classify(model, ["نص", 7])  # type: ignore[list-item]


@pytest.mark.parametrize(("width", "unsure"), [(0.0, []), (0.1, ["sea"]), (0.3, ["sea", "sky"])])
def test_a_score_near_its_threshold_is_unsure(model: ThemeClassifier, width: float, unsure: list[str]) -> None:
    model, text = deepcopy(model), "ميناء سفينة بحر قارب خبز سوق"
    (sea, sky), half = model.predict_proba([text])[0], np.array([0.5, 0.5])
    model.calibration_[:, 1] += np.log(half / (1 - half)) - np.log([sea / (1 - sea), sky / (1 - sky)])  # scores of .5
    model.set_params(thresholds={"sea": 0.57, "sky": 0.3, "none": 1}, abstain=width)
    reasons = {"sea": "sea .50 is near its threshold .57", "sky": "sky .50 is near its threshold .30"}
    (prediction,) = classify(model, [text])
    assert prediction.unsure == tuple(reasons[name] for name in unsure)
    assert prediction.themes == ("sky",)


@pytest.mark.parametrize(
    ("none", "unsure"),
    [
        (0.30, ["sea .50 is near its threshold .55"]),
        (0.62, ["none .62 is near its threshold .70", "sea .50 is near its threshold .55"]),
        (0.78, ["none .78 is near its threshold .70", "sea .50 is near its threshold .55"]),
        (0.95, []),
    ],
)
def test_what_is_surely_none_is_not_unsure_of_a_theme(model: ThemeClassifier, none: float, unsure: list[str]) -> None:
    model = deepcopy(model).set_params(thresholds={"sea": 0.55, "sky": 0.9, "none": 0.7}, abstain=0.1)
    scores = Scores(np.array([[0.5, 0.1]]), np.array([none]), np.array([0]), np.array([0.0]))
    assert find_doubts(model, ["بحر"], scores) == [tuple(unsure)]


def test_strange_texts_are_unsure_whatever_the_scores(model: ThemeClassifier) -> None:
    model = deepcopy(model).set_params(abstain=0)
    known, new = "ميناء سفينة بحر", "زعفران كركم هيل"
    sure, enough, alone, persian = classify(
        model, [known, f"{known} {known} {new}", new, "پلیس تهران از بازداشت شش نفر خبر داد"]
    )
    assert sure.unsure == enough.unsure == ()  # a third of the words is new
    assert alone.unsure == ("100% of its words are new to the model",)
    (reason,) = persian.unsure
    assert "Persian or Urdu" in reason


def test_new_words_are_counted_text_by_text(model: ThemeClassifier) -> None:
    texts = ["ميناء زعفران", "", "ميناء", "كركم", "سفينة بحر قارب هيل"] * 5
    probabilities, _, _, unseen = model.score_texts(texts)
    assert unseen.tolist() == [0.5, 1, 0, 1, 0.25] * 5
    np.testing.assert_array_equal(probabilities, model.predict_proba(texts))
    alone = [model.score_texts([text]).unseen[0] for text in texts]
    assert alone == unseen.tolist()
    learned = [row["text"] for row in make_toy_articles(80)]
    assert not model.score_texts(learned).unseen.any()


def test_features_that_cannot_tell_what_is_new(toy_taxonomy: Taxonomy) -> None:
    rows = make_toy_articles(80)
    labels = toy_taxonomy.label_matrix(row["themes"] for row in rows)
    model = ThemeClassifier(TfidfVectorizer(), toy_taxonomy, abstain=0).fit([row["text"] for row in rows], labels)
    assert classify(model, ["زعفران", ""]) == [Prediction((), {"sea": 0.0, "sky": 0.0}, 1.0, "none")] * 2
