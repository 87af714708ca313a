"""How the cost of learning and classifying grows with the number of articles.

Each number of articles is measured in a process of its own, so that its peak memory is its own. Where a step takes time
in proportion to a power of the number, that power is its exponent: 1 where twice the articles take twice the time.
"""

import json
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression
from typing import NamedTuple

import numpy as np

from .artifact import write_text
from .benchmark import Collection, in_a_process, read_collection
from .classifier import build_model
from .config import Config
from .errors import DataError, PipelineError
from .linear import fit_planes
from .peers import Labels, Task
from .pictures import draw_growth
from .progress import peak_memory, say, step
from .projection import Projection
from .report import format_markdown
from .themes import Taxonomy
from .train import trainable

NOISE = 0.1  # of the words of an article that is repeated
_STEPS = ("features", "planes", "classification")


class Exponent(NamedTuple):
    """Slope of log(seconds) against log(articles): of all sizes by least squares, and of the last two."""

    overall: float
    last_pair: float


@dataclass(frozen=True)
class Growth:
    """What each number of articles took.

    Attributes
    ----------
    sizes : list of int
        Numbers of articles, ascending.
    seconds : dict of str to list of float
        Under ``features``, ``planes`` and ``classification``; size by size.
    peak_memory : list of float
        MB that the whole process held, texts included; size by size.
    """

    sizes: list[int]
    seconds: dict[str, list[float]]
    peak_memory: list[float]

    @property
    def kb_per_article(self) -> list[float]:
        """Peak memory by article, Python and its libraries included."""
        return [1000 * peak / size for peak, size in zip(self.peak_memory, self.sizes, strict=True)]

    @property
    def exponents(self) -> dict[str, Exponent]:
        """Those of each step."""
        return {name: find_exponent(self.sizes, seconds) for name, seconds in self.seconds.items()}


def measure_growth(
    config: Config, taxonomy: Taxonomy, paths: Sequence[str], most: int, sizes: Sequence[int], output: Path
) -> str:
    """Learn from growing numbers of articles, and classify the same articles; write table, JSON and picture.

    The steps are those of `ThemeClassifier` as configured: features; planes from all features, then, if the
    configuration bounds their number, from the strongest; distances of the articles from the planes, by which they are
    classified. The inner folds, for calibration and thresholds, are left out: they do the same again on parts of the
    articles, which multiplies the time and leaves the exponent as it is.

    Parameters
    ----------
    config, taxonomy, paths, most
        As for `pipeline.benchmark.benchmark`.
    sizes : sequence of int
        Numbers of articles, see `draw` for more than there are. Measuring ends at the first that memory does not
        suffice for, if two are done.
    output : Path
        Folder for ``growth.json`` and ``growth.png``.

    Returns
    -------
    str
        A Markdown table.

    Raises
    ------
    DataError
        If there are fewer than two sizes, or one is too small to learn from.
    PipelineError
        If memory does not suffice for two sizes.
    """
    if len(set(sizes)) < 2 or min(sizes) < 1:
        found = " ".join(map(str, sizes))
        raise DataError(f"--sizes must be two or more different numbers of articles from 1 up, found {found}")
    sizes = sorted(set(sizes))
    with step("reading the articles"):
        read = read_collection(config, taxonomy, paths, most)
    with step(f"drawing {sizes[-1]} articles from {len(read.texts)}"):
        texts, labels = draw(read, sizes[-1], config.split.seed)
    _check_labels(labels[: sizes[0]], read.task.taxonomy)
    measured = []
    for size in sizes:
        try:
            with step(f"learning from {size} articles, and classifying them"), trainable():
                measured.append(in_a_process(_measure, read.task, texts[:size], labels[:size]))
        except PipelineError as error:
            if len(measured) < 2:
                raise
            say(f"warning: {size} articles: {error}. The figures end before")
            break
    seconds, peaks = zip(*measured, strict=True)
    growth = Growth(sizes[: len(measured)], {name: [each[name] for each in seconds] for name in _STEPS}, list(peaks))
    written = {
        "drawn_from": len(read.texts),
        "articles": growth.sizes,
        "seconds": growth.seconds,
        "peak_memory_mb": growth.peak_memory,
        "kb_per_article": growth.kb_per_article,
        "exponents": {name: exponent._asdict() for name, exponent in growth.exponents.items()},
    }
    write_text(output / "growth.json", json.dumps(written, indent=2) + "\n")
    draw_growth(growth, output / "growth.png")
    return format_growth(growth)


