"""Do new articles differ from those a model was judged on? Themes, scores, words and length, none of it needs labels.

With many articles everything differs beyond chance, and with few nothing can be told. So a quantity drifted only if
both hold: chance alone would hardly do as much (p < .05, corrected for the number of tests), and the difference is
large enough to matter. Large is, for a rate, `MIN_DIFFERENCE` or a factor of `MIN_FACTOR`; for a distribution, a
Kolmogorov-Smirnov distance of `MIN_DISTANCE`: a tenth of the articles lies on the other side of some value.

Reference articles are best such as the model has never seen. Of those it learned from it is surer, and knows the words.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact, ks_2samp

from .article import Article
from .classifier import ThemeClassifier
from .errors import DataError
from .predict import find_doubts
from .report import format_table
from .verdict import LEVEL, holm
from .words import batched

Quantity = Literal["rate", "score", "new words", "length", "unsure"]
MIN_DIFFERENCE, MIN_FACTOR, MIN_DISTANCE = 0.05, 2, 0.1
_BATCH = 256  # articles in memory at a time


@dataclass(frozen=True)
class Sample:
    """What a model says of some articles.

    Attributes
    ----------
    given : ndarray of bool, shape (n, n_themes)
    scores : ndarray of float32, shape (n, n_themes)
    unseen : ndarray of float32, shape (n,)
        Share of words that the model has never seen.
    lengths : ndarray of int32, shape (n,)
        Words between white space.
    unsure : ndarray of bool, shape (n,)
    """

    given: NDArray[np.bool_]
    scores: NDArray[np.float32]
    unseen: NDArray[np.float32]
    lengths: NDArray[np.int32]
    unsure: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.given)

    def quantities(self, names: Sequence[str]) -> Iterator[tuple[Quantity, str, NDArray[Any]]]:
        """Give each quantity that is compared: what it is, the theme, its value for each article."""
        for i, name in enumerate(names):
            yield "rate", name, self.given[:, i]
            yield "score", name, self.scores[:, i]
        yield "new words", "", self.unseen
        yield "length", "", self.lengths
        yield "unsure", "", self.unsure


@dataclass(frozen=True)
class Shift:
    """How one quantity differs.

    Attributes
    ----------
    quantity : {"rate", "score", "new words", "length", "unsure"}
        Rate and score are those of a theme; new words are a share, length is in words, unsure is a rate.
    theme : str
        Empty where it is a quantity of the articles as such.
    reference, new : float
        Means; of yes and no, that is the rate.
    effect : float
        Difference of the rates, or Kolmogorov-Smirnov distance of the distributions.
    p : float
        How likely chance alone would do as much, corrected for the number of tests.
    drifted : bool
    """

    quantity: Quantity
    theme: str
    reference: float
    new: float
    effect: float
    p: float
    drifted: bool

    @property
    def name(self) -> str:
        """Name the quantity: ``terrorism rate``, ``length``."""
        return f"{self.theme} {self.quantity}".lstrip()


@dataclass(frozen=True)
class Drift:
    """New articles beside reference ones."""

    reference: Sample
    new: Sample
    shifts: tuple[Shift, ...]

    @property
    def drifted(self) -> list[Shift]:
        """What drifted."""
        return [shift for shift in self.shifts if shift.drifted]

    def to_dict(self) -> dict[str, Any]:
        """Give all but the samples as JSON can hold it."""
        rounded = [
            {key: round(value, 6) if isinstance(value, float) else value for key, value in vars(shift).items()}
            for shift in self.shifts
        ]
        return {
            "articles": {"reference": len(self.reference), "new": len(self.new)},
            "drifted": [shift.name for shift in self.drifted],
            "shifts": rounded,
            "limits": {"p": LEVEL, "difference": MIN_DIFFERENCE, "factor": MIN_FACTOR, "distance": MIN_DISTANCE},
        }


def observe(model: ThemeClassifier, articles: Iterable[Article], name: str) -> Sample:
    """Classify articles and keep only numbers: 5 bytes a theme and 9 more an article.

    Parameters
    ----------
    model : ThemeClassifier
    articles : iterable of Article
        However many; labels are not looked at.
    name : str
        What to call them in a message.

    Raises
    ------
    DataError
        If there are none.
    """
    parts = [_observe(model, texts) for texts in batched((article.full_text for article in articles), _BATCH)]
    if not parts:
        raise DataError(f"{name}: no articles, so nothing to compare; name files with at least one")
    return Sample(*map(np.concatenate, zip(*parts, strict=True)))


def _observe(model: ThemeClassifier, texts: list[str]) -> tuple[NDArray[Any], ...]:
    """Give the columns of a `Sample`."""
    scores = model.score_texts(texts)
    return (
        model.decide(scores).astype(np.bool_),
        scores.themes.astype(np.float32),
        scores.unseen.astype(np.float32),
        np.array([len(text.split()) for text in texts], dtype=np.int32),
        np.array(list(map(bool, find_doubts(model, texts, scores)))),
    )


def compare(names: Sequence[str], reference: Sample, new: Sample) -> Drift:
    """Compare new articles with reference ones.

    Rates by Fisher's exact test, distributions by the two-sample Kolmogorov-Smirnov test; p-values are corrected for
    the number of tests by Holm's method (1979).

    Parameters
    ----------
    names : sequence of str
        Themes, in the order of the columns.
    reference, new : Sample
        From `observe`.
    """
    pairs = list(zip(reference.quantities(names), new.quantities(names), strict=True))
    tests = [_test(old, now) for (*_, old), (*_, now) in pairs]
    corrected = holm(np.array([p for *_, p in tests])).tolist()
    shifts = [
        Shift(quantity, theme, float(old.mean()), float(now.mean()), effect, p, large and p < LEVEL)
        for ((quantity, theme, old), (*_, now)), (effect, large, _), p in zip(pairs, tests, corrected, strict=True)
    ]
    return Drift(reference, new, tuple(shifts))


def _test(old: NDArray[Any], now: NDArray[Any]) -> tuple[float, bool, float]:
    """Measure the effect, whether it is large, and how likely it is by chance."""
    if old.dtype != np.bool_:
        found = ks_2samp(old, now)
        return float(found.statistic), bool(found.statistic >= MIN_DISTANCE), float(found.pvalue)
    low, high = sorted((float(old.mean()), float(now.mean())))
    p = fisher_exact([[part.sum(), len(part) - part.sum()] for part in (old, now)]).pvalue
    large = high - low >= MIN_DIFFERENCE or high >= MIN_FACTOR * low
    return float(now.mean() - old.mean()), large, float(p)


def format_drift(drift: Drift) -> str:
    """Lay out all quantities, and what drifted in one line below."""
    header = ["", f"reference, {len(drift.reference)}", f"new, {len(drift.new)}", "effect", "p", ""]
    rows = []
    for shift in drift.shifts:
        digits = ".1f" if shift.quantity == "length" else ".3f"
        values = [f"{value:{digits}}" for value in (shift.reference, shift.new)]
        sign = "+" if shift.quantity in ("rate", "unsure") else ""
        mark = "drifted" if shift.drifted else ""
        rows.append([shift.name, *values, f"{shift.effect:{sign}.3f}", format_p(shift.p), mark])
    drifted = ", ".join(shift.name for shift in drift.drifted)
    return f"{format_table(header, rows)}\n\n{f'drifted: {drifted}' if drifted else 'no drift'}"


def format_p(p: float) -> str:
    """Write a p-value.

    >>> format_p(0.0213), format_p(1e-9)
    ('0.021', '<0.001')
    """
    return "<0.001" if p < 0.001 else f"{p:.3f}"
