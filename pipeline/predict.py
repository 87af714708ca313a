"""From texts to predictions: what a service calls."""

from collections.abc import Iterable
from dataclasses import dataclass

from .article import Article
from .classifier import ThemeClassifier
from .themes import NONE


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one text.

    Attributes
    ----------
    themes : tuple of str
        Themes whose score reaches their threshold, highest score first; empty for a text without any.
    scores : dict of str to float
        Probability of every theme, from 0 to 1, in the taxonomy's order.
    primary : str
        The first of `themes`, or ``"none"``.
    """

    themes: tuple[str, ...]
    scores: dict[str, float]
    primary: str


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
    probabilities = model.predict_proba(raw)
    answers = model.apply_thresholds(probabilities, model.thresholds_)
    names: list[str] = model.classes_.tolist()
    predictions = []
    for row, answer in zip(probabilities.tolist(), answers.tolist(), strict=True):
        scores = dict(zip(names, row, strict=True))
        themes = [name for name, yes in zip(names, answer, strict=True) if yes]
        themes.sort(key=lambda name: -scores[name])
        predictions.append(Prediction(tuple(themes), scores, themes[0] if themes else NONE))
    return predictions