def draw(read: Collection, n: int, seed: int) -> tuple[list[str], Labels]:
    """Draw articles at random, each once; the first of them are what a smaller `n` gives.

    Where there are fewer than `n`, they come again in the same order, each time with other noise, see `add_noise`. Much
    that stood in one article then stands in several, and so is a feature: the larger sizes cost rather more than as
    many articles that are all different.

    Returns
    -------
    texts : list of str, of length `n`
    labels : ndarray of 0 and 1, shape (n, n_labels)
    """
    rng, texts = random.Random(seed), read.texts
    order = rng.sample(range(len(texts)), len(texts))
    chosen = [order[i % len(order)] for i in range(n)]
    drawn = [texts[i] for i in chosen[: len(texts)]]
    words = [word for text in texts for word in text.split()] if n > len(texts) else []
    drawn += [add_noise(texts[i], words, rng) for i in chosen[len(texts) :]]
    return drawn, read.labels[chosen]


def add_noise(text: str, words: Sequence[str], rng: random.Random) -> str:
    """Replace a tenth of a text's words, anywhere in it, by others drawn from `words`; spaces and lines stay."""
    parts = re.split(r"(\S+)", text)  # each word at an odd place
    places = range(1, len(parts), 2)
    for place in rng.sample(places, round(NOISE * len(places))):
        parts[place] = rng.choice(words)
    return "".join(parts)


def find_exponent(sizes: Sequence[int], seconds: Sequence[float]) -> Exponent:
    """Find the power of the size in proportion to which the seconds grow.

    >>> find_exponent([10, 100, 1000], [1, 10, 1000])
    Exponent(overall=1.5, last_pair=2.0)
    """
    x, y = np.log10(sizes), np.log10(seconds)
    slope = linear_regression(x.tolist(), y.tolist()).slope
    return Exponent(slope, float((y[-1] - y[-2]) / (x[-1] - x[-2])))


def format_growth(growth: Growth) -> str:
    """Lay out a Markdown table: a row a size, then the exponents of each step."""
    header = ["articles", *(f"{name}, s" for name in growth.seconds), "peak memory, MB", "KB an article"]
    rows = [
        [f"{size:,}", *(f"{each:,.2f}" for each in seconds), f"{peak:,.0f}", f"{share:,.0f}"]
        for size, *seconds, peak, share in zip(
            growth.sizes, *growth.seconds.values(), growth.peak_memory, growth.kb_per_article, strict=True
        )
    ]
    exponents = zip(*growth.exponents.values(), strict=True)
    for name, values in zip(("exponent", "exponent, last two sizes"), exponents, strict=True):
        rows.append([name, *(f"{value:.2f}" for value in values), "", ""])
    return format_markdown(header, rows)


def _check_labels(labels: Labels, taxonomy: Taxonomy) -> None:
    for name, count in zip(taxonomy.names, labels.sum(axis=0).tolist(), strict=True):
        if not 0 < count < len(labels):
            which = "with" if count == 0 else "without"
            raise DataError(f"--sizes {len(labels)}: no article {which} {name!r} among as many; give larger sizes")


def _measure(task: Task, texts: list[str], labels: Labels) -> tuple[dict[str, float], float]:
    """Give the seconds of each step, and the peak memory of this process in MB."""
    model = build_model(task.config, task.taxonomy)
    if (~labels.any(axis=1)).sum() >= model.folds:  # then `ThemeClassifier` learns the plane of any theme too
        labels = np.column_stack((labels, labels.any(axis=1))).astype(np.int8)
    settings = (labels, model.C, model.balanced, model.random_state)
    start = time.perf_counter()
    X = model.features.fit_transform(texts)
    made = time.perf_counter()
    coef, _ = fit_planes(model.learner, X, *settings)
    if model.max_features is not None and model.max_features < X.shape[1]:
        X = model.features.prune(X, np.abs(coef).max(axis=0), model.max_features)
        coef, _ = fit_planes(model.learner, X, *settings)
    learned = time.perf_counter()
    project = Projection(model.features, coef)
    loaded = time.perf_counter()
    project(texts)
    seconds = (made - start, learned - made, time.perf_counter() - loaded)
    return dict(zip(_STEPS, seconds, strict=True)), peak_memory()
