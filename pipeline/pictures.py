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
from .artifact import writing
from .classifier import ThemeClassifier
from .compare import KEYWORDS, MODEL, TEXTBOOK, Answers, Comparison
from .evaluate import Estimate, Floats, evaluate
from .report import METRIC_NAMES
from .themes import NONE_AR, Taxonomy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .curve import Point
    from .growth import Growth

# Told apart by lightness too, for those who do not see all colors.
_BLUE, _ORANGE, _WINE, _GRAY = "#1b6ca8", "#e08e45", "#882255", "#8a8a8a"
_CONTENDERS = {MODEL: _BLUE, TEXTBOOK: _ORANGE, KEYWORDS: _GRAY}
_CURVES = {"f1_micro": _BLUE, "f1_macro": _ORANGE, "f1_none": _WINE}
_FIELDS = {"country": "country", "outlet_style": "outlet", "genre": "genre"}  # of an article, and what they are called
_CELL: dict[str, Any] = {"ha": "center", "va": "center", "in_layout": False}  # measuring each would take long
_MOST, _OTHER = 8, "other"  # values of a field that are told apart, and what the rest is called
_LEAST = 7.0  # inches, so that captions and legends of few panels are not cut off


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


def draw_pictures(taxonomy: Taxonomy, judged: Judged, thresholds: Floats, model: ThemeClassifier, folder: Path) -> None:
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
        _draw_estimates(axes, f1, positions + offset, _CONTENDERS[name], name)
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
    from matplotlib import color_sequences

    figure = _figure(9, 6)
    axes = figure.subplots()
    axes.set_prop_cycle(color=color_sequences["petroff10"])  # made for eyes that do not see all colors
    for name, row in figures.items():
        place, mark = (row["batch_per_second"], row["f1_macro"]), "o" if name.startswith("ours") else "s"
        spread = [[place[0] - row["batch_lowest"]], [row["batch_highest"] - place[0]]]
        axes.errorbar(
            *place, xerr=spread, fmt=mark, capsize=2, markersize=5 + 1.5 * row["file_mb"] ** 0.5, alpha=0.7, label=name
        )
    axes.set_xscale("log")
    axes.set_xlabel("articles a second, one core")
    axes.set_ylabel("macro F1, held-out articles (a mark grows with the file)")
    axes.margins(x=0.1, y=0.1)
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside upper center", ncols=3, markerscale=0.5)
    _save(figure, path)


def draw_growth(growth: "Growth", path: Path) -> None:
    """Draw the seconds of each step against the number of articles, beside what would grow in proportion to it."""
    figure = _figure(_LEAST, 5)
    axes = figure.subplots()
    for (name, seconds), color in zip(growth.seconds.items(), (_BLUE, _ORANGE, _WINE), strict=True):
        said = f"{name}: exponent {growth.exponents[name].overall:.2f}"
        axes.plot(growth.sizes, seconds, "o-", color=color, label=said)
    lowest = min(seconds[0] for seconds in growth.seconds.values()) / 2  # below all lines, to be told from them
    in_proportion = lowest * np.array(growth.sizes) / growth.sizes[0]
    axes.plot(growth.sizes, in_proportion, "--", color=_GRAY, label="in proportion: exponent 1")
    axes.set(xscale="log", yscale="log", xlabel="articles", ylabel="seconds")
    axes.set_xticks(growth.sizes, [f"{size:,}" for size in growth.sizes])
    axes.set_xticks([], minor=True)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=2)
    _save(figure, path)


