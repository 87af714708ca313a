"""Pictures for people who judge a training run, a learning curve or a benchmark."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv
from sklearn.metrics import average_precision_score, precision_recall_curve

from .article import Article
from .classifier import ThemeClassifier
from .compare import KEYWORDS, MODEL, TEXTBOOK, Answers, Comparison
from .evaluate import Estimate, Floats, evaluate
from .report import METRIC_NAMES
from .themes import Taxonomy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .curve import Point

# Told apart by lightness too, for those who do not see all colors.
_BLUE, _ORANGE, _WINE, _GRAY = "#1b6ca8", "#e08e45", "#882255", "#8a8a8a"
_CONTENDERS = {MODEL: _BLUE, TEXTBOOK: _ORANGE, KEYWORDS: _GRAY}
_CURVES = {"f1_micro": _BLUE, "f1_macro": _ORANGE, "f1_none": _WINE}
_NONE = "لا شيء"
_LENGTHS = (1, 50, 100, 200, 400, 800)  # words, from which a bin of the breakdown starts
_FIELDS = {"country": "country", "outlet_style": "outlet", "genre": "genre"}  # of an article, and what they are called
_MOST = 8  # values of a field that are told apart
_FOR, _AGAINST = 12, 6  # words shown a theme


@dataclass(frozen=True)
class Judged:
    """Articles with their labels (n, n_themes), near-duplicate groups (n,) and what the model said of them."""

    articles: Sequence[Article]
    labels: NDArray[np.int8]
    answers: Answers
    groups: NDArray[np.int32] | None = None

    @property
    def probabilities(self) -> Floats:
        """Those of the answers, which a model always has."""
        assert self.answers.probabilities is not None
        return self.answers.probabilities


def draw_pictures(
    taxonomy: Taxonomy, judged: Judged, thresholds: Floats, model: ThemeClassifier, folder: Path
) -> None:
    """Draw all that can be seen of one model's answers; `draw_themes` draws it beside its baselines.

    Parameters
    ----------
    taxonomy : Taxonomy
    judged : Judged
        Articles that the model, or one trained like it, had not seen.
    thresholds : ndarray, shape (n_themes,)
        To be marked; those that the answers were made with may be others.
    model : ThemeClassifier
        Whose words are shown.
    folder : Path
        For ``calibration.png``, ``precision-recall.png``, ``thresholds.png``, ``confusion.png``, ``co-occurrence.png``,
        ``words.png`` and ``breakdown.png``.
    """
    draw_calibration(taxonomy, judged, folder / "calibration.png")
    draw_precision_recall(taxonomy, judged, thresholds, folder / "precision-recall.png")
    draw_thresholds(taxonomy, judged, thresholds, folder / "thresholds.png")
    draw_confusion(taxonomy, judged, folder / "confusion.png")
    draw_co_occurrence(taxonomy, judged.labels, folder / "co-occurrence.png")
    draw_words(taxonomy, model, folder / "words.png")
    draw_breakdown(taxonomy, judged, folder / "breakdown.png")


def draw_themes(comparison: Comparison, taxonomy: Taxonomy, path: Path) -> None:
    """Draw the F1 of each theme with its interval, the baselines beside it, the themes under their Arabic names."""
    figure = _figure(9, 1.5 + 0.45 * len(taxonomy))
    axes = figure.subplots()
    positions = np.arange(len(taxonomy))[::-1]
    for offset, (name, evaluation) in zip((0.2, 0, -0.2), comparison.evaluations.items(), strict=False):
        f1 = [evaluation.themes[theme].f1 for theme in taxonomy.names]
        value = np.array([estimate.value for estimate in f1])
        spread = np.abs(np.array([[estimate.low, estimate.high] for estimate in f1]).T - value)
        axes.errorbar(value, positions + offset, xerr=spread, fmt="o", color=_CONTENDERS[name], label=name, capsize=2)
    support = comparison.evaluations[MODEL].themes
    axes.set_yticks(positions, [_counted(theme.ar, support[theme.name].support) for theme in taxonomy.themes])
    axes.set_xlim(0, 1)
    axes.set_xlabel("F1, with 95 % interval; in brackets the articles with the theme")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3)
    _save(figure, path)


def draw_curve(curve: dict[str, list["Point"]], path: Path) -> None:
    """Draw F1 against the number of articles learned from, with 95 % intervals; one panel a set measured on."""
    figure = _figure(5.5 * len(curve), 4.5)
    panels = np.atleast_1d(figure.subplots(1, len(curve), sharey=True))
    for axes, (place, points) in zip(panels, curve.items(), strict=True):
        sizes = [point.articles for point in points]
        for metric, color in _CURVES.items():
            estimates = [point.metrics[metric] for point in points]
            axes.plot(sizes, [estimate.value for estimate in estimates], "o-", color=color, label=METRIC_NAMES[metric])
            axes.fill_between(sizes, [e.low for e in estimates], [e.high for e in estimates], color=color, alpha=0.12)
        axes.set_title(f"measured on {place} articles")
        axes.set_xlabel("articles learned from")
        axes.set_xlim(0)
        axes.set_ylim(0, 1)
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")
    _save(figure, path)


def draw_benchmark(figures: dict[str, dict[str, float]], path: Path) -> None:
    """Draw each contender's F1 against its articles a second, the size of its mark after the size of its file."""
    figure = _figure(9, 6)
    axes = figure.subplots()
    for name, row in figures.items():
        place, mark = (row["batch_per_second"], row["f1_macro"]), "o" if name.startswith("ours") else "s"
        axes.plot(*place, mark, markersize=5 + 1.5 * row["file_mb"] ** 0.5, alpha=0.7, label=name)
    axes.set_xscale("log")
    axes.set_xlabel("articles a second, one core")
    axes.set_ylabel("macro F1, held-out articles (a mark grows with the file)")
    axes.margins(x=0.1, y=0.1)
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside upper center", ncols=3, markerscale=0.5)
    _save(figure, path)


