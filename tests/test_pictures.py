import dataclasses
import struct
from pathlib import Path

import numpy as np
import pytest

from pipeline.article import Article
from pipeline.classifier import ThemeClassifier, build_model
from pipeline.compare import Answers, answer
from pipeline.config import read_config
from pipeline.pictures import (
    Judged,
    confusion,
    draw_pictures,
    parts_of,
    reliability,
    strongest_words,
    threshold_curve,
)
from pipeline.themes import Taxonomy, Theme

from .conftest import make_toy_articles

PICTURES = ("calibration", "precision-recall", "thresholds", "confusion", "co-occurrence", "words", "breakdown")


@pytest.fixture(scope="module")
def judged(toy_taxonomy: Taxonomy) -> Judged:
    rows = [row | {"themes": tuple(row["themes"])} for row in make_toy_articles(40)]
    articles = [Article(**row, country=["", "MA", "EG"][i % 3]) for i, row in enumerate(rows)]
    labels = toy_taxonomy.label_matrix(article.themes for article in articles)
    return Judged(articles, labels, Answers(labels, np.where(labels, 0.9, 0.1)))


@pytest.fixture(scope="module")
def model(toy_taxonomy: Taxonomy, judged: Judged) -> ThemeClassifier:
    config = read_config()
    quick = dataclasses.replace(config, classifier=dataclasses.replace(config.classifier, folds=2))
    fitted: ThemeClassifier = build_model(quick, toy_taxonomy).fit(
        [a.full_text for a in judged.articles], judged.labels
    )
    return fitted


def test_every_picture_is_drawn_and_the_same_each_time(
    toy_taxonomy: Taxonomy, judged: Judged, model: ThemeClassifier, tmp_path: Path
) -> None:
    judged = dataclasses.replace(judged, answers=answer(model, [article.full_text for article in judged.articles]))
    for folder in ("one", "other"):
        draw_pictures(toy_taxonomy, judged, model.thresholds_, model, tmp_path / folder)
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(f"{name}.png" for name in PICTURES)
    for path in (tmp_path / "one").iterdir():
        picture = path.read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert picture == (tmp_path / "other" / path.name).read_bytes()
        assert b"Software" not in picture
        width, height = struct.unpack(">II", picture[16:24])
        assert 800 <= width <= 1600
        assert 300 <= height <= 1600
        assert 5_000 < len(picture) < 200_000


@pytest.mark.parametrize(
    ("n", "labels", "probability"),
    [(1, 0, 0.2), (1, 1, 0.9), (20, 0, 1.0), (20, 1, 0.0), (20, None, 0.5), (20, None, None)],
)
def test_no_degenerate_answers_stop_the_drawing(
    n: int,
    labels: int | None,
    probability: float | None,
    toy_taxonomy: Taxonomy,
    judged: Judged,
    model: ThemeClassifier,
    tmp_path: Path,
) -> None:
    """One article; no theme, or every theme, in all articles; never given, or always; all alike; all upside down."""
    shape = (n, len(toy_taxonomy))
    true = judged.labels[:n] if labels is None else np.full(shape, labels, dtype=np.int8)
    given = np.where(true, 0.1, 0.9) if probability is None else np.full(shape, probability)
    few = Judged(judged.articles[:n], true, Answers((given >= 0.5).astype(np.int8), given))
    draw_pictures(toy_taxonomy, few, model.thresholds_, model, tmp_path)
    assert len(list(tmp_path.iterdir())) == len(PICTURES)


@pytest.mark.parametrize("n_themes", [1, 5])
def test_a_grid_for_any_number_of_themes(
    n_themes: int, judged: Judged, model: ThemeClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taxonomy = Taxonomy(tuple(Theme(f"t{i}", f"موضوع {i}", "t", "t", "t") for i in range(n_themes)))
    columns = [i % 2 for i in range(n_themes)]
    labels = judged.labels[:, columns]
    wide = Judged(judged.articles, labels, Answers(labels, np.where(labels, 0.9, 0.1)))
    monkeypatch.setattr(model, "coef_", model.coef_[columns])
    draw_pictures(taxonomy, wide, model.thresholds_[columns], model, tmp_path)
    assert len(list(tmp_path.iterdir())) == len(PICTURES)


def test_confusion_worked_by_hand() -> None:
    labels = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]], dtype=np.int8)
    said = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]], dtype=np.int8)
    given, wrongly = confusion(labels, said)
    # three articles of the first theme: two are given it; two the second, one of them rightly
    assert given[0].tolist() == pytest.approx([2 / 3, 2 / 3, 0, 0])
    assert wrongly[0].tolist() == pytest.approx([0, 1 / 3, 0, 0])
    assert given[1].tolist() == [0.5, 0.5, 0, 0.5]
    assert wrongly[1].tolist() == [0, 0, 0, 0.5]
    assert np.isnan(given[2]).all()  # no article
    assert given[3].tolist() == [0, 0, 0, 1]


def test_reliability_worked_by_hand() -> None:
    labels = np.array([0] * 9 + [1, 1, 1], dtype=np.int8)
    mean, share, low, high = reliability(labels, np.array([0.12] * 10 + [0.98, 1.0]))
    assert mean.tolist() == pytest.approx([0.12, 0.99])
    assert share.tolist() == pytest.approx([0.1, 1])
    # Jeffreys limits for 1 of 10 and for 2 of 2, from tables of the beta distribution
    assert low.tolist() == pytest.approx([0.011, 0.333], abs=1e-3)
    assert high.tolist() == pytest.approx([0.381, 1], abs=1e-3)


def test_the_curve_says_what_each_threshold_gives() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    probabilities = np.round(0.3 * labels + 0.6 * rng.random(60), 1)  # with ties
    at, precision, recall = threshold_curve(labels.astype(np.int8), probabilities)
    for threshold in np.linspace(0, 0.85, 18):
        said = probabilities >= threshold
        place = np.searchsorted(at, threshold)
        assert recall[place] == pytest.approx(labels[said].sum() / labels.sum())
        assert precision[place] == pytest.approx(labels[said].mean())
    assert np.isnan(precision[np.searchsorted(at, 0.95)])  # nothing is given


def test_words_of_the_toy_model(model: ThemeClassifier, toy_taxonomy: Taxonomy) -> None:
    words = strongest_words(model.features_.get_feature_names_out(), model.coef_[0], most_for=5, most_against=3)
    assert list(words.values()) == sorted(words.values(), reverse=True)
    assert sum(weight > 0 for weight in words.values()) == 5
    assert len(words) == 8
    normalized = model.features_.normalizer.transform([article["text"] for article in make_toy_articles(40)])
    for word in words:
        assert any(f" {word} " in f" {text} " for text in normalized)


def test_articles_are_parted_by_the_eight_most_frequent_values() -> None:
    countries = [f"C{i}" for i in range(10) for _ in range(12 - i)] + ["", "other"]
    articles = [Article(str(i), "", "كلمة " * (1 + i % 8), country=country) for i, country in enumerate(countries)]
    parts = parts_of(articles)
    assert list(parts) == ["length in words", "country"]  # nothing is known of outlets and genres
    assert list(parts["country"]) == [*(f"C{i}" for i in range(8)), "other"]
    assert parts["country"]["C0"].sum() == 12
    assert parts["country"]["other"].sum() == 4 + 3 + 1
    assert sum(chosen.sum() for chosen in parts["country"].values()) == len(articles) - 1
    assert list(parts["length in words"]) == ["1–2", "3–4", "5–6", "7–8"]
    assert sum(chosen.sum() for chosen in parts["length in words"].values()) == len(articles)
