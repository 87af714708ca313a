"""The learning curve: what more articles would be worth."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from .classifier import build_model
from .compare import LabeledTexts, answer
from .config import Config
from .evaluate import Estimate, evaluate
from .split import fold_numbers
from .themes import Taxonomy, read_taxonomy
from .train import hold_out, label, trainable
from .validate import load_corpus, load_labeled
from .workers import fresh_workers

METRICS = ("f1_micro", "f1_macro", "f1_none")
_PARTS = 8  # the training part is dealt into so many, evenly, and models learn from the first few of them
_TAKEN = (1, 2, 4, 6, 8)


@dataclass(frozen=True)
class Point:
    """Mean metrics of several models, each trained on another draw of `articles` articles.

    The limits of an estimate are the means of the 95 % bootstrap limits of the draws.
    """

    articles: int
    metrics: dict[str, Estimate]


def learning_curve(config: Config, paths: Sequence[str], draws: int = 3) -> dict[str, list[Point]]:
    """Train on growing parts of the training articles; measure on the held-out ones, and on others.

    Parameters
    ----------
    config : Config
    paths : sequence of str
        Labeled articles to measure on as well; may be empty.
    draws : int
        Of each size but the whole, by the seeds following that of the split.

    Returns
    -------
    dict of str to list of Point
        Under ``own`` and, with `paths`, ``other``; from few articles to all.

    Raises
    ------
    DataError
        If the articles cannot be read or split.
    """
    taxonomy = read_taxonomy(Path(config.data.themes))
    corpus = load_corpus(config.data.articles, taxonomy, config.validation)
    labeled, is_test = label(corpus, taxonomy), hold_out(corpus, config.split)
    places = {"own": labeled[is_test]}
    if paths:
        places["other"] = label(load_labeled(paths, taxonomy, config.validation), taxonomy)
    rest = labeled[~is_test]
    chosen = [
        fold_numbers(rest.labels, rest.groups, _PARTS, config.split.seed + draw) < taken
        for taken in _TAKEN
        for draw in range(draws if taken < _PARTS else 1)
    ]
    with trainable(), fresh_workers():
        jobs = Parallel(n_jobs=os.cpu_count() or 1)
        measured = jobs(delayed(_measure)(config, taxonomy, rest[mask], places) for mask in chosen)
    sizes = np.array([int(mask.sum()) for mask in chosen])
    parts = np.array([taken for taken in _TAKEN for _ in range(draws if taken < _PARTS else 1)])
    curve: dict[str, list[Point]] = {place: [] for place in places}
    for taken in _TAKEN:
        same = np.flatnonzero(parts == taken)
        for place, points in curve.items():
            metrics = {metric: _mean([measured[i][place][metric] for i in same]) for metric in METRICS}
            points.append(Point(round(float(sizes[same].mean())), metrics))
    return curve


def _measure(
    config: Config, taxonomy: Taxonomy, train: LabeledTexts, places: dict[str, LabeledTexts]
) -> dict[str, dict[str, Estimate]]:
    model = build_model(config, taxonomy).fit(train.texts, train.labels, train.groups)
    found = {}
    for place, part in places.items():
        result = evaluate(
            taxonomy.names,
            part.labels,
            answer(model, part.texts).predictions,
            groups=part.groups,
            resamples=config.evaluation.resamples,
            seed=config.evaluation.seed,
        )
        found[place] = {metric: getattr(result, metric) for metric in METRICS}
    return found


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    values: NDArray[np.float64] = np.array([[each.value, each.low, each.high] for each in estimates])
    return Estimate(*map(float, values.mean(axis=0)))
