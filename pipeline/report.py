"""Tables for people, and the stamp that says of which model a report speaks."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .article import Article
from .artifact import write_text
from .compare import MODEL, Comparison
from .evaluate import OVERALL, Estimate
from .explain import Explanation, weigh_words
from .themes import NONE, Taxonomy

if TYPE_CHECKING:
    from .curve import Point
    from .registry import LoggedRun
    from .verdict import Verdict

_STAMP = "model.sha256"
_COSTS = {
    "training, s": "seconds.all", "one article, median ms": "p50_ms.one_article",
    "99th percentile, ms": "p99_ms.one_article",
    "file, MB": "megabytes", "features": "features",
}  # fmt: skip
_SHOWN = 10  # articles of a comparison
_FOR, _AGAINST = 8, 5  # words of an explanation
_ANSWERS = {  # by whether it was given, and whether its score reaches the threshold
    (True, True): "yes",
    (True, False): "yes: the nearest, and there is one",
    (False, True): "no: none is likelier",
    (False, False): "no",
}
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


def format_verdict(reference: "LoggedRun", candidate: "LoggedRun", verdict: "Verdict") -> str:
    """Lay out a comparison of two runs: the verdict, the differences, the cost, what changed."""
    rows = [
        [METRIC_NAMES[metric], f"{estimate.value:+.3f}", _span(estimate), ""]
        for metric, estimate in verdict.overall.items()
    ]
    rows += [[name, f"{each.f1.value:+.3f}", _span(each.f1), f"{each.p:.3f}"] for name, each in verdict.themes.items()]
    table = format_table([f"{verdict.n} articles", "difference", "95 % interval", "p, corrected"], rows)
    costs = format_table(
        ["cost", "reference", "candidate"],
        [
            [name, *(f"{run.metrics[key]:,.4g}" if key in run.metrics else "–" for run in (reference, candidate))]
            for name, key in _COSTS.items()
        ],
    )
    better = sum(change.better > change.worse for change in verdict.changes)
    worse = sum(change.better < change.worse for change in verdict.changes)
    changes = [
        [change.id, *(", ".join(names) or NONE for names in (change.themes, change.before, change.after))]
        for change in verdict.changes[:_SHOWN]
    ]
    parts = [
        f"{candidate.name} ({candidate.id[:8]})\nbeside {reference.name} ({reference.id[:8]}):\n"
        f"{verdict.conclusion.upper()}: {verdict.because}",
        table,
        costs,
        f"{len(verdict.changes)} articles are answered otherwise: {better} better, {worse} worse",
    ]
    if changes:
        parts.append(format_table(["the worst first", "labels", "reference", "candidate"], changes))
    return "\n\n".join(parts)


def _span(estimate: Estimate) -> str:
    return "" if np.isnan(estimate.low) else f"[{estimate.low:+.3f} to {estimate.high:+.3f}]"


def format_explanations(article: Article, explanations: list[Explanation], taxonomy: Taxonomy) -> str:
    """Lay out an article's explanations: for each theme the strongest words, the others summed up, the bias."""
    lines = [f"{article.id}  {article.headline}"]
    if not explanations:
        lines.append("    no known word, so no evidence for any theme")
    arabic = taxonomy.arabic
    for explained in explanations:
        answer = _ANSWERS[explained.given, explained.score >= explained.threshold]
        said = f"score {explained.score:.2f}, threshold {explained.threshold:.2f}: {answer}"
        lines += ["", f"    {explained.theme}  {said}  {arabic[explained.theme]}"]
        lines += [f"        {line}" for line in _explanation(explained).splitlines()]
    return "\n".join([*lines, ""])


def _explanation(explained: Explanation) -> str:
    """Lay out the strongest words of one explanation, each once, and all else in so many lines that it adds up."""
    by_word = weigh_words(explained)
    weights = {word: sum(some) for word, some in by_word.items()}
    ranked = sorted(weights, key=lambda word: -weights[word])
    shown = [word for word in ranked[:_FOR] if round(weights[word], 2) > 0]
    shown += [word for word in ranked[: -_AGAINST - 1 : -1] if round(weights[word], 2) < 0]
    rows = [(str(len(by_word[word])), weights[word], word) for word in shown]
    n_others = sum(len(some) for word, some in by_word.items() if word not in shown)
    rest = round(explained.log_odds, 2) - round(explained.bias, 2) - sum(round(weights[word], 2) for word in shown)
    rows += [
        (str(n_others), rest, "(other words, rounding)"),
        ("", explained.bias, "(bias)"),
        ("", explained.log_odds, "(log-odds)"),
    ]
    cells = [(times, f"{round(weight, 2) + 0:+.2f}", word) for times, weight, word in rows]  # no -0.00
    return format_table(["times", "weight", "word"], cells)


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
            [METRIC_NAMES[name], *(_number(part[name], part[f"{name}_interval"]) for part in card["metrics"].values())]
            for name in card["metrics"]["test"]
            if name in METRIC_NAMES
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