def draw_calibration(taxonomy: Taxonomy, judged: Judged, path: Path) -> None:
    """Draw how often a theme was right, against the probability it was given: on the diagonal, scores are honest."""
    figure, panels = _panels(len(taxonomy))
    for axes, theme, labels, given in zip(panels, taxonomy.themes, judged.labels.T, judged.probabilities.T, strict=True):
        mean, right, low, high, _ = reliability(labels, given)
        axes.plot([0, 1], [0, 1], color=_GRAY, linestyle="--", linewidth=1)
        axes.errorbar(mean, right, yerr=(right - low, high - right), fmt="o-", color=_BLUE, capsize=2, markersize=4)
        axes.set_title(_counted(theme.ar, labels.sum()))
    figure.supxlabel("probability given, in ten bins")
    figure.supylabel("share that has the theme, with 95 % interval")
    _save(figure, path)


def reliability(labels: NDArray[np.int8], probabilities: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Compare probabilities with what came true, in ten bins of equal width.

    Returns
    -------
    mean, share, low, high, n : ndarray, one number a bin that is not empty
        The mean probability, the share of positives with its 95 % interval (Jeffreys; Brown, Cai, DasGupta, "Interval
        estimation for a binomial proportion", 2001), and the number of articles.

    >>> mean, share, _, _, n = reliability(np.array([0, 1, 1]), np.array([0.02, 0.04, 1.0]))
    >>> mean.tolist(), share.tolist(), n.tolist()
    ([0.03, 1.0], [0.5, 1.0], [2, 1])
    """
    bins = np.minimum((probabilities * 10).astype(int), 9)
    n = np.bincount(bins, minlength=10)
    filled, n = n > 0, n[n > 0]
    mean = np.bincount(bins, probabilities, minlength=10)[filled] / n
    positive = np.bincount(bins, labels, minlength=10)[filled]
    low = np.where(positive > 0, betaincinv(positive + 0.5, n - positive + 0.5, 0.025), 0)
    high = np.where(positive < n, betaincinv(positive + 0.5, n - positive + 0.5, 0.975), 1)
    return mean, positive / n, low, high, n


def draw_precision_recall(taxonomy: Taxonomy, judged: Judged, thresholds: Floats, path: Path) -> None:
    """Draw precision against recall, theme by theme, the thresholds marked."""
    figure, panels = _panels(len(taxonomy))
    for axes, theme, labels, given, threshold in zip(
        panels, taxonomy.themes, judged.labels.T, judged.probabilities.T, thresholds, strict=True
    ):
        axes.set_title(_counted(theme.ar, labels.sum()))
        if not labels.any():
            continue
        at, precision, recall = threshold_curve(labels, given)
        chosen = np.searchsorted(at, threshold)
        axes.axhline(labels.mean(), color=_GRAY, linestyle="--", linewidth=1, label="share of articles with the theme")
        axes.plot(recall, precision, color=_BLUE, drawstyle="steps-post", label="all thresholds")
        axes.plot(recall[chosen], precision[chosen], "o", color=_ORANGE, label="the model's threshold")
        axes.annotate(
            f"average precision {average_precision_score(labels, given):.2f}\n"
            f"at {threshold:.2f}: precision {precision[chosen]:.2f}, recall {recall[chosen]:.2f}",
            (0.04, 0.2), fontsize=8,
        )  # fmt: skip
    figure.supxlabel("recall")
    figure.supylabel("precision")
    _legend(figure, panels)
    _save(figure, path)


def draw_thresholds(taxonomy: Taxonomy, judged: Judged, thresholds: Floats, path: Path) -> None:
    """Draw what another threshold would give, theme by theme."""
    figure, panels = _panels(len(taxonomy))
    for axes, theme, labels, given, threshold in zip(
        panels, taxonomy.themes, judged.labels.T, judged.probabilities.T, thresholds, strict=True
    ):
        axes.set_title(_counted(theme.ar, labels.sum()))
        if not labels.any():
            continue
        at, precision, recall = threshold_curve(labels, given)
        f1 = np.divide(2 * precision * recall, precision + recall, out=np.zeros_like(recall), where=recall > 0)
        for values, color, name in ((precision, _BLUE, "precision"), (recall, _ORANGE, "recall"), (f1, _WINE, "F1")):
            axes.plot(at, values, color=color, drawstyle="steps-pre", label=name)
        axes.axvline(threshold, color=_GRAY, linestyle="--", linewidth=1, label="the model's threshold")
    figure.supxlabel("threshold")
    _legend(figure, panels)
    _save(figure, path)


def threshold_curve(labels: NDArray[np.int8], probabilities: Floats) -> tuple[Floats, Floats, Floats]:
    """Follow precision and recall of one theme, which has articles, over all thresholds.

    Returns
    -------
    thresholds, precision, recall : ndarray, all of one length
        From the threshold 0 to 1; the values hold from the threshold before to their own. Precision is NaN where nothing
        is said.

    >>> threshold_curve(np.array([0, 1]), np.array([0.4, 0.6]))
    (array([0. , 0.4, 0.6, 1. ]), array([0.5, 0.5, 1. , nan]), array([1., 1., 1., 0.]))
    """
    precision, recall, thresholds = precision_recall_curve(labels, probabilities)
    return (
        np.concatenate(([0], thresholds, [1])),
        np.concatenate((precision[:1], precision[:-1], [np.nan])),
        np.concatenate((recall[:1], recall)),
    )


def draw_confusion(taxonomy: Taxonomy, judged: Judged, path: Path) -> None:
    """Draw which themes, or none, the articles of each theme were given."""
    given, wrongly = confusion(judged.labels, judged.answers.predictions)
    names = [*(theme.ar for theme in taxonomy.themes), _NONE]
    counts = [*judged.labels.sum(axis=0), (~judged.labels.any(axis=1)).sum()]
    figure, axes = _matrix(given, [[f"{100 * share:.0f}" for share in row] for row in given], names, names)
    axes.set_yticks(range(len(names)), [_counted(name, n) for name, n in zip(names, counts, strict=True)])
    _save(figure, path)


def confusion(labels: NDArray[np.int8], predictions: NDArray[np.int8]) -> tuple[Floats, Floats]:
    """Say what the articles of each theme were given; the last row and column stand for none.

    Returns
    -------
    given : ndarray, shape (n_themes + 1, n_themes + 1)
        Of the articles labeled with the row's theme, the share that was given the column's; NaN without such articles.
        A row can sum to more than 1, for an article can have several themes.
    wrongly : ndarray, shape (n_themes + 1, n_themes + 1)
        The share that was given it, and is not labeled with it.

    >>> confusion(np.array([[1, 1], [1, 0], [0, 0]]), np.array([[1, 1], [0, 1], [0, 0]]))[0].tolist()
    [[0.5, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    true, said = (np.column_stack((of, ~of.any(axis=1))).astype(np.float64) for of in (labels, predictions))
    n = np.where(true.any(axis=0), true.sum(axis=0), np.nan)[:, None]
    return true.T @ said / n, true.T @ (said * (1 - true)) / n


def draw_co_occurrence(taxonomy: Taxonomy, labels: NDArray[np.int8], path: Path) -> None:
    """Draw how many articles are labeled with two themes at once; on the diagonal all that have the theme."""
    counts = co_occurrence(labels)
    names = [theme.ar for theme in taxonomy.themes]
    together = np.where(np.eye(len(names), dtype=bool), np.nan, counts)
    figure, _ = _matrix(together, [[str(n) for n in row] for row in counts.tolist()], names, names)
    _save(figure, path)


def co_occurrence(labels: NDArray[np.int8]) -> NDArray[np.int64]:
    """Count the articles labeled with both themes: a matrix of shape (n_themes, n_themes).

    >>> co_occurrence(np.array([[1, 1, 0], [1, 0, 0]], dtype=np.int8)).tolist()
    [[2, 1, 0], [1, 1, 0], [0, 0, 0]]
    """
    counts: NDArray[np.int64] = labels.T.astype(np.int64) @ labels
    return counts


def draw_words(taxonomy: Taxonomy, model: ThemeClassifier, path: Path) -> None:
    """Draw the words, and pairs of words, that speak most for and against each theme, as the normalizer writes them."""
    features = model.features_.get_feature_names_out()
    figure, panels = _panels(len(taxonomy), height=3.8, share=False)
    for axes, theme, coef in zip(panels, taxonomy.themes, model.coef_, strict=True):
        words = strongest_words(features, coef)
        axes.barh(range(len(words)), list(words.values()), color=[_BLUE if w > 0 else _ORANGE for w in words.values()])
        axes.set_yticks(range(len(words)), list(words), fontsize=9)
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_title(theme.ar)
    figure.supxlabel("coefficient")
    _save(figure, path)


def strongest_words(
    features: NDArray[np.object_], coef: NDArray[np.floating[Any]], most_for: int = _FOR, most_against: int = _AGAINST
) -> dict[str, float]:
    """Find the words of highest and lowest coefficient, the highest first; none of weight 0.

    >>> names = np.array(["words__a", "words__b", "chars__c", "words__d", "words__e"], dtype=object)
    >>> strongest_words(names, np.array([0.5, -1.0, 3.0, 2.0, 0.0]), most_for=1)
    {'d': 2.0, 'b': -1.0}
    """
    order = [i for i in np.argsort(-coef, kind="stable").tolist() if features[i].startswith("words__") and coef[i]]
    positive, negative = [i for i in order if coef[i] > 0], [i for i in order if coef[i] < 0]
    chosen = positive[:most_for] + negative[-most_against:]
    return {features[i].removeprefix("words__"): float(coef[i]) for i in chosen}


def draw_breakdown(taxonomy: Taxonomy, judged: Judged, path: Path) -> None:
    """Draw F1 micro with its interval by length, country, outlet and genre."""
    whole = _f1_micro(taxonomy, judged, np.ones(len(judged.articles), dtype=bool))
    parts = parts_of(judged.articles)
    figure, panels = _panels(len(parts), width=5, height=3.2, share=False)
    for axes, (field, values) in zip(panels, parts.items(), strict=True):
        f1 = [_f1_micro(taxonomy, judged, chosen) for chosen in values.values()]
        value = np.array([estimate.value for estimate in f1])
        spread = np.abs(np.array([[estimate.low, estimate.high] for estimate in f1]).T - value)
        axes.axvline(whole.value, color=_GRAY, linestyle="--", linewidth=1, label="all articles")
        axes.errorbar(value, range(len(f1)), xerr=spread, fmt="o", color=_BLUE, capsize=2)
        axes.set_yticks(range(len(f1)), [_counted(name, chosen.sum()) for name, chosen in values.items()])
        axes.invert_yaxis()
        axes.set_title(field)
        axes.grid(axis="x", alpha=0.3)
    figure.supxlabel("F1 micro, with 95 % interval; in brackets the articles")
    _legend(figure, panels)
    _save(figure, path)


def _f1_micro(taxonomy: Taxonomy, judged: Judged, chosen: NDArray[np.bool_]) -> Estimate:
    groups = None if judged.groups is None else judged.groups[chosen]
    return evaluate(taxonomy.names, judged.labels[chosen], judged.answers.predictions[chosen], groups=groups).f1_micro


def parts_of(articles: Sequence[Article]) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Part articles by what is known of them: masks of shape (n,) by field, then by value, the most frequent first.

    A field that is empty everywhere is left out; values beyond the 8 most frequent are "other".
    """
    parts = {"length in words": _lengths(articles)}
    for field, name in _FIELDS.items():
        found = np.array([getattr(article, field) for article in articles], dtype=object)
        counts = Counter(value for value in found if value)
        top = sorted(counts, key=lambda value: (-counts[value], value))[:_MOST]
        parts[name] = {value: found == value for value in top}
        if len(counts) > _MOST:
            parts[name]["other"] = (found != "") & ~np.isin(found, top)
    return {name: values for name, values in parts.items() if values}


def _lengths(articles: Sequence[Article]) -> dict[str, NDArray[np.bool_]]:
    lengths = np.array([len(article.full_text.split()) for article in articles])
    ends = [*_LENGTHS[1:], np.inf]
    bins = {
        f"{start}–{end - 1}" if end < np.inf else f"{start} or more": (start <= lengths) & (lengths < end)
        for start, end in zip(_LENGTHS, ends, strict=True)
    }
    return {name: chosen for name, chosen in bins.items() if chosen.any()}


def _counted(name: str, n: int) -> str:
    return f"{name} ({n})"


def _panels(n: int, width: float = 3.4, height: float = 2.8, *, share: bool = True) -> "tuple[Figure, list[Axes]]":
    """Lay out small multiples in a grid that is about square, of at most four columns."""
    columns = min(4, ceil(sqrt(n)))
    rows = ceil(n / columns)
    figure = _figure(columns * width, rows * height)
    panels = list(figure.subplots(rows, columns, sharex=share, sharey=share, squeeze=False).flat)
    for axes in panels[n:]:
        axes.remove()
    for axes in panels[max(0, n - columns) : n]:
        axes.tick_params(labelbottom=True)  # which sharing keeps for the last row alone
    if share:
        panels[0].set(xlim=(0, 1), ylim=(0, 1.03))
    return figure, panels[:n]


def _legend(figure: "Figure", panels: "Sequence[Axes]") -> None:
    """Explain the marks of all panels once, above them."""
    marks = {name: mark for axes in panels for mark, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    if marks:
        figure.legend(marks.values(), marks.keys(), loc="outside upper center", ncols=4)


def _matrix(
    values: Floats, cells: Sequence[Sequence[str]], rows: Sequence[str], columns: Sequence[str]
) -> "tuple[Figure, Axes]":
    """Draw a matrix in shades, a text in each cell."""
    figure = _figure(3 + 0.6 * len(columns), 2.5 + 0.45 * len(rows))
    axes = figure.subplots()
    axes.imshow(values, cmap="Blues", aspect="auto", vmin=0)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="left", rotation_mode="anchor")
    axes.xaxis.tick_top()
    most = np.nanmax(values, initial=0)
    for (row, column), value in np.ndenumerate(values):
        axes.text(
            column, row, cells[row][column], ha="center", va="center", fontsize=9,
            color="white" if value > 0.6 * most else "black",
        )  # fmt: skip
    return figure, axes


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: "Figure", path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(path.name + ".new")
    figure.savefig(staged, dpi=120, format="png", metadata={"Software": None})  # which would name a version
    staged.replace(path)