def draw_calibration(taxonomy: Taxonomy, judged: Judged, path: Path) -> None:
    """Draw how often a theme was right, against the probability it was given: on the diagonal, scores are honest."""
    figure, panels = _theme_panels(taxonomy, judged.labels)
    mean_of_all, share_of_all, *_ = reliability(judged.labels.ravel(), judged.probabilities.ravel())
    for axes, labels, given in zip(panels, judged.labels.T, judged.probabilities.T, strict=True):
        mean, share, low, high = reliability(labels, given)
        axes.plot([0, 1], [0, 1], color=_GRAY, linestyle="--", linewidth=1)
        axes.plot(mean_of_all, share_of_all, color=_ORANGE, label="all themes together")
        spread = (share - low, high - share)
        axes.errorbar(mean, share, yerr=spread, fmt="o", color=_BLUE, capsize=2, label="this theme, 95 % interval")
    figure.supxlabel("probability given, in ten bins")
    figure.supylabel("share of articles that have the theme")
    _legend(figure, panels)
    _save(figure, path)


def reliability(labels: NDArray[np.int8], probabilities: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Compare probabilities with what came true, in ten bins of equal width.

    Returns
    -------
    mean, share, low, high : ndarray, one number a bin that is not empty
        The mean probability; the share of positives and its 95 % interval (Jeffreys; Brown, Cai, DasGupta, "Interval
        estimation for a binomial proportion", 2001).

    >>> mean, share, low, high = reliability(np.array([0, 1, 1]), np.array([0.02, 0.04, 1.0]))
    >>> mean.tolist(), share.tolist()
    ([0.03, 1.0], [0.5, 1.0])
    """
    bins = np.minimum((probabilities * 10).astype(int), 9)
    n = np.bincount(bins, minlength=10)
    filled, n = n > 0, n[n > 0]
    mean = np.bincount(bins, probabilities, minlength=10)[filled] / n
    positive = np.bincount(bins, labels, minlength=10)[filled]
    low = np.where(positive > 0, betaincinv(positive + 0.5, n - positive + 0.5, 0.025), 0)
    high = np.where(positive < n, betaincinv(positive + 0.5, n - positive + 0.5, 0.975), 1)
    return mean, positive / n, low, high


def draw_precision_recall(taxonomy: Taxonomy, judged: Judged, thresholds: Floats, path: Path) -> None:
    """Draw precision against recall, theme by theme, the thresholds marked."""
    figure, panels = _theme_panels(taxonomy, judged.labels)
    columns = zip(panels, judged.labels.T, judged.probabilities.T, thresholds, strict=True)
    for axes, labels, given, threshold in columns:
        if not labels.any():
            continue
        at, precision, recall = threshold_curve(labels, given)
        chosen = np.searchsorted(at, threshold)
        said = (
            f"average precision {average_precision_score(labels, given):.2f}\nthreshold {threshold:.2f}:\n"
            f"precision {precision[chosen]:.2f}, recall {recall[chosen]:.2f}"
        )
        axes.axhline(labels.mean(), color=_GRAY, linestyle="--", linewidth=1, label="share of articles with the theme")
        axes.plot(recall, precision, color=_BLUE, drawstyle="steps-post", label="all thresholds")
        axes.plot(recall[chosen], precision[chosen], "o", color=_ORANGE, label="the model's threshold")
        axes.text(0.05, 0.5, said, va="center", fontsize=9, bbox={"color": "white", "alpha": 0.8, "pad": 1})
    figure.supxlabel("recall")
    figure.supylabel("precision")
    _legend(figure, panels)
    _save(figure, path)


def draw_thresholds(taxonomy: Taxonomy, judged: Judged, thresholds: Floats, path: Path) -> None:
    """Draw what another threshold would give, theme by theme."""
    figure, panels = _theme_panels(taxonomy, judged.labels)
    columns = zip(panels, judged.labels.T, judged.probabilities.T, thresholds, strict=True)
    for axes, labels, given, threshold in columns:
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
        From the threshold 0 to 1; values hold from above the threshold before to their own. Precision is NaN where
        nothing is said.

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
    """Draw which themes, or none, the articles of each theme were given, and what of it wrongly."""
    given, wrongly = (100 * shares for shares in confusion(judged.labels, judged.answers.predictions))
    names = [*(theme.ar for theme in taxonomy.themes), NONE_AR]
    counts = [*judged.labels.sum(axis=0), (~judged.labels.any(axis=1)).sum()]
    rows = [_counted(*row) for row in zip(names, counts, strict=True)]
    figure, axes = _matrix(given, rows, names, small=np.where(wrongly < 0.5, np.nan, wrongly))
    axes.set_ylabel("labeled with (articles)")
    axes.set_xlabel("% that was given the theme; small: % that was given it wrongly")
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
    figure, axes = _matrix(together, names, names)
    for i, n in enumerate(counts.diagonal()):
        axes.text(i, i, f"{n}", fontweight="bold", **_CELL)
    axes.set_xlabel("articles labeled with both themes; bold: all that are labeled with the theme")
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
    figure, panels = _panels(len(taxonomy), height=3.8)
    for axes, theme, coef in zip(panels, taxonomy.themes, model.coef_[: len(taxonomy)], strict=True):
        words = strongest_words(features, coef, most_for=12, most_against=6)
        axes.barh(range(len(words)), list(words.values()), color=[_BLUE if w > 0 else _ORANGE for w in words.values()])
        axes.set_yticks(range(len(words)), list(words), fontsize=9)
        axes.margins(y=0.02)
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_title(theme.ar, fontsize=10)
    figure.supxlabel("coefficient of a word or pair of words, as the normalizer writes it")
    _save(figure, path)


def strongest_words(
    features: NDArray[np.object_], coef: NDArray[np.floating[Any]], most_for: int, most_against: int
) -> dict[str, float]:
    """Find the words of highest and lowest coefficient, the highest first; none of weight 0.

    >>> names = np.array(["words__a", "words__b", "chars__c", "words__d", "words__e"], dtype=object)
    >>> strongest_words(names, np.array([0.5, -1.0, 3.0, 2.0, 0.0]), most_for=1, most_against=2)
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
    figure, panels = _panels(len(parts), width=5, height=3.2, sharex=True)
    lowest = 0.9
    for axes, (field, values) in zip(panels, parts.items(), strict=True):
        f1 = [_f1_micro(taxonomy, judged, chosen) for chosen in values.values()]
        lowest = min([lowest, *(estimate.low for estimate in f1 if not np.isnan(estimate.low))])
        of_all = f"all {len(judged.articles)} articles: {whole}"
        axes.axvline(whole.value, color=_GRAY, linestyle="--", linewidth=1, label=of_all)
        _draw_estimates(axes, f1, np.arange(len(f1)), _BLUE)
        axes.set_yticks(range(len(f1)), [_counted(name, chosen.sum()) for name, chosen in values.items()])
        axes.set_ylim(len(f1) - 0.5, -0.5)
        axes.set_title(field)
        axes.grid(axis="x", alpha=0.3)
    panels[0].set_xlim(np.floor(10 * lowest) / 10 - 0.01, 1.01)
    figure.supxlabel("F1 micro, with 95 % interval; in brackets the articles")
    _legend(figure, panels)
    _save(figure, path)


def _f1_micro(taxonomy: Taxonomy, judged: Judged, chosen: NDArray[np.bool_]) -> Estimate:
    groups = None if judged.groups is None else judged.groups[chosen]
    return evaluate(taxonomy.names, judged.labels[chosen], judged.answers.predictions[chosen], groups=groups).f1_micro


def parts_of(articles: Sequence[Article]) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Part articles by what is known of them: masks of shape (n,) under field and value, the most frequent value first.

    A field that is empty everywhere is left out; values beyond the 8 most frequent are "other".
    """
    parts = {"length in words": _lengths(articles)}
    for field, name in _FIELDS.items():
        found = np.array([getattr(article, field) for article in articles], dtype=object)
        counts = Counter(value for value in found if value)
        top = sorted(counts.keys() - {_OTHER}, key=lambda value: (-counts[value], value))[:_MOST]
        parts[name] = {value: found == value for value in top}
        if (rest := (found != "") & ~np.isin(found, top)).any():
            parts[name][_OTHER] = rest
    return {name: values for name, values in parts.items() if values}


def _lengths(articles: Sequence[Article]) -> dict[str, NDArray[np.bool_]]:
    """Part articles by the quarters of their lengths; articles of one length are never apart."""
    lengths = np.array([len(article.full_text.split()) for article in articles])
    quarters = np.digitize(lengths, np.quantile(lengths, [0.25, 0.5, 0.75]), right=True)
    chosen = [quarters == quarter for quarter in np.unique(quarters)]
    return {"–".join(map(str, sorted({lengths[some].min(), lengths[some].max()}))): some for some in chosen}


def _counted(name: str, n: int) -> str:
    return f"{name} ({n})"


def _draw_estimates(
    axes: "Axes", estimates: Sequence[Estimate], positions: NDArray[Any], color: str, label: str = ""
) -> None:
    """Draw values and their intervals, one below the other."""
    value, low, high = np.array([(estimate.value, estimate.low, estimate.high) for estimate in estimates]).T
    spread = np.maximum((value - low, high - value), 0)  # of few articles, the resamples can all be on one side
    axes.errorbar(value, positions, xerr=spread, fmt="o", color=color, capsize=2, label=label)


def _theme_panels(taxonomy: Taxonomy, labels: NDArray[np.int8]) -> "tuple[Figure, list[Axes]]":
    """Lay out a panel a theme for shares against shares."""
    figure, panels = _panels(len(taxonomy), sharex=True, sharey=True)
    panels[0].set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    for axes, theme, n in zip(panels, taxonomy.themes, labels.sum(axis=0), strict=True):
        axes.set_title(_counted(theme.ar, n), fontsize=10)
        axes.grid(alpha=0.3)
    return figure, panels


def _panels(
    n: int, width: float = 3.4, height: float = 2.8, *, sharex: bool = False, sharey: bool = False
) -> "tuple[Figure, list[Axes]]":
    """Lay out small multiples in a grid that is about square, of at most four columns."""
    columns = min(4, ceil(sqrt(n)))
    rows = ceil(n / columns)
    figure = _figure(max(_LEAST, columns * width), rows * height)
    panels = list(figure.subplots(rows, columns, sharex=sharex, sharey=sharey, squeeze=False).flat)
    for axes in panels[n:]:
        axes.remove()
    for axes in panels[max(0, n - columns) : n]:
        axes.tick_params(labelbottom=True)  # which sharing keeps for the last row alone
    return figure, panels[:n]


def _legend(figure: "Figure", panels: "Sequence[Axes]") -> None:
    """Explain the marks of all panels once, above them."""
    marks = {name: mark for axes in panels for mark, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    if marks:
        figure.legend(marks.values(), marks.keys(), loc="outside upper center", ncols=4)


def _matrix(
    values: Floats, rows: Sequence[str], columns: Sequence[str], small: Floats | None = None
) -> "tuple[Figure, Axes]":
    """Draw a matrix in shades, the numbers in its cells, others small below them; nothing where a number is NaN."""
    figure = _figure(max(_LEAST, 3 + 0.6 * len(columns)), 2.5 + 0.45 * len(rows))
    axes = figure.subplots()
    axes.imshow(values, cmap="Blues", aspect="auto", vmin=0, vmax=np.nanmax(values, initial=1))
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="left", rotation_mode="anchor")
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False)
    dark = 0.6 * np.nanmax(values, initial=1)
    for numbers, below, size in ((values, 0, 10), (small, 0.32, 8)):
        for (row, column), number in np.ndenumerate([] if numbers is None else numbers):
            if not np.isnan(number):
                color = "white" if values[row, column] > dark else "black"
                axes.text(column, row + below, f"{number:.0f}", color=color, **_CELL, fontsize=size)
    return figure, axes


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: "Figure", path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(path.name + ".new")
    with writing(staged) as file:
        figure.savefig(file, dpi=120, format="png", metadata={"Software": None})  # which would name a version
    staged.replace(path)
