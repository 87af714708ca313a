"""How good is it: metrics theme by theme and overall, with bootstrap intervals, and paired comparison of two models.

Every metric is computed from weights of articles, so that the 1,000 resamples of the bootstrap are rows of one matrix
instead of 1,000 calls. tests/test_evaluate.py holds answers worked by hand and the comparison with scikit-learn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_CELLS = 2_000_000  # of weights in memory at once
_BINS = 10  # of the calibration error


@dataclass(frozen=True)
class Estimate:
    """A metric with its 95 % interval; all NaN where it is not defined, the limits alone where nothing bounds it."""

    value: float
    low: float
    high: float

    def to_json(self) -> tuple[float | None, list[float] | None]:
        """Give the value and ``[low, high]`` as JSON can hold them, without NaN."""
        if np.isnan(self.value):
            return None, None
        return round(self.value, 4), None if np.isnan(self.low) else [round(self.low, 4), round(self.high, 4)]

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "–"
        return f"{self.value:.2f}" + ("" if np.isnan(self.low) else f" [{self.low:.2f}–{self.high:.2f}]")


@dataclass(frozen=True)
class ThemeScores:
    """Metrics of one theme; `support` is the number of articles with it, `threshold` what the model was asked at."""

    support: int
    threshold: float | None
    precision: Estimate
    recall: Estimate
    f1: Estimate
    average_precision: Estimate


@dataclass(frozen=True)
class Evaluation:
    """What a model did on `n` labeled articles.

    Attributes
    ----------
    themes : dict of str to ThemeScores
    f1_micro : Estimate
        F1 over all decisions (article, theme) together.
    f1_macro : Estimate
        Mean F1 of the themes that occur in the labels or the answers.
    f1_none : Estimate
        F1 of the answer "no theme at all".
    security_or_none : Estimate
        Share of articles rightly told apart into some theme and none.
    subset_accuracy : Estimate
        Share of articles with exactly the right set of themes.
    hamming_loss : Estimate
        Share of wrong decisions (article, theme).
    calibration_error : Estimate
        Expected calibration error over all decisions, in 10 bins of equal width (Naeini et al., AAAI 2015).
    """

    n: int
    themes: dict[str, ThemeScores]
    f1_micro: Estimate
    f1_macro: Estimate
    f1_none: Estimate
    security_or_none: Estimate
    subset_accuracy: Estimate
    hamming_loss: Estimate
    calibration_error: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON: each metric beside ``<metric>_interval``; null where not defined."""
        result: dict[str, Any] = {"n": self.n}
        for name in OVERALL:
            result[name], result[f"{name}_interval"] = getattr(self, name).to_json()
        result["themes"] = {}
        for theme, scores in self.themes.items():
            row: dict[str, Any] = {"support": scores.support, "threshold": scores.threshold}
            for name in PER_THEME:
                row[name], row[f"{name}_interval"] = getattr(scores, name).to_json()
            result["themes"][theme] = row
        return result


OVERALL = (
    "f1_micro", "f1_macro", "f1_none", "security_or_none", "subset_accuracy", "hamming_loss", "calibration_error",
)  # fmt: skip
PER_THEME = ("precision", "recall", "f1", "average_precision")
COMPARED = ("f1_micro", "f1_macro", "f1_none")


