"""Speed, size and quality beside named peers, measured in one run on the same articles.

Each contender learns in processes of its own, so that its peak memory is its own. Then all are loaded into one process.
They learn and answer in turns, in an order drawn anew each time, so that whatever else the machine does hits all alike.
Figures are medians with their range.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from .article import Article
from .artifact import write_text
from .config import Config
from .corpus import find_files, read_records
from .duplicates import clusters, near_duplicates
from .errors import DataError, PipelineError
from .normalize import ArabicNormalizer
from .peers import CONTENDERS, Labels, Task
from .pictures import draw_benchmark
from .progress import peak_memory, step
from .report import format_markdown
from .split import held_out
from .themes import Taxonomy, Theme

_LEARNINGS, _MOST = 3, 9  # rounds of learning: for all, and for those that have not taken long enough by then
_ENOUGH = 20.0  # seconds of all rounds; the shorter one takes, the more the machine's moods move it
_ROUNDS = 9  # of the batch
_STARTS = 5  # rounds of the cold start
_SINGLES = 600  # articles answered one by one
_PASSES = 5  # over them: if six times make the 99th percentile, it moves by a tenth from run to run
_LOOP = 20  # of them that a contender answers before the next has its turn
_LEAST = 20  # articles of a category; rarer ones are left out


@dataclass(frozen=True)
class Collection:
    """Labeled articles: ids, texts and a label matrix."""

    task: Task
    ids: list[str]
    texts: list[str]
    labels: Labels

    def group(self) -> NDArray[np.int32]:
        """Find near-duplicates, see `pipeline.duplicates.clusters`: the group of each article, shape (n,)."""
        threshold = self.task.config.validation.near_duplicate
        return clusters(len(self.texts), near_duplicates(ArabicNormalizer().transform(self.texts), threshold))


@dataclass(frozen=True)
class Sample:
    """Labeled articles, the held-out ones apart: texts and label matrices."""

    task: Task
    train: list[str]
    train_labels: Labels
    test: list[str]
    test_labels: Labels


class Learned(NamedTuple):
    """What one learning took and gave: seconds, peak memory in MB, file."""

    seconds: float
    peak_memory: float
    file: Path


@dataclass(frozen=True)
class Measured:
    """What one contender took and gave.

    Attributes
    ----------
    train : list of float
        Seconds of learning, round by round.
    peak_memory, file_size : float
        In MB; memory is that of the whole process that learned, texts included.
    batch : list of float
        Articles a second, round by round.
    single : list of float
        Microseconds for one article, article by article, in a loop: as in a service, which finds the processor's caches
        as it left them.
    between : list of float
        The same where the contenders take turns after each article: most find the caches as others left them.
    cold : list of float
        Seconds from the start of Python to the first answer, round by round.
    f1_micro, f1_macro : float
    """

    train: list[float]
    peak_memory: float
    file_size: float
    batch: list[float]
    single: list[float]
    between: list[float]
    cold: list[float]
    f1_micro: float
    f1_macro: float

    def to_dict(self) -> dict[str, float]:
        """Give the figures that a table shows."""
        return {
            "train_seconds": float(np.median(self.train)),
            "train_lowest": min(self.train),
            "train_highest": max(self.train),
            "batch_per_second": float(np.median(self.batch)),
            "batch_lowest": min(self.batch),
            "batch_highest": max(self.batch),
            "single_p50_us": float(np.median(self.single)),
            "single_p99_us": float(np.percentile(self.single, 99)),
            "between_p50_us": float(np.median(self.between)),
            "between_p99_us": float(np.percentile(self.between, 99)),
            "cold_seconds": float(np.median(self.cold)),
            "file_mb": self.file_size,
            "peak_memory_mb": self.peak_memory,
            "f1_micro": self.f1_micro,
            "f1_macro": self.f1_macro,
        }


def benchmark(
    config: Config, taxonomy: Taxonomy, paths: Sequence[str], most: int, output: Path, names: Sequence[str] = ()
) -> str:
    """Measure all contenders on some articles; write table, JSON and picture.

    Parameters
    ----------
    config : Config
    taxonomy : Taxonomy
        For articles labeled with ``themes``; those with a ``category`` instead bring their own labels.
    paths : sequence of str
        Files or folders.
    most : int
        Articles to take, drawn with the seed of the split; 0 takes all.
    output : Path
        Folder for ``benchmark.json`` and ``benchmark.png``.
    names : sequence of str
        Contenders; all if empty.

    Returns
    -------
    str
        A Markdown table.
    """
    with step("reading the articles"):
        sample = read_sample(config, taxonomy, paths, most)
    draw = np.random.default_rng(config.split.seed)
    trained: dict[str, list[Learned]] = {name: [] for name in names or CONTENDERS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(_MOST):
            few = [name for name, done in trained.items() if sum(each.seconds for each in done) < _ENOUGH]
            for name in draw.permutation(few if number >= _LEARNINGS else list(trained)).tolist():
                with step(f"{name}: learning from {len(sample.train)} articles"):
                    trained[name].append(in_a_process(_train, name, sample, Path(folder)))
        results = _measure(sample, trained, Path(folder), draw)
    figures = {name: measured.to_dict() for name, measured in results.items()}
    about = {"train": len(sample.train), "test": len(sample.test), "labels": list(sample.task.taxonomy.names)}
    write_text(output / "benchmark.json", json.dumps({"articles": about, "contenders": figures}, indent=2) + "\n")
    draw_benchmark(figures, output / "benchmark.png")
    return format_benchmark(figures)


def read_sample(config: Config, taxonomy: Taxonomy, paths: Sequence[str], most: int) -> Sample:
    """Read labeled articles as `read_collection` does, and hold a part out, near-duplicates never apart."""
    read = read_collection(config, taxonomy, paths, most)
    test = held_out(read.ids, read.group(), config.split.test_share, config.split.seed)
    inside, outside = np.flatnonzero(~test), np.flatnonzero(test)
    return Sample(
        read.task,
        [read.texts[i] for i in inside], read.labels[inside],
        [read.texts[i] for i in outside], read.labels[outside],
    )  # fmt: skip


def read_collection(config: Config, taxonomy: Taxonomy, paths: Sequence[str], most: int) -> Collection:
    """Read labeled articles; those with a category instead of themes bring a taxonomy of their own.

    Raises
    ------
    DataError
        If there are neither themes nor categories.
    """
    rows = [record.fields for file in find_files(list(paths)) for record in read_records(file) if not record.problem]
    rows = [row for row in rows if isinstance(row.get("text"), str) and ("themes" in row or row.get("category"))]
    single = bool(rows) and all("themes" not in row for row in rows)
    if not rows:
        raise DataError(f"{', '.join(paths)}: no article with 'themes' or 'category'")
    if single:
        counts = Counter(row["category"] for row in rows)
        taxonomy = Taxonomy(
            tuple(Theme(name, name, name, name, "") for name in sorted(counts) if counts[name] >= _LEAST)
        )
        rows = [row for row in rows if row["category"] in taxonomy.names]
    if most and most < len(rows):
        chosen = np.random.default_rng(config.split.seed).choice(len(rows), most, replace=False)
        rows = [rows[i] for i in np.sort(chosen).tolist()]
    texts = [Article("", row.get("title") or "", row["text"]).full_text for row in rows]
    labels = taxonomy.label_matrix((row["category"],) if single else tuple(row["themes"]) for row in rows)
    ids = [str(row.get("id", i)) for i, row in enumerate(rows)]
    return Collection(Task(taxonomy, single, config), ids, texts, labels)


def format_benchmark(figures: dict[str, dict[str, float]]) -> str:
    """Lay the figures out as a Markdown table, each beside its ratio to the first contender's."""
    first = next(iter(figures.values()))

    def cell(row: dict[str, float], key: str, form: str, less_is_better: bool = True) -> str:
        ratio = row[key] / first[key] if less_is_better else first[key] / row[key]
        return f"{row[key]:{form}}" + ("" if row is first else f" (×{ratio:.2f})")

    header = [
        "", "learning, s", "lowest to highest", "batch, articles/s", "lowest to highest",
        "one article, p50 µs", "p99 µs", "cold caches, p50 µs", "p99 µs",
        "cold start, s", "file, MB", "peak memory, MB", "F1 micro", "F1 macro",
    ]  # fmt: skip
    rows = [
        [
            name,
            cell(row, "train_seconds", ".1f"),
            f"{row['train_lowest']:.1f} to {row['train_highest']:.1f}",
            cell(row, "batch_per_second", ",.0f", less_is_better=False),
            f"{row['batch_lowest']:,.0f} to {row['batch_highest']:,.0f}",
            cell(row, "single_p50_us", ",.0f"),
            cell(row, "single_p99_us", ",.0f"),
            cell(row, "between_p50_us", ",.0f"),
            cell(row, "between_p99_us", ",.0f"),
            cell(row, "cold_seconds", ".2f"),
            cell(row, "file_mb", ".1f"),
            f"{row['peak_memory_mb']:,.0f}",
            f"{row['f1_micro']:.3f}",
            f"{row['f1_macro']:.3f}",
        ]
        for name, row in figures.items()
    ]
    return format_markdown(header, rows)


