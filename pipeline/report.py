"""Tables for people, and the stamp that says of which model a report speaks."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .artifact import write_text
from .compare import MODEL, Comparison
from .evaluate import OVERALL

if TYPE_CHECKING:
    from .curve import Point

METRIC_NAMES = {
    "f1_micro": "F1 micro", "f1_macro": "F1 macro", "f1_none": "F1 none", "security_or_none": "security or none",
    "subset_accuracy": "exact set", "hamming_loss": "Hamming loss", "calibration_error": "calibration error",
}  # fmt: skip
_STAMP = "model.sha256"


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
        [METRIC_NAMES[metric], str(getattr(ours, metric))]
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


def format_curve(curve: dict[str, list["Point"]]) -> str:
    """Lay out a learning curve, a row a size."""
    header = [
        "articles",
        *(f"{METRIC_NAMES[metric]}, {place}" for place, points in curve.items() for metric in points[0].metrics),
    ]
    rows = [
        [str(points[0].articles), *(str(estimate) for point in points for estimate in point.metrics.values())]
        for points in zip(*curve.values(), strict=True)
    ]
    return format_table(header, rows)


def stamp_report(folder: Path, sha256: str) -> None:
    """Note of which model a finished report speaks, so that nobody reads it beside another."""
    write_text(folder / _STAMP, sha256 + "\n")


def report_of(model_path: Path, sha256: str) -> Path | None:
    """Find the report beside a model, if there is one and it speaks of that very model."""
    stamp = model_path.parent / "report" / _STAMP
    return stamp.parent if stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == sha256 else None
