"""The story of a training run."""

import dataclasses
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .answers import ANSWERS, AnswerSheet, write_answers
from .article import Article
from .artifact import DEFAULT_MODEL, alone, save_model, write_text
from .classifier import ThemeClassifier, build_model
from .compare import MODEL, Answers, Comparison, LabeledTexts, ask_about, compare, fold_parts, join_folds
from .config import Config, SplitConfig
from .corpus import corpus_hash, text_hashes
from .duplicates import clusters
from .errors import DataError
from .pictures import Judged, draw_pictures, draw_themes
from .progress import Costs, step
from .report import stamp_report
from .source import find_source
from .split import fold_numbers, held_out
from .themes import NONE, Taxonomy, read_taxonomy
from .validate import Corpus, load_corpus

COSTS = "costs.json"  # in the report
_TIMED = 200  # articles


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a run leaves behind: the model's path, its card, and the two comparisons the card tells of."""

    path: Path
    card: dict[str, Any]
    test: Comparison
    cross_validation: Comparison


def train(config: Config, output: Path = DEFAULT_MODEL.parent) -> Trained:
    """Check the articles, measure the recipe, fit it on all articles, save model, card and report.

    The metrics are those of the recipe on articles it was not fitted on: once on a held-out test part, after fitting on
    the rest; once by cross-validation within the rest. The model that is saved is then fitted on every article, so it
    has seen more than the one that was measured, and no less.

    Parameters
    ----------
    config : Config
    output : Path
        Folder for ``security-themes.joblib``, ``security-themes.json`` and ``report/``.

    Raises
    ------
    InvalidCorpusError
        If anything is wrong with the articles; nothing is written.
    DataError
        If a file cannot be read, or the corpus cannot be split.
    ModelError
        If another training into the same folder is under way.
    """
    taxonomy, costs = read_taxonomy(Path(config.data.themes)), Costs()
    with step("reading and checking the articles", costs, "reading"):
        corpus = load_corpus(config.data.articles, taxonomy, config.validation)
    with alone(output / "report"):
        return _train(config, taxonomy, corpus, costs, output)


def _train(config: Config, taxonomy: Taxonomy, corpus: Corpus, costs: Costs, output: Path) -> Trained:
    labeled, is_test = label(corpus, taxonomy), hold_out(corpus, config.split)
    rest, test = labeled[~is_test], labeled[is_test]
    with trainable():
        folds = fold_numbers(rest.labels, rest.groups, config.split.folds, config.split.seed)
        parts = fold_parts(rest, folds)
        message = (
            f"cross-validation: {len(rest.texts)} articles in {len(parts)} folds; held-out test: {len(test.texts)}"
        )
        with step(message, costs, "validation"):
            *answered, tested = ask_about(config, taxonomy, [*parts, (labeled, is_test)])
            crossed = join_folds(parts, answered)
        with step(f"final model: {len(labeled.texts)} articles", costs, "final_model"):
            final = fit(config, taxonomy, labeled)
    costs["one_article"] = time_articles(final, labeled.texts[:_TIMED])
    with step("intervals", costs, "intervals"):
        on_test = compare(taxonomy, test, tested, config.evaluation)
        on_rest = compare(taxonomy, rest, crossed, config.evaluation)
    path = output / DEFAULT_MODEL.name
    with step(f"saving {path}"):
        thresholds = dict(zip(taxonomy.names, final.thresholds_.round(6).tolist(), strict=True))
        thresholds[NONE] = round(final.none_threshold_, 6)
        card = {
            "themes": taxonomy.to_dict(),
            "thresholds": thresholds,
            "corpus": describe(corpus, taxonomy),
            "metrics": {"test": on_test.to_dict(), "cross_validation": on_rest.to_dict()},
            "limits": limits(on_rest, corpus),
            "features": final.coef_.shape[1],
            "source": find_source(),
            "config": config.to_dict(),
        }
        saved = save_model(final, card, path)
    with step(f"report in {output / 'report'}"):
        articles = [a for a, held in zip(corpus.articles, is_test, strict=True) if not held]
        held = [a for a, held in zip(corpus.articles, is_test, strict=True) if held]
        errors = [
            *misjudged(taxonomy, "cross_validation", articles, crossed[MODEL]),
            *misjudged(taxonomy, "test", held, tested[MODEL]),
        ]
        lines = "".join(json.dumps(error, ensure_ascii=False) + "\n" for error in errors)
        write_text(output / "report" / "errors.jsonl", lines)
        draw_themes(on_rest, taxonomy, output / "report" / "themes.png")
        sheet = answer_sheet("cross_validation", articles, rest, crossed[MODEL], folds)
        sheet += answer_sheet("test", held, test, tested[MODEL])
        write_answers(sheet, taxonomy, output / "report" / ANSWERS)
        write_text(output / "report" / COSTS, json.dumps(costs, indent=2) + "\n")
        judged = Judged(articles, rest.labels, crossed[MODEL], rest.groups)
        draw_pictures(taxonomy, judged, final.thresholds_, final, output / "report")
        stamp_report(output / "report", saved["sha256"])
    return Trained(path, saved, on_test, on_rest)


