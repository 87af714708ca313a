"""The model beside its baselines, asked about the same articles: held out, or by cross-validation."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from .baselines import build_textbook, predict_by_keywords
from .classifier import ThemeClassifier, build_model
from .config import Config, EvaluationConfig
from .evaluate import Estimate, Evaluation, evaluate, paired_difference
from .explain import explain_mistakes
from .split import fold_numbers
from .themes import Taxonomy
from .workers import fresh_workers

MODEL, KEYWORDS, TEXTBOOK = "model", "keywords", "textbook"


@dataclass(frozen=True)
class Answers:
    """What one contender said.

    Attributes
    ----------
    predictions : ndarray of 0 and 1, shape (n_texts, n_themes)
    probabilities : ndarray of float64, shape (n_texts, n_themes), or None
    reasons : list of dict, of length n_texts, or None
        For mistakes, see `pipeline.explain.explain_mistakes`; where the labels were at hand.
    thresholds : ndarray of float64, shape (n_themes,), or None
        Those of the one model that was asked.
    """

    predictions: NDArray[np.int8]
    probabilities: NDArray[np.float64] | None
    reasons: list[dict[str, str]] | None = None
    thresholds: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class LabeledTexts:
    """Texts with their labels (n, n_themes) and near-duplicate groups (n,)."""

    texts: list[str]
    labels: NDArray[np.int8]
    groups: NDArray[np.int32]

    def __getitem__(self, mask: NDArray[np.bool_]) -> "LabeledTexts":
        chosen = np.flatnonzero(mask)
        return LabeledTexts([self.texts[i] for i in chosen], self.labels[chosen], self.groups[chosen])


Part = tuple[LabeledTexts, NDArray[np.bool_]]  # articles, and which of them are to be asked about


@dataclass(frozen=True)
class Comparison:
    """Evaluations of all contenders on the same articles, and how far the model is ahead of each baseline."""

    evaluations: dict[str, Evaluation]
    differences: dict[str, dict[str, Estimate]]

    def to_dict(self) -> dict[str, Any]:
        """Give the model's evaluation, with those of the baselines under ``baselines``, as JSON can hold it."""
        baselines = {}
        for name, evaluation in self.evaluations.items():
            if name != MODEL:
                ahead = {metric: estimate.to_json() for metric, estimate in self.differences[name].items()}
                baselines[name] = {**evaluation.to_dict(), "model_ahead_by": ahead}
        return {**self.evaluations[MODEL].to_dict(), "baselines": baselines}


def compare(
    taxonomy: Taxonomy,
    labeled: LabeledTexts,
    answers: dict[str, Answers],
    config: EvaluationConfig,
) -> Comparison:
    """Evaluate every contender's answers, with the same resamples for all."""
    shared: dict[str, Any] = {"groups": labeled.groups, "resamples": config.resamples, "seed": config.seed}
    evaluations = {
        name: evaluate(
            taxonomy.names,
            labeled.labels,
            given.predictions,
            given.probabilities,
            thresholds=given.thresholds,
            **shared,
        )
        for name, given in answers.items()
    }
    ours = answers[MODEL].predictions
    differences = {
        name: paired_difference(labeled.labels, ours, given.predictions, **shared)
        for name, given in answers.items()
        if name != MODEL
    }
    return Comparison(evaluations, differences)


def answer(model: ThemeClassifier, texts: Sequence[str], labels: NDArray[np.int8] | None = None) -> Answers:
    """Ask a fitted model; and, where the labels are given, why it was wrong."""
    scores = model.score_texts(texts)
    predictions = model.decide(scores)
    reasons = None if labels is None else explain_mistakes(model, texts, labels, predictions)
    return Answers(predictions, scores.themes, reasons, model.thresholds_)


def ask_baselines(taxonomy: Taxonomy, train: LabeledTexts, texts: Sequence[str]) -> dict[str, Answers]:
    """Ask the keyword lists, and the textbook pipeline after fitting it."""
    textbook = build_textbook().fit(train.texts, train.labels)
    probabilities = textbook.predict_proba(texts)
    return {
        KEYWORDS: Answers(predict_by_keywords(taxonomy, texts), None),
        TEXTBOOK: Answers((probabilities >= 0.5).astype(np.int8), probabilities),
    }


def cross_validate(config: Config, taxonomy: Taxonomy, labeled: LabeledTexts) -> dict[str, Answers]:
    """Have every article answered by contenders that were trained, calibrated and tuned without it."""
    parts = fold_parts(labeled, fold_numbers(labeled.labels, labeled.groups, config.split.folds, config.split.seed))
    return join_folds(parts, ask_about(config, taxonomy, parts))


def fold_parts(labeled: LabeledTexts, folds: NDArray[np.int32]) -> list[Part]:
    """Make a part of each fold: to be asked about, when the others were learned from."""
    return [(labeled, folds == fold) for fold in range(folds.max() + 1)]


def ask_about(config: Config, taxonomy: Taxonomy, parts: Sequence[Part]) -> list[dict[str, Answers]]:
    """Train contenders on the articles outside each part, and ask them about those inside.

    Parts are independent of each other and run on all processors; the answers do not depend on how many there are.
    """
    jobs = Parallel(n_jobs=min(len(parts), os.cpu_count() or 1))
    with fresh_workers():
        answered: list[dict[str, Answers]] = jobs(delayed(_ask_about)(config, taxonomy, *part) for part in parts)
    return answered


def join_folds(parts: Sequence[Part], answered: Sequence[dict[str, Answers]]) -> dict[str, Answers]:
    """Put the answers to all folds into the order of the articles."""
    order = np.argsort(np.concatenate([np.flatnonzero(inside) for _, inside in parts]))
    return {name: _join([each[name] for each in answered], order) for name in (MODEL, KEYWORDS, TEXTBOOK)}


def _ask_about(
    config: Config, taxonomy: Taxonomy, labeled: LabeledTexts, inside: NDArray[np.bool_]
) -> dict[str, Answers]:
    train, asked = labeled[~inside], labeled[inside]
    model = build_model(config, taxonomy).fit(train.texts, train.labels, train.groups)
    return {MODEL: answer(model, asked.texts, asked.labels), **ask_baselines(taxonomy, train, asked.texts)}


def _join(parts: list[Answers], order: NDArray[np.intp]) -> Answers:
    predictions = np.concatenate([part.predictions for part in parts])[order]
    probabilities = [part.probabilities for part in parts if part.probabilities is not None]
    reasons = [reason for part in parts for reason in part.reasons or []]
    return Answers(
        predictions,
        np.concatenate(probabilities)[order] if probabilities else None,
        [reasons[i] for i in order] if reasons else None,
    )
