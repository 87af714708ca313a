"""Which of two models is better, judged on the same articles: a verdict with its evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .answers import AnswerSheet
from .config import EvaluationConfig
from .errors import DataError
from .evaluate import COMPARED, Estimate, estimate, paired_draws

Conclusion = Literal["better", "worse", "no evidence"]
LEVEL = 0.05  # of chance, for all themes of a comparison together


@dataclass(frozen=True)
class Difference:
    """By how much F1 of a theme is higher, and how likely chance alone would do as much, corrected for all themes."""

    f1: Estimate
    p: float


@dataclass(frozen=True)
class Change:
    """An article that the two answer differently; `better` and `worse` count the decisions that became so."""

    id: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    themes: tuple[str, ...]
    better: int
    worse: int


@dataclass(frozen=True)
class Verdict:
    """A candidate beside a reference, on `n` articles that neither had learned from.

    Attributes
    ----------
    n : int
    overall : dict of str to Estimate
        Differences of F1 micro, macro and none, candidate less reference, with 95 % intervals.
    themes : dict of str to Difference
    changes : tuple of Change
    conclusion : {"better", "worse", "no evidence"}
        Worse: F1 of some theme, micro or macro is lower beyond chance. Better: micro or macro is higher beyond chance,
        and nothing is lower. Else there is no evidence.
    because : str
        The reason, in one sentence.
    """

    n: int
    overall: dict[str, Estimate]
    themes: dict[str, Difference]
    changes: tuple[Change, ...]
    conclusion: Conclusion
    because: str

    @property
    def worse_themes(self) -> list[str]:
        """Themes whose F1 is lower beyond chance."""
        return _worse(self.themes)

    def to_dict(self) -> dict[str, Any]:
        """Give all as JSON can hold it."""
        return {
            "articles": self.n,
            "conclusion": self.conclusion,
            "because": self.because,
            "overall": {metric: estimate.to_json() for metric, estimate in self.overall.items()},
            "themes": {
                name: {"f1": each.f1.to_json(), "p": round(each.p, 4)} for name, each in self.themes.items()
            },
            "changes": [vars(change) for change in self.changes],
        }  # fmt: skip


def judge(names: Sequence[str], reference: AnswerSheet, candidate: AnswerSheet, config: EvaluationConfig) -> Verdict:
    """Compare two models' answers to the same articles.

    Differences are measured on each resample of a paired bootstrap (Efron, Tibshirani 1993), near-duplicates drawn
    together. A theme's p is twice the share of resamples on the other side of 0, corrected for the number of themes by
    Holm's method (1979).

    Parameters
    ----------
    names : sequence of str
        Themes, in the order of the columns.
    reference, candidate : AnswerSheet
        Of the same articles in the same order, see `align`.
    config : EvaluationConfig
    """
    labels, before, after = reference.labels, reference.predictions, candidate.predictions
    value, drawn = paired_draws(
        labels, after, before, groups=reference.groups, resamples=config.resamples, seed=config.seed
    )
    overall = {metric: estimate(value[metric], drawn[metric]) for metric in COMPARED}
    p = holm(np.array([_p_value(column) for column in drawn["f1"].T]))
    themes = {
        name: Difference(estimate(value["f1"][i], drawn["f1"][:, i]), float(p[i])) for i, name in enumerate(names)
    }
    conclusion, because = _conclude(overall, themes)
    return Verdict(len(labels), overall, themes, tuple(_changes(names, reference, candidate)), conclusion, because)


def align(sheets: dict[str, AnswerSheet]) -> dict[str, AnswerSheet]:
    """Keep the articles that all have answered, in one order.

    Raises
    ------
    DataError
        If there are none, or the labels of one differ between two: they were measured on different data.
    """
    (first, reference), *others = sheets.items()
    common = set(reference.texts.tolist())
    for _, sheet in others:
        common &= set(sheet.texts.tolist())
    if not common:
        raise DataError(
            f"{', '.join(sheets)} were measured on different articles, none in common; "
            "name labeled articles that none of them learned from: --articles PATH"
        )
    aligned = {}
    for name, sheet in sheets.items():
        place = {text: i for i, text in enumerate(sheet.texts.tolist())}
        aligned[name] = sheet[np.array([place[text] for text in sorted(common)])]
    for name, sheet in aligned.items():
        if differing := int((sheet.labels != aligned[first].labels).any(axis=1).sum()):
            raise DataError(
                f"{first} and {name} were measured on different data: {differing} of {len(common)} articles in common "
                "have other labels; say which labels are right: --articles PATH"
            )
    return aligned


def _conclude(overall: dict[str, Estimate], themes: dict[str, Difference]) -> tuple[Conclusion, str]:
    lower = _worse(themes) + [metric for metric in ("f1_macro", "f1_micro") if overall[metric].high < 0]
    higher = [metric for metric in ("f1_macro", "f1_micro") if overall[metric].low > 0]
    if lower:
        return "worse", f"lower beyond chance: {', '.join(lower)}"
    if higher:
        return "better", f"higher beyond chance: {', '.join(higher)}; no theme lower beyond chance"
    return "no evidence", "the intervals of macro and micro F1 hold 0, and no theme is lower beyond chance"


def _worse(themes: dict[str, Difference]) -> list[str]:
    return [name for name, each in themes.items() if each.p < LEVEL and each.f1.value < 0]


def _changes(names: Sequence[str], reference: AnswerSheet, candidate: AnswerSheet) -> list[Change]:
    def named(row: NDArray[np.int8]) -> tuple[str, ...]:
        return tuple(name for name, yes in zip(names, row.tolist(), strict=True) if yes)

    changes = []
    changed = (reference.predictions != candidate.predictions).any(axis=1).nonzero()[0]
    for i in changed.tolist():
        right_before, right_after = (
            sheet.predictions[i] == reference.labels[i] for sheet in (reference, candidate)
        )  # fmt: skip
        changes.append(
            Change(
                str(reference.ids[i]),
                named(reference.predictions[i]),
                named(candidate.predictions[i]),
                named(reference.labels[i]),
                int((right_after & ~right_before).sum()),
                int((right_before & ~right_after).sum()),
            )
        )
    return sorted(changes, key=lambda change: (change.better - change.worse, change.id))


def _p_value(drawn: NDArray[np.float64]) -> float:
    drawn = drawn[~np.isnan(drawn)]
    sides = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return min(1.0, 2 * (sides + 1) / (len(drawn) + 1))


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correct p-values for the number of tests by Holm's method (1979).

    >>> holm(np.array([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p)
    corrected = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    result = np.empty_like(p)
    result[order] = np.minimum(corrected, 1)
    return result
