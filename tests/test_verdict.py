import dataclasses

import numpy as np
import pytest

from pipeline.answers import AnswerSheet
from pipeline.config import EvaluationConfig
from pipeline.errors import DataError
from pipeline.verdict import align, judge

NAMES = ("sea", "sky")
CONFIG = EvaluationConfig(resamples=500, seed=0)


def sheet(labels: np.ndarray, predictions: np.ndarray) -> AnswerSheet:
    n = len(labels)
    ids = np.array([f"{i:04}" for i in range(n)])
    return AnswerSheet(
        ids, ids, np.array(["test"] * n), np.zeros(n, dtype=np.int32), np.arange(n, dtype=np.int32),
        labels.astype(np.int8), predictions.astype(np.int8), predictions.astype(np.float64),
    )  # fmt: skip


def flipped(labels: np.ndarray, column: int, share: float, seed: int = 1) -> np.ndarray:
    """Labels with a share of one column wrong."""
    wrong = labels.copy()
    wrong[:, column] ^= np.random.default_rng(seed).random(len(labels)) < share
    return wrong


@pytest.fixture
def labels() -> np.ndarray:
    return (np.random.default_rng(0).random((400, 2)) < 0.4).astype(np.int8)


def test_the_same_answers_are_no_evidence(labels: np.ndarray) -> None:
    answers = sheet(labels, flipped(labels, 0, 0.2))
    verdict = judge(NAMES, answers, answers, CONFIG)
    assert verdict.conclusion == "no evidence"
    assert not verdict.changes
    for estimate in [*verdict.overall.values(), *(each.f1 for each in verdict.themes.values())]:
        assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)
    assert all(each.p == 1 for each in verdict.themes.values())


def test_better_and_worse_are_each_others_mirror(labels: np.ndarray) -> None:
    good, bad = sheet(labels, flipped(labels, 0, 0.05)), sheet(labels, flipped(labels, 0, 0.3))
    better, worse = judge(NAMES, bad, good, CONFIG), judge(NAMES, good, bad, CONFIG)
    assert (better.conclusion, worse.conclusion) == ("better", "worse")
    assert worse.worse_themes == ["sea"]
    assert "sea" in worse.because
    assert better.themes["sea"].f1.value == -worse.themes["sea"].f1.value > 0
    assert better.themes["sky"].p == 1  # nothing changed there


def test_one_theme_that_suffers_outweighs_a_gain(labels: np.ndarray) -> None:
    before = sheet(labels, flipped(labels, 0, 0.4))
    after = sheet(labels, flipped(labels, 1, 0.15))
    verdict = judge(NAMES, before, after, CONFIG)
    assert verdict.overall["f1_micro"].low > 0
    assert (verdict.conclusion, verdict.worse_themes) == ("worse", ["sky"])


def test_changes_say_what_became_right_and_wrong(labels: np.ndarray) -> None:
    after = labels.copy()
    after[3] ^= 1  # both decisions on one article go wrong
    (change,) = judge(NAMES, sheet(labels, labels), sheet(labels, after), CONFIG).changes
    assert (change.id, change.better, change.worse) == ("0003", 0, 2)
    assert change.before == change.themes != change.after


def test_p_values_are_corrected_for_the_number_of_themes() -> None:
    """Twenty themes of nothing but noise: now and then one would seem worse if each were judged alone."""
    rng = np.random.default_rng(5)
    names = [f"t{i}" for i in range(20)]
    alone = together = 0
    for _ in range(20):
        labels = (rng.random((150, 20)) < 0.3).astype(np.int8)
        one, other = (labels ^ (rng.random(labels.shape) < 0.1) for _ in range(2))
        themes = judge(names, sheet(labels, one), sheet(labels, other), CONFIG).themes.values()
        alone += any(each.f1.high < 0 for each in themes)
        together += any(each.p < 0.05 and each.f1.value < 0 for each in themes)
    assert alone >= 5
    assert together <= 2


def test_articles_are_aligned_by_their_texts(labels: np.ndarray) -> None:
    answers = sheet(labels, labels)
    shuffled = answers[np.random.default_rng(0).permutation(len(labels))[:300]]
    one, other = align({"a": answers, "b": shuffled}).values()
    assert len(one) == len(other) == 300
    assert (one.texts == other.texts).all()
    assert (one.labels == other.labels).all()


def test_other_data_is_refused_with_the_reason(labels: np.ndarray) -> None:
    answers = sheet(labels, labels)
    relabeled = dataclasses.replace(answers, labels=flipped(labels, 0, 0.1))
    with pytest.raises(DataError, match=r"a and b were measured on different data: \d+ of 400 articles"):
        align({"a": answers, "b": relabeled})
    others = dataclasses.replace(answers, texts=np.array([f"x{i}" for i in range(400)]))
    with pytest.raises(DataError, match="none in common"):
        align({"a": answers, "b": others})