def fit(config: Config, taxonomy: Taxonomy, labeled: LabeledTexts) -> ThemeClassifier:
    """Fit a model after a configuration."""
    return build_model(config, taxonomy).fit(labeled.texts, labeled.labels, labeled.groups)


@contextmanager
def trainable() -> Iterator[None]:
    """Turn what the estimators say of articles that cannot be split or learned from into a message for the user."""
    try:
        yield
    except ValueError as error:
        raise DataError(f"these articles cannot be split and trained on: {error}") from error


def hold_out(corpus: Corpus, config: SplitConfig) -> NDArray[np.bool_]:
    """Say which articles of a corpus are held out."""
    groups = clusters(len(corpus.articles), list(corpus.pairs))
    return held_out([article.id for article in corpus.articles], groups, config.test_share, config.seed)


def label(corpus: Corpus, taxonomy: Taxonomy) -> LabeledTexts:
    """Turn a corpus into texts, a label matrix and near-duplicate groups."""
    return LabeledTexts(
        [article.full_text for article in corpus.articles],
        taxonomy.label_matrix(article.themes for article in corpus.articles),
        clusters(len(corpus.articles), list(corpus.pairs)),
    )


def answer_sheet(
    part: str,
    articles: Sequence[Article],
    labeled: LabeledTexts,
    answers: Answers,
    folds: NDArray[np.int32] | None = None,
) -> AnswerSheet:
    """Lay down what the model answered to articles that it was not fitted on."""
    assert answers.probabilities is not None
    return AnswerSheet.of(
        part, articles, labeled.labels, answers.predictions, answers.probabilities, labeled.groups, folds
    )


def time_articles(model: ThemeClassifier, texts: Sequence[str]) -> dict[str, float]:
    """Time the model on one article after the other: median and 99th percentile, in milliseconds."""
    taken = []
    for text in texts:
        start = time.perf_counter()
        model.predict([text])
        taken.append(1000 * (time.perf_counter() - start))
    p50, p99 = np.percentile(taken, [50, 99])
    return {"p50_ms": round(float(p50), 3), "p99_ms": round(float(p99), 3)}


def describe(corpus: Corpus, taxonomy: Taxonomy) -> dict[str, Any]:
    """Count the corpus for the card."""
    counts = Counter(name for article in corpus.articles for name in article.themes)
    return {
        "sha256": corpus_hash(corpus.articles),
        "texts": " ".join(text_hashes(corpus.articles)),
        "articles": len(corpus.articles),
        "none": sum(not article.themes for article in corpus.articles),
        "several_themes": sum(len(article.themes) > 1 for article in corpus.articles),
        "themes": {name: counts[name] for name in taxonomy.names},
    }


def limits(comparison: Comparison, corpus: Corpus) -> list[str]:
    """Say in figures what not to expect, for the card."""
    scores = comparison.evaluations[MODEL].themes
    weakest = min(scores, key=lambda name: np.nan_to_num(scores[name].f1.value))
    return [
        f"Trained on {len(corpus.articles)} articles; other kinds of story are judged by words alone.",
        f"Weakest theme in cross-validation: {weakest}, F1 {scores[weakest].f1}.",
        "Metrics are measured on articles of the same making as the training articles; expect less on other outlets, "
        "and measure there: python -m pipeline evaluate --articles FILE.",
        "Reads news in Modern Standard Arabic; not made for dialect, other languages in Arabic script, mojibake.",
    ]


def misjudged(taxonomy: Taxonomy, part: str, articles: Sequence[Article], answers: Answers) -> list[dict[str, Any]]:
    """List the articles that got other themes than their labels say, the surest mistake first."""
    assert answers.probabilities is not None
    assert answers.reasons is not None
    rows = []
    for article, row, scores, reasons in zip(
        articles, answers.predictions, answers.probabilities, answers.reasons, strict=True
    ):
        said = taxonomy.names_of(row)
        if said != article.themes:
            rows.append(
                {
                    "part": part,
                    "id": article.id,
                    "title": article.title or article.text[:80],
                    "themes": list(article.themes),
                    "missed": [name for name in article.themes if name not in said],
                    "wrongly": [name for name in said if name not in article.themes],
                    "words": reasons,
                    "scores": dict(zip(taxonomy.names, scores.round(3).tolist(), strict=True)),
                    "text": article.text,
                }
            )
    return sorted(rows, key=_sureness, reverse=True)


def _sureness(error: dict[str, Any]) -> float:
    scores = error["scores"]
    wrong: list[float] = [scores[name] for name in error["wrongly"]] + [1 - scores[name] for name in error["missed"]]
    return max(wrong)
