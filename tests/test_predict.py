import pytest

from pipeline import Article, Prediction, classify
from pipeline.classifier import ThemeClassifier, build_model
from pipeline.config import Config
from pipeline.themes import Taxonomy

from .conftest import make_toy_articles


@pytest.fixture(scope="module")
def model(config: Config, toy_taxonomy: Taxonomy) -> ThemeClassifier:
    rows = make_toy_articles(80)
    labels = toy_taxonomy.label_matrix(row["themes"] for row in rows)
    return build_model(config, toy_taxonomy).fit([row["text"] for row in rows], labels)


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
    assert classify(model, [""]) == [Prediction((), {"sea": 0.0, "sky": 0.0}, "none")]


def test_a_bare_string_and_other_things_are_refused(model: ThemeClassifier) -> None:
    with pytest.raises(TypeError, match=r"write classify\(model, \[text\]\)"):
        classify(model, "نص")
    with pytest.raises(TypeError, match="text 1 is of type int"):
        classify(model, ["نص", 7])  # type: ignore[list-item]
