"""What each choice is worth: the same cross-validation with one setting changed at a time.

The tables in models/README.md are what this prints.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from .classifier import build_model
from .compare import MODEL, LabeledTexts, answer, cross_validate
from .config import Config
from .evaluate import paired_difference
from .normalize import ArabicNormalizer
from .report import format_markdown
from .themes import Taxonomy, read_taxonomy
from .train import hold_out, label, trainable
from .validate import load_corpus, load_labeled

_CHOICES: dict[str, dict[str, dict[str, Any]]] = {
    "classifier": {
        "logistic regression": {"learner": "logistic"},
        "logistic regression, C = 10": {"learner": "logistic", "C": 10.0},
        "complement naive Bayes, smoothing 1": {"learner": "complement_nb"},
        "complement naive Bayes, smoothing 0.01": {"learner": "complement_nb", "C": 100.0},
        "NB-SVM": {"learner": "nbsvm"},
        "C = 0.1": {"C": 0.1},
        "C = 2": {"C": 2.0},
        "themes not balanced": {"balanced": False},
    },
    "features": {
        "words only": {"char_weight": 0.0, "word_ngrams": (1, 1)},
        "words and pairs only": {"char_weight": 0.0},
        "letters weigh 0.1": {"char_weight": 0.1},
        "letters weigh 1": {"char_weight": 1.0},
        "no keywords": {"keyword_weight": 0.0},
        "keywords weigh 0.3": {"keyword_weight": 0.3},
        "runs of 2 to 5 letters": {"char_ngrams": (2, 5)},
        "runs of 3 to 4 letters": {"char_ngrams": (3, 4)},
        "plain counts": {"sublinear_tf": False},
        "features of one article kept": {"min_df": 1},
        "features of three articles": {"min_df": 3},
        "first line counts once": {"head_weight": 1},
        "first line counts twice": {"head_weight": 2},
        "first line counts three times": {"head_weight": 3},
    },
}


def ablate(config: Config, paths: Sequence[str]) -> str:
    """Measure every alternative to a configuration, without a look at the articles that training holds out.

    Parameters
    ----------
    config : Config
        The configuration to depart from.
    paths : sequence of str
        Labeled articles to measure on as well, after fitting on the same articles; may be empty.

    Returns
    -------
    str
        Markdown tables: F1 of each alternative, and how far it is from the configuration, on the same articles.
    """
    taxonomy = read_taxonomy(Path(config.data.themes))
    corpus = load_corpus(config.data.articles, taxonomy, config.validation)
    parts = [label(corpus, taxonomy)[~hold_out(corpus, config.split)]]
    if paths:
        parts.append(label(load_labeled(paths, taxonomy, config.validation), taxonomy))
    with trainable():
        return _tables(config, taxonomy, parts)


def _tables(config: Config, taxonomy: Taxonomy, parts: list[LabeledTexts]) -> str:
    base = _predict(config, taxonomy, parts)
    columns = ["F1 micro", "ahead by", "F1 macro", "ahead by"]
    header = [f"{column}, {place}" for place in ("own", "other")[: len(parts)] for column in columns]
    tables = []
    for section, choices in _choices(config).items():
        rows = [["as configured", *_row(parts, base, base, config)]]
        for name, change in tqdm(choices.items(), desc=section):
            other = dataclasses.replace(config, **{section: dataclasses.replace(getattr(config, section), **change)})
            if other != config:
                rows.append([name, *_row(parts, _predict(other, taxonomy, parts), base, config)])
        if section == "normalize":
            shares = [_share_changed(choices[name], parts[-1].texts) if name in choices else "" for name, *_ in rows]
            rows = [[*row, share] for row, share in zip(rows, shares, strict=True)]
            header = [*header, "articles changed"]
        tables.append(format_markdown([section, *header], rows))
    return "\n\n".join(tables)


def _choices(config: Config) -> dict[str, dict[str, dict[str, Any]]]:
    rules = [field.name for field in dataclasses.fields(config.normalize)]
    without = {f"without {rule}": {rule: False} for rule in rules}
    return {**_CHOICES, "normalize": {**without, "no rule": dict.fromkeys(rules, False)}}


def _predict(config: Config, taxonomy: Taxonomy, parts: list[LabeledTexts]) -> list[NDArray[np.int8]]:
    """Predict the first part by cross-validation, and others after fitting on all of the first."""
    own, *others = parts
    predictions = [cross_validate(config, taxonomy, own)[MODEL].predictions]
    if others:
        model = build_model(config, taxonomy).fit(own.texts, own.labels, own.groups)
        predictions += [answer(model, other.texts).predictions for other in others]
    return predictions


def _row(
    parts: list[LabeledTexts], ours: list[NDArray[np.int8]], theirs: list[NDArray[np.int8]], config: Config
) -> list[str]:
    row = []
    for part, one, other in zip(parts, ours, theirs, strict=True):
        shared: dict[str, Any] = {"groups": part.groups, "resamples": config.evaluation.resamples}
        ahead = paired_difference(part.labels, one, other, **shared)
        score = paired_difference(part.labels, one, np.zeros_like(one), **shared)  # F1 of saying nothing is 0
        for metric in ("f1_micro", "f1_macro"):
            difference = ahead[metric]
            interval = f"[{difference.low:+.3f}, {difference.high:+.3f}]"
            row += [f"{score[metric].value:.3f}", f"{difference.value:+.3f} {interval}"]
    return row


def _share_changed(switched_off: dict[str, bool], texts: Sequence[str]) -> str:
    """Say in how many texts it makes a difference to leave out rules of the normalizer."""
    without = ArabicNormalizer(**switched_off).transform(texts)
    changed = sum(one != other for one, other in zip(without, ArabicNormalizer().transform(texts), strict=True))
    return f"{changed / len(texts):.1%}"
