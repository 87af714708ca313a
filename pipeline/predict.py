"""From texts to predictions: what a service calls."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .article import Article, text_problem
from .classifier import Scores, ThemeClassifier
from .themes import NONE

# Share of a text's words that the model has never seen. Of 16,000 real news articles, .2 % have more, half have .15;
# Persian, Urdu, text of a damaged encoding and much dialect have more.
MAX_UNSEEN = 0.35


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one text.

    Attributes
    ----------
    themes : tuple of str
        What it is about, highest score first: nothing if `none` reaches its threshold; else the themes whose score
        reaches theirs, at least the nearest one, see `pipeline.classifier.Scores`.
    scores : dict of str to float
        Probability of every theme, from 0 to 1, in the taxonomy's order.
    none : float
        Probability, from 0 to 1, that it is about no theme.
    primary : str
        The first of `themes`, or ``"none"``.
    unsure : tuple of str
        Why a person should look: scores near their thresholds (``model.abstain``), a text in another language or of
        many words that the model has never seen. Empty where nothing speaks against the answer.
    """

    themes: tuple[str, ...]
    scores: dict[str, float]
    none: float
    primary: str
    unsure: tuple[str, ...] = ()


def classify(model: ThemeClassifier, texts: Iterable[str | Article]) -> list[Prediction]:
    """Say what each text is about.

    Parameters
    ----------
    model : ThemeClassifier
        From `pipeline.load_model`.
    texts : iterable of str or Article
        Raw, as found: nothing need be cleaned. The title, where there is one, on the first line. One text or a million;
        features are made for a few at a time.

    Returns
    -------
    list of Prediction, as long as `texts`

    Raises
    ------
    TypeError
        If given one string instead of several, or something that is no text.
    """
    if isinstance(texts, str):
        raise TypeError("expected a list of texts, got one string: write classify(model, [text])")
    raw = [text.full_text if isinstance(text, Article) else text for text in texts]
    scored = model.score_texts(raw)
    names: list[str] = model.classes_.tolist()
    predictions = []
    columns = (scored.themes.tolist(), scored.none.tolist(), model.decide(scored).tolist())
    for row, none, answer, unsure in zip(*columns, find_doubts(model, raw, scored), strict=True):
        scores = dict(zip(names, row, strict=True))
        themes = [name for name, yes in zip(names, answer, strict=True) if yes]
        themes.sort(key=lambda name: -scores[name])
        predictions.append(Prediction(tuple(themes), scores, none, themes[0] if themes else NONE, unsure))
    return predictions


def find_doubts(model: ThemeClassifier, texts: Sequence[str], scores: Scores) -> list[tuple[str, ...]]:
    """Say of each text why its prediction is unsure, see `Prediction`.

    Parameters
    ----------
    model : ThemeClassifier
    texts : sequence of str
    scores : Scores
        From ``model.score_texts(texts)``.

    Returns
    -------
    list of tuple of str, as long as `texts`
    """
    names, thresholds = [NONE, *model.classes_], np.array([model.none_threshold_, *model.thresholds_])
    columns = np.column_stack((scores.none, scores.themes))
    near = np.abs(columns - thresholds) < model.abstain
    near[:, 1:] &= near[:, :1] | (columns[:, :1] < thresholds[0])  # what is surely none needs no theme
    doubts: list[list[str]] = [[] for _ in texts]
    for i, j in zip(*near.nonzero(), strict=True):
        doubts[i].append(f"{names[j]} {_short(columns[i, j])} is near its threshold {_short(thresholds[j])}")
    for i in (scores.unseen > MAX_UNSEEN).nonzero()[0].tolist():
        # The look at each letter takes longer than classifying, so only such texts get it.
        doubts[i].append(text_problem(texts[i]) or f"{scores.unseen[i]:.0%} of its words are new to the model")
    return [tuple(reasons) for reasons in doubts]


def _short(score: float) -> str:
    return f"{score:.2f}".removeprefix("0")
