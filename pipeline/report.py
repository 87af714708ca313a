"""Tables and figures for people."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .artifact import write_text
from .compare import MODEL, Comparison
from .evaluate import OVERALL, Estimate
from .themes import Taxonomy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .curve import Point

_COLORS = {"model": "#1b6ca8", "textbook": "#e08e45", "keywords": "#8a8a8a"}
_CURVES = {"f1_micro": "#1b6ca8", "f1_macro": "#e08e45", "f1_none": "#5a9a4a"}
_STAMP = "model.sha256"
_NAMES = {
    "f1_micro": "F1 micro", "f1_macro": "F1 macro", "f1_none": "F1 none", "security_or_none": "security or none",
    "subset_accuracy": "exact set", "hamming_loss": "Hamming loss", "calibration_error": "calibration error",
}  # fmt: skip


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align columns: the first to the left, the others to the right.

    >>> print(format_table(["theme", "F1"], [["terrorism", "0.9"]]))
    theme       F1
    terrorism  0.9
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in (header, *rows):
        first, *others = (
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *others]).rstrip())
    return "\n".join(lines)


def format_markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a Markdown table.

    >>> print(format_markdown(["theme", "F1"], [["terrorism", "0.9"]]))
    | theme | F1 |
    | --- | --- |
    | terrorism | 0.9 |
    """
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows))


def format_comparison(comparison: Comparison) -> str:
    """Lay out the model's metrics with 95 % intervals, and the F1 of each baseline beside them."""
    ours = comparison.evaluations[MODEL]
    others = [name for name in comparison.evaluations if name != MODEL]
    header = [
        "theme",
        "support",
        "precision",
        "recall",
        "F1",
        "avg. precision",
        *(f"F1 {name}" for name in others),
    ]
    rows = [
        [
            theme,
            str(scores.support),
            *map(str, (scores.precision, scores.recall, scores.f1, scores.average_precision)),
        ]
        + [str(comparison.evaluations[name].themes[theme].f1) for name in others]
        for theme, scores in ours.themes.items()
    ]
    overall_header = [f"{ours.n} articles", MODEL, *others, *(f"ahead of {name}" for name in others)]
    overall = [
        [_NAMES[metric], str(getattr(ours, metric))]
        + [str(getattr(comparison.evaluations[name], metric)) for name in others]
        + [_signed(comparison, name, metric) for name in others]
        for metric in OVERALL
    ]
    return f"{format_table(header, rows)}\n\n{format_table(overall_header, overall)}"


def _signed(comparison: Comparison, name: str, metric: str) -> str:
    if metric not in comparison.differences[name]:
        return ""
    ahead = comparison.differences[name][metric]
    return f"{ahead.value:+.2f} [{ahead.low:+.2f} to {ahead.high:+.2f}]"


def format_inspection(found: dict[str, Any]) -> str:
    """Lay out what `pipeline.inspection.inspect_model` found; signs that could deceive a terminal are written out."""
    parts = [[f"{found['file']}: {found['bytes']:,} bytes", f"sha256 {found['sha256']}"]]
    if found["holds"]:
        parts[0].append(f"holds {found['holds']}")
    if card := found["card"]:
        about = f"{card['articles']} articles, {card['none']} of them without a theme"
        parts.append([f"its card, format {card['format']}: {about}"])
        themes = [[name, *map(_number, row.values())] for name, row in card["themes"].items()]
        parts.append(_lines(["theme", "articles", "threshold"], themes))
        measured = [
            [_NAMES[name], *(_number(part[name], part[f"{name}_interval"]) for part in card["metrics"].values())]
            for name in card["metrics"]["test"]
            if name in _NAMES
        ]
        header = [f"{part.replace('_', '-')}, {values['n']} articles" for part, values in card["metrics"].items()]
        parts.append(_lines(["", *header], measured))
        versions = [[name, *map(str, row.values())] for name, row in card["versions"].items()]
        parts.append(_lines(["version", "of the card", "installed"], versions))
    if found["largest"]:
        largest = [[entry["name"], entry["what"], f"{entry['bytes']:,}"] for entry in found["largest"]]
        parts.append(_lines(["largest", "what", "bytes"], largest))
    parts.append(["asks for what models need:", *(f"    {name}" for name in found["expected"])])
    if found["unexpected"]:
        parts.append(["ASKS FOR WHAT NO MODEL NEEDS:", *(f"    {name}" for name in found["unexpected"])])
    parts.append([f"PROBLEM: {problem}" for problem in found["problems"]] or ["nothing unexpected"])
    return "\n\n".join("\n".join(map(_visible, part)) for part in parts)


