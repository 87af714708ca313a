import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, hamming_loss

from pipeline.evaluate import evaluate, paired_difference

# Four articles, two themes. Theme a: yes, yes, no, no; said yes, no, yes, no. Theme b: no, yes, no, no; said the same.
LABELS = np.array([[1, 0], [1, 1], [0, 0], [0, 0]], dtype=np.int8)
SAID = np.array([[1, 0], [0, 1], [1, 0], [0, 0]], dtype=np.int8)
PROBABILITIES = np.array([[0.9, 0.1], [0.3, 0.8], [0.6, 0.2], [0.1, 0.1]])


def test_metrics_worked_by_hand() -> None:
    result = evaluate(["a", "b"], LABELS, SAID, PROBABILITIES, resamples=200)
    a, b = result.themes["a"], result.themes["b"]
    # a: 1 hit, 2 said, 2 true: all 1/2. b: 1 of 1 of 1.
    assert (a.support, a.precision.value, a.recall.value, a.f1.value) == (2, 0.5, 0.5, 0.5)
    assert (b.support, b.precision.value, b.recall.value, b.f1.value) == (1, 1, 1, 1)
    # a ranked .9 yes, .6 no, .3 yes, .1 no: precision 1 at the first yes, 2/3 at the second; mean 5/6
    assert a.average_precision.value == pytest.approx(5 / 6)
    assert b.average_precision.value == 1
    assert result.f1_micro.value == pytest.approx(2 * 2 / (3 + 3))  # 2 hits, 3 said, 3 true
    assert result.f1_macro.value == pytest.approx(0.75)
    # none is true of the last two and said of the last: 1 hit, 1 said, 2 true
    assert result.f1_none.value == pytest.approx(2 / 3)
    assert result.security_or_none.value == 0.75  # wrong on the third only
    assert result.subset_accuracy.value == 0.5  # the first and the last
    assert result.hamming_loss.value == 2 / 8
    # bins: .1 .1 .1 | .2 | .3 | .6 | .8 | .9; surplus .3, .2, -.7, .6, -.2, -.1; sum of sizes 2.1, over 8 decisions
    assert result.calibration_error.value == pytest.approx(2.1 / 8)


def test_none_is_what_nobody_has() -> None:
    nothing = np.zeros((3, 2), dtype=np.int8)
    result = evaluate(["a", "b"], nothing, nothing, resamples=100)
    assert result.f1_none.value == 1
    assert math.isnan(result.f1_micro.value)
    assert math.isnan(result.themes["a"].f1.value)
    plain = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert plain["f1_micro"] is None
    assert plain["themes"]["a"] == {
        "support": 0, "threshold": None, "precision": None, "precision_interval": None, "recall": None,
        "recall_interval": None, "f1": None, "f1_interval": None, "average_precision": None,
        "average_precision_interval": None,
    }  # fmt: skip


matrices = st.integers(2, 30).flatmap(
    lambda n: st.lists(
        st.tuples(*[st.integers(0, 1)] * 3, *[st.sampled_from([0.1, 0.2, 0.4, 0.6, 0.9])] * 3), min_size=n, max_size=n
    )
)


@given(matrices)
def test_agrees_with_scikit_learn(rows: list[tuple[float, ...]]) -> None:
    labels = np.array([row[:3] for row in rows], dtype=np.int8)
    probabilities = np.array([row[3:] for row in rows])
    said = (probabilities > 0.5).astype(np.int8)
    result = evaluate(["a", "b", "c"], labels, said, probabilities, resamples=100)
    for i, scores in enumerate(result.themes.values()):
        if labels[:, i].any() or said[:, i].any():
            assert scores.f1.value == pytest.approx(f1_score(labels[:, i], said[:, i], zero_division=0))
        if labels[:, i].any():
            assert scores.average_precision.value == pytest.approx(
                average_precision_score(labels[:, i], probabilities[:, i])
            )
    if labels.any() or said.any():
        assert result.f1_micro.value == pytest.approx(f1_score(labels, said, average="micro", zero_division=0))
    assert result.subset_accuracy.value == pytest.approx(accuracy_score(labels, said))
    assert result.hamming_loss.value == pytest.approx(hamming_loss(labels, said))