def evaluate(
    names: Sequence[str],
    labels: NDArray[np.int8],
    predictions: NDArray[np.int8],
    probabilities: Floats | None = None,
    *,
    thresholds: Floats | None = None,
    groups: NDArray[np.int32] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Measure predictions against labels.

    Parameters
    ----------
    names : sequence of str, of length n_themes
    labels, predictions : ndarray of 0 and 1, shape (n, n_themes)
    probabilities : ndarray, shape (n, n_themes), default=None
        Without them average precision and calibration error are not defined.
    thresholds : ndarray, shape (n_themes,), default=None
        To be shown beside the scores.
    groups : ndarray of int, shape (n,), default=None
        Near-duplicates are drawn together, for they tell the same thing twice.
    resamples : int
        Of the bootstrap; intervals are its 2.5th and 97.5th percentiles (Efron, Tibshirani 1993). Of a perfect
        score every resample is perfect: there the limit is the exact one of so many successes in a row (Clopper,
        Pearson 1934), or, for a mean of several scores, none is given.
    seed : int
    """
    value = _metrics(labels, predictions, probabilities, np.ones((1, len(labels))))
    drawn = [
        _metrics(labels, predictions, probabilities, weights)
        for weights in _resample(len(labels), groups, resamples, seed)
    ]
    trials = _trials(labels, predictions, groups)
    low, high = {}, {}
    for metric in value:
        limits = _interval(np.concatenate([some[metric] for some in drawn]))
        low[metric], high[metric] = _widen(metric, value[metric][0], limits, trials.get(metric))

    def widened(metric: str, *theme: int) -> Estimate:
        return Estimate(float(value[metric][(0, *theme)]), float(low[metric][theme]), float(high[metric][theme]))

    themes = {
        name: ThemeScores(
            int(labels[:, i].sum()),
            None if thresholds is None else round(float(thresholds[i]), 4),
            **{metric: widened(metric, i) for metric in PER_THEME},
        )
        for i, name in enumerate(names)
    }
    return Evaluation(len(labels), themes, **{metric: widened(metric) for metric in OVERALL})


def paired_difference(
    labels: NDArray[np.int8],
    ours: NDArray[np.int8],
    theirs: NDArray[np.int8],
    *,
    groups: NDArray[np.int32] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Measure how much better ours is on the same articles; an interval above 0 is a difference beyond chance.

    Both are measured on each resample, so that articles hard for both do not widen the interval.

    Returns
    -------
    dict with "f1_micro", "f1_macro" and "f1_none"
    """
    value, drawn = paired_draws(labels, ours, theirs, groups=groups, resamples=resamples, seed=seed)
    return {metric: estimate(value[metric], drawn[metric]) for metric in COMPARED}


def estimate(value: Floats, drawn: Floats) -> Estimate:
    """Give a metric the interval that its resamples span."""
    return Estimate(float(value), *map(float, _interval(drawn)))


def paired_draws(
    labels: NDArray[np.int8],
    ours: NDArray[np.int8],
    theirs: NDArray[np.int8],
    *,
    groups: NDArray[np.int32] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Measure by how much ours is ahead, on the articles and on resamples of them.

    Returns
    -------
    value, drawn : dict of str to ndarray
        Under the names of `COMPARED` and "f1", which has a column a theme: shapes () and (n_themes,), and the same
        with the resamples before. NaN where a metric is not defined for one of the two.
    """

    def difference(weights: Floats) -> dict[str, Floats]:
        one, other = _metrics(labels, ours, None, weights), _metrics(labels, theirs, None, weights)
        return {metric: one[metric] - other[metric] for metric in (*COMPARED, "f1")}

    value = {metric: row[0] for metric, row in difference(np.ones((1, len(labels)))).items()}
    parts = [difference(weights) for weights in _resample(len(labels), groups, resamples, seed)]
    return value, {metric: np.concatenate([part[metric] for part in parts]) for metric in value}


def _metrics(
    labels: NDArray[np.int8], predictions: NDArray[np.int8], probabilities: Floats | None, weights: Floats
) -> dict[str, Floats]:
    """Compute all metrics for each row of weights: arrays of shape (n_rows,) or (n_rows, n_themes)."""
    total = weights.sum(axis=1)
    hit = weights @ (labels & predictions)
    said, true = weights @ predictions, weights @ labels
    none_true, none_said = ~labels.any(axis=1), ~predictions.any(axis=1)
    f1 = _ratio(2 * hit, said + true)
    defined = ~np.isnan(f1)
    if probabilities is None:
        average_precision, calibration_error = np.full_like(f1, np.nan), np.full_like(total, np.nan)
    else:
        columns = zip(labels.T, probabilities.T, strict=True)
        average_precision = np.stack([_average_precision(*column, weights) for column in columns], axis=1)
        calibration_error = _calibration_error(labels, probabilities, weights)
    return {
        "precision": _ratio(hit, said),
        "recall": _ratio(hit, true),
        "f1": f1,
        "average_precision": average_precision,
        "f1_micro": _ratio(2 * hit.sum(axis=1), (said + true).sum(axis=1)),
        "f1_macro": _ratio(np.where(defined, f1, 0).sum(axis=1), defined.sum(axis=1)),
        "f1_none": _ratio(2 * weights @ (none_true & none_said), weights @ none_true + weights @ none_said),
        "security_or_none": _ratio(weights @ (none_true == none_said), total),
        "subset_accuracy": _ratio(weights @ (labels == predictions).all(axis=1), total),
        "hamming_loss": _ratio(weights @ (labels != predictions).mean(axis=1), total),
        "calibration_error": calibration_error,
    }


def _average_precision(labels: NDArray[np.int8], probabilities: Floats, weights: Floats) -> Floats:
    """Sum precision over the steps of recall, as scikit-learn does; equal probabilities make one step."""
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    ends = np.flatnonzero(np.append(ranked[:-1] != ranked[1:], True))
    seen = np.cumsum(weights[:, order], axis=1)[:, ends]
    hit = np.cumsum(weights[:, order] * labels[order], axis=1)[:, ends]
    precision = np.divide(hit, seen, out=np.zeros_like(hit), where=seen > 0)
    return _ratio((np.diff(hit, axis=1, prepend=0) * precision).sum(axis=1), hit[:, -1])


def _calibration_error(labels: NDArray[np.int8], probabilities: Floats, weights: Floats) -> Floats:
    bins = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    surplus = probabilities - labels
    error = sum(np.abs(weights @ np.where(bins == b, surplus, 0).sum(axis=1)) for b in range(_BINS))
    return _ratio(np.asarray(error), weights.sum(axis=1) * labels.shape[1])


def _resample(n: int, groups: NDArray[np.int32] | None, resamples: int, seed: int) -> Iterator[Floats]:
    """Draw groups with replacement; yield how often each article was drawn, as rows of shape (some, n)."""
    group_of = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    n_groups = int(group_of.max()) + 1
    rng = np.random.default_rng(seed)
    at_once = max(1, _CELLS // n)
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        counts = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=rows)
        yield counts[:, group_of].astype(np.float64)


def _interval(drawn: Floats) -> Floats:
    """Give the 2.5th and 97.5th percentile down the rows, over the resamples in which the metric is defined."""
    undefined = np.isnan(drawn).all(axis=0)
    limits: Floats = np.nanpercentile(np.where(undefined, 0, drawn), [2.5, 97.5], axis=0)
    return limits + np.where(undefined, np.nan, 0)


def _trials(
    labels: NDArray[np.int8], predictions: NDArray[np.int8], groups: NDArray[np.int32] | None
) -> dict[str, Floats]:
    """Count what each metric that is a share, or follows from one, is a share of; a group of near-duplicates is one."""
    group_of = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    weights = 1 / np.bincount(group_of)[group_of]
    either = labels | predictions
    everything = weights.sum()
    return {
        "precision": weights @ predictions,
        "recall": weights @ labels,
        "f1": weights @ either,
        "f1_micro": weights @ either.any(axis=1),
        "f1_none": weights @ (~labels.any(axis=1) | ~predictions.any(axis=1)),
        "security_or_none": everything,
        "subset_accuracy": everything,
        "hamming_loss": everything,
    }


def _widen(metric: str, value: Floats, limits: Floats, trials: Floats | None) -> Floats:
    """Replace intervals that collapsed to 0 or 1 by exact ones; undefined where there are no trials to count."""
    worst = np.full_like(value, np.nan) if trials is None else 0.025 ** (1 / np.maximum(trials, 1))
    best = 1 - worst
    if metric.startswith("f1"):  # from the Jaccard index, which is a share, to F1
        worst, best = 2 * worst / (1 + worst), 2 * best / (1 + best)
    collapsed = limits[0] == limits[1]
    perfect, failed = collapsed & (value == 1), collapsed & (value == 0)
    low = np.where(perfect, worst, np.where(failed & np.isnan(best), np.nan, limits[0]))
    high = np.where(failed, best, np.where(perfect & np.isnan(worst), np.nan, limits[1]))
    return np.stack([low, high])


def _ratio(above: Floats, below: Floats) -> Floats:
    ratio: Floats = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
    return ratio