def _lines(header: list[str], rows: list[list[str]]) -> list[str]:
    return format_table(header, [list(map(_visible, row)) for row in rows]).splitlines()


def _number(value: Any, interval: Any = None) -> str:
    """Write a number of a card, which may be any JSON."""
    if not isinstance(value, float):
        return "–" if value is None else str(value)
    match interval:
        case [float(low), float(high)]:
            return str(Estimate(value, low, high))
    return f"{value:.2f}"


def _visible(text: str) -> str:
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def stamp_report(folder: Path, sha256: str) -> None:
    """Note of which model a finished report speaks, so that nobody reads it beside another."""
    write_text(folder / _STAMP, sha256 + "\n")


def report_of(model_path: Path, sha256: str) -> Path | None:
    """Find the report beside a model, if there is one and it speaks of that very model."""
    stamp = model_path.parent / "report" / _STAMP
    return stamp.parent if stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == sha256 else None


def draw_themes(comparison: Comparison, taxonomy: Taxonomy, path: Path) -> None:
    """Draw the F1 of each theme with its interval, the baselines beside it, the themes under their Arabic names."""
    figure = _figure(9, 5.5)
    axes = figure.subplots()
    positions = np.arange(len(taxonomy))[::-1]
    for offset, (name, evaluation) in zip((0.2, 0, -0.2), comparison.evaluations.items(), strict=False):
        f1 = [evaluation.themes[theme].f1 for theme in taxonomy.names]
        value = np.array([estimate.value for estimate in f1])
        spread = np.abs(np.array([[estimate.low, estimate.high] for estimate in f1]).T - value)
        axes.errorbar(value, positions + offset, xerr=spread, fmt="o", color=_COLORS[name], label=name, capsize=2)
    support = comparison.evaluations[MODEL].themes
    axes.set_yticks(positions, [f"{theme.ar} ({support[theme.name].support})" for theme in taxonomy.themes])
    axes.set_xlim(0, 1)
    axes.set_xlabel("F1, with 95 % interval; in brackets the articles with the theme")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3)
    _save(figure, path)


def format_curve(curve: dict[str, list["Point"]]) -> str:
    """Lay out a learning curve, a row a size."""
    header = ["articles", *(f"{_NAMES[metric]}, {place}" for place in curve for metric in _CURVES)]
    rows = [
        [str(points[0].articles), *(str(point.metrics[metric]) for point in points for metric in _CURVES)]
        for points in zip(*curve.values(), strict=True)
    ]
    return format_table(header, rows)


def draw_curve(curve: dict[str, list["Point"]], path: Path) -> None:
    """Draw F1 against the number of articles learned from, with 95 % intervals; one panel a set measured on."""
    figure = _figure(5.5 * len(curve), 4.5)
    panels = np.atleast_1d(figure.subplots(1, len(curve), sharey=True))
    for axes, (place, points) in zip(panels, curve.items(), strict=True):
        sizes = [point.articles for point in points]
        for metric, color in _CURVES.items():
            estimates = [point.metrics[metric] for point in points]
            axes.plot(sizes, [estimate.value for estimate in estimates], "o-", color=color, label=_NAMES[metric])
            axes.fill_between(sizes, [e.low for e in estimates], [e.high for e in estimates], color=color, alpha=0.12)
        axes.set_title(f"measured on {place} articles")
        axes.set_xlabel("articles learned from")
        axes.set_xlim(0)
        axes.set_ylim(0, 1)
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")
    _save(figure, path)


def draw_calibration(labels: NDArray[np.int8], probabilities: NDArray[np.float64] | None, path: Path) -> None:
    """Draw how often a theme was right, against the probability it was given: on the diagonal, scores are honest."""
    assert probabilities is not None
    given, right = probabilities.ravel(), labels.ravel()
    edges = np.linspace(0, 1, 11)
    bins = np.digitize(given, edges[1:-1])
    filled = [b for b in range(10) if (bins == b).any()]
    figure = _figure(5, 5)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linestyle="--")
    axes.plot(
        [given[bins == b].mean() for b in filled],
        [right[bins == b].mean() for b in filled],
        "o-",
        color=_COLORS[MODEL],
    )
    for b in filled:
        axes.annotate(
            str(int((bins == b).sum())),
            (given[bins == b].mean(), right[bins == b].mean()),
            textcoords="offset points",
            xytext=(6, -10),
            fontsize=8,
        )
    axes.set_xlabel("probability given (small figures: decisions)")
    axes.set_ylabel("share that was right")
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


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure  # only training draws

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: "Figure", path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(path.name + ".new")
    figure.savefig(staged, dpi=120, format="png")
    staged.replace(path)