def coin(n: int, rate: float, seed: int) -> NDArray[np.int8]:
    return (np.random.default_rng(seed).random((n, 1)) < rate).astype(np.int8)


def test_the_interval_is_about_as_wide_as_theory_says() -> None:
    """Accuracy of 400 independent answers at .8 has a standard error of .02, so an interval of about ± .039."""
    labels = coin(400, 0.5, 0)
    said = labels ^ coin(400, 0.2, 1)
    accuracy = evaluate(["a"], labels, said).subset_accuracy
    assert (accuracy.high - accuracy.low) / 2 == pytest.approx(1.96 * math.sqrt(0.16 / 400), rel=0.15)
    assert accuracy.low < accuracy.value < accuracy.high


def test_near_duplicates_widen_the_interval() -> None:
    labels = coin(100, 0.5, 0)
    said = labels ^ coin(100, 0.2, 1)
    alone = evaluate(["a"], labels, said).subset_accuracy
    four = evaluate(
        ["a"], labels.repeat(4, axis=0), said.repeat(4, axis=0), groups=np.arange(100, dtype=np.int32).repeat(4)
    ).subset_accuracy
    assert four.high - four.low == pytest.approx(alone.high - alone.low, rel=0.1)


def test_the_same_seed_gives_the_same_interval() -> None:
    labels = coin(50, 0.5, 0)
    said = labels ^ coin(50, 0.2, 1)
    one, same, other = (evaluate(["a"], labels, said, resamples=100, seed=seed).f1_micro for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_memory_is_bounded_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate(["a", "b"], LABELS, SAID, PROBABILITIES, resamples=100)
    monkeypatch.setattr("pipeline.evaluate._CELLS", 9)  # two rows of four at a time
    in_pieces = evaluate(["a", "b"], LABELS, SAID, PROBABILITIES, resamples=100)
    assert in_pieces.f1_micro.low < in_pieces.f1_micro.high
    assert in_pieces.to_dict() == whole.to_dict()  # NaN is not equal to itself


def test_a_perfect_score_is_no_certainty() -> None:
    """With 8 of 8 right, a share down to .025 ** (1/8) = .63 is possible (exact interval of Clopper and Pearson)."""
    labels = np.array([[1]] * 8 + [[0]] * 4, dtype=np.int8)
    right = evaluate(["a"], labels, labels, labels.astype(float), resamples=100)
    recall = right.themes["a"].recall
    assert recall.low == pytest.approx(0.6306, abs=1e-4)
    assert recall.value == recall.high == 1
    assert right.themes["a"].f1.low == pytest.approx(2 * 0.6306 / 1.6306, abs=1e-4)
    assert right.subset_accuracy.low == pytest.approx(0.025 ** (1 / 12))
    assert right.hamming_loss.high == pytest.approx(1 - 0.025 ** (1 / 12))
    assert math.isnan(right.f1_macro.low)  # a mean of several scores: no limit is known
    assert str(right.f1_macro) == "1.00"
    wrong = evaluate(["a"], labels, 1 - labels, resamples=100)
    assert wrong.themes["a"].recall.high == pytest.approx(1 - 0.6306, abs=1e-4)
    pairs = evaluate(["a"], labels, labels, groups=(np.arange(12) // 2).astype(np.int32), resamples=100)
    assert pairs.themes["a"].recall.low == pytest.approx(0.025 ** (1 / 4))  # near-duplicates count once


def test_paired_difference() -> None:
    labels = coin(300, 0.5, 0)
    good, bad = labels ^ coin(300, 0.1, 1), labels ^ coin(300, 0.4, 2)
    ahead = paired_difference(labels, good, bad)["f1_micro"]
    assert ahead.value == pytest.approx(f1_score(labels, good) - f1_score(labels, bad))
    assert ahead.low > 0
    assert paired_difference(labels, bad, good)["f1_micro"].high < 0
    same = paired_difference(labels, good, good)["f1_micro"]
    assert (same.value, same.low, same.high) == (0, 0, 0)
