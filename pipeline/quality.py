"""Quality beside named peers: the same articles, the same folds, each article judged by who has not seen its like."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .artifact import write_text
from .benchmark import Collection, in_a_process, read_collection
from .config import Config
from .errors import DataError
from .evaluate import evaluate, paired_difference
from .peers import CONTENDERS, Labels
from .progress import step
from .report import format_markdown
from .split import fold_numbers
from .themes import Taxonomy

_METRICS = ("f1_micro", "f1_macro")


def measure_quality(
    config: Config,
    taxonomy: Taxonomy,
    paths: Sequence[str],
    most: int,
    folds: int,
    output: Path,
    names: Sequence[str] = (),
) -> str:
    """Let all contenders label some articles by cross-validation, near-duplicates together; write table and JSON.

    Parameters
    ----------
    config, taxonomy, paths, most, output, names
        As for `pipeline.benchmark.benchmark`; the file is ``quality.json``.
    folds : int

    Returns
    -------
    str
        A Markdown table: F1 with intervals of 95 %, and how far the first contender is ahead on the same articles.
        Where each article has one label, micro-F1 is accuracy.

    Raises
    ------
    DataError
        If there are fewer than two folds, or the articles cannot be dealt into so many.
    """
    if folds < 2:
        raise DataError(f"--folds must be 2 or more, found {folds}")
    with step("reading the articles"):
        read = read_collection(config, taxonomy, paths, most)
        groups = read.group()
    try:
        numbers = fold_numbers(read.labels, groups, folds, config.split.seed)
    except ValueError as error:
        raise DataError(f"--folds: {error}") from error
    answers: dict[str, Labels] = {}
    for name in names or CONTENDERS:
        with step(f"{name}: {len(read.texts)} articles in {folds} folds"):
            answers[name] = in_a_process(_answer, name, read, numbers)
    first, rows = next(iter(answers.values())), []
    figures: dict[str, dict[str, Any]] = {}
    shared = config.evaluation
    drawn: dict[str, Any] = {"groups": groups, "resamples": shared.resamples, "seed": shared.seed}
    for name, given in answers.items():
        scores = evaluate(read.task.taxonomy.names, read.labels, given, **drawn)
        ahead = paired_difference(read.labels, first, given, **drawn)
        rows.append([name])
        figures[name] = {}
        for metric in _METRICS:
            score, difference = getattr(scores, metric), ahead[metric]
            rows[-1] += [
                f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]",
                "" if given is first else f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]",
            ]
            figures[name][metric], figures[name][f"{metric}_interval"] = score.to_json()
    written = {"articles": len(read.texts), "folds": folds, "contenders": figures}
    write_text(output / "quality.json", json.dumps(written, indent=2) + "\n")
    return format_markdown(["", "F1 micro", "the first is ahead by", "F1 macro", "the first is ahead by"], rows)


def _answer(name: str, read: Collection, numbers: np.ndarray) -> Labels:
    """Give what a contender says of each article, after learning from the other folds."""
    answers = np.zeros_like(read.labels)
    for fold in range(int(numbers.max()) + 1):
        inside, outside = np.flatnonzero(numbers != fold), np.flatnonzero(numbers == fold)
        contender = CONTENDERS[name](read.task).fit([read.texts[i] for i in inside], read.labels[inside])
        answers[outside] = contender.predict(contender.prepare([read.texts[i] for i in outside]))
    return answers