def in_a_process(function: Any, *arguments: Any) -> Any:
    """Call a function in a process of its own.

    Raises
    ------
    PipelineError
        If its memory does not suffice, or it ends without an answer.
    """
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(function, *arguments).result()
    except (MemoryError, BrokenProcessPool) as error:  # Linux kills rather than refuse
        raise PipelineError("the process that learned was ended, as for lack of memory; give fewer articles") from error


def _train(name: str, sample: Sample, folder: Path) -> Learned:
    """Learn and save."""
    contender = CONTENDERS[name](sample.task)
    start = time.perf_counter()
    contender.fit(sample.train, sample.train_labels)
    seconds = time.perf_counter() - start
    peak = peak_memory()
    file = folder / (name.replace(" ", "-").replace(",", "") + contender.suffix)
    contender.save(file)
    return Learned(seconds, peak, file)


def _measure(
    sample: Sample, trained: dict[str, list[Learned]], folder: Path, draw: np.random.Generator
) -> dict[str, Measured]:
    files = {name: rounds[-1].file for name, rounds in trained.items()}
    loaded = {name: CONTENDERS[name](sample.task).load(file) for name, file in files.items()}
    texts = {name: contender.prepare(sample.test) for name, contender in loaded.items()}
    answers: dict[str, Labels] = {}
    batch: dict[str, list[float]] = {name: [] for name in loaded}
    cold: dict[str, list[float]] = {name: [] for name in loaded}
    with step(f"answering {len(sample.test)} articles in batches, {_ROUNDS} rounds"):
        for _ in range(_ROUNDS):
            for name, contender in _in_turns(loaded, draw):
                start = time.perf_counter()
                answers[name] = contender.predict(texts[name])
                batch[name].append(len(sample.test) / (time.perf_counter() - start))
    ones = {name: some[:_SINGLES] for name, some in texts.items()}
    with step(f"answering {min(_SINGLES, len(sample.test))} articles one by one, {2 * _PASSES} times"):
        single, between = (_time_singles(loaded, ones, many, draw) for many in (_LOOP, 1))
    with step("cold starts"):
        text = folder / "text.txt"
        for _ in range(_STARTS):
            for name, file in files.items():
                text.write_text(texts[name][0], encoding="utf-8")
                cold[name].append(_start_cold(file, text))
    return {
        name: Measured(
            [learned.seconds for learned in rounds], max(learned.peak_memory for learned in rounds),
            files[name].stat().st_size / 1e6, batch[name], single[name], between[name], cold[name],
            *_f1(sample.test_labels, answers[name]),
        )
        for name, rounds in trained.items()
    }  # fmt: skip


def _time_singles(
    loaded: dict[str, Any], texts: dict[str, list[str]], many: int, draw: np.random.Generator
) -> dict[str, list[float]]:
    """Give the microseconds of single answers, so many of each contender before the next has its turn."""
    times: dict[str, list[float]] = {name: [] for name in loaded}
    n_texts = min(map(len, texts.values()))
    for first in [*range(0, n_texts, many)] * _PASSES:
        for name, contender in _in_turns(loaded, draw):
            if many > 1:  # caches as others have left them are measured apart
                contender.predict([texts[name][first - 1]])
            for text in texts[name][first : first + many]:
                one = [text]
                start = time.perf_counter()
                contender.predict(one)
                times[name].append(1e6 * (time.perf_counter() - start))
    return times


def _in_turns(loaded: dict[str, Any], draw: np.random.Generator) -> Iterator[tuple[str, Any]]:
    """Give the contenders in an order drawn anew: each finds the caches as now one, now another left them."""
    for name in draw.permutation(list(loaded)).tolist():
        yield name, loaded[name]


def _f1(labels: Labels, answers: NDArray[np.int8]) -> tuple[float, float]:
    micro, macro = (float(f1_score(labels, answers, average=kind, zero_division=0.0)) for kind in ("micro", "macro"))
    return micro, macro


_COLD = {
    ".joblib": "import joblib; model = joblib.load({file!r}); model.predict([open({text!r}, encoding='utf-8').read()])",
    ".bin": "import fasttext; model = fasttext.load_model({file!r}); "
    "model.predict([open({text!r}, encoding='utf-8').read()])",
}


def _start_cold(file: Path, text: Path) -> float:
    """Seconds that a fresh Python takes to import what it needs, load a model and answer one text."""
    code = _COLD[file.suffix].format(file=str(file), text=str(text))
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return time.perf_counter() - start
