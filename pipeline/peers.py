"""What `pipeline.benchmark` measures: this project's pipeline, and the peers that people would otherwise use.

Each contender learns from normalized or raw texts and a label matrix, answers with one, and can be saved and loaded.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, Self

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.svm import LinearSVC

from .classifier import ThemeClassifier, build_model
from .config import Config
from .features import TextFeatures, build_features
from .linear import find_tolerance, fit_planes
from .normalize import ArabicNormalizer
from .projection import Projection
from .themes import Taxonomy

Labels = NDArray[np.int8]
_NO_LABEL = "__label__none"  # fastText passes over lines without a label


@dataclass(frozen=True)
class Task:
    """What is to be learned: label names, whether an article has exactly one, and the settings of this project."""

    taxonomy: Taxonomy
    single: bool
    config: Config


class Contender(Protocol):
    """Something that learns to label texts."""

    def fit(self, texts: list[str], labels: Labels) -> Self:
        """Learn from raw texts and a label matrix of shape (n_texts, n_labels)."""

    def predict(self, texts: list[str]) -> Labels:
        """Give a label matrix for texts that went through `prepare`."""

    def prepare(self, texts: list[str]) -> list[str]:
        """Do what is not to be charged: a peer without a normalizer of its own gets normalized texts."""

    def save(self, path: Path) -> None:
        """Write one file."""

    def load(self, path: Path) -> Self:
        """Read it again."""


class _Sklearn:
    """A scikit-learn estimator with scores for labels."""

    suffix = ".joblib"

    def __init__(self, task: Task, model: Any) -> None:
        self.task, self.model = task, model

    def prepare(self, texts: list[str]) -> list[str]:
        return texts

    def fit(self, texts: list[str], labels: Labels) -> Self:
        self.model.fit(texts, labels)
        return self

    def predict(self, texts: list[str]) -> Labels:
        if not self.task.single:
            answers: Labels = np.asarray(self.model.predict(texts), dtype=np.int8)
            return answers
        score = getattr(self.model, "predict_proba", None) or self.model.decision_function
        return _highest(np.asarray(score(texts)))

    def save(self, path: Path) -> None:
        joblib.dump(self.model, path)

    def load(self, path: Path) -> Self:
        self.model = joblib.load(path)
        return self


class _FastText:
    """Joulin et al., "Bag of tricks for efficient text classification" (EACL 2017), on normalized texts."""

    suffix = ".bin"

    def __init__(self, task: Task, **settings: Any) -> None:
        self.task, self.settings = task, settings
        self.normalizer = ArabicNormalizer()

    def prepare(self, texts: list[str]) -> list[str]:
        return self.normalizer.transform(texts)

    def fit(self, texts: list[str], labels: Labels) -> Self:
        import fasttext

        with TemporaryDirectory() as folder:
            file = Path(folder) / "train.txt"
            lines = (
                " ".join([*([f"__label__{i}" for i in np.flatnonzero(row)] or [_NO_LABEL]), text])
                for text, row in zip(self.prepare(texts), labels, strict=True)
            )
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")
            self.model = fasttext.train_supervised(
                str(file), epoch=25, lr=0.5, dim=100, minCount=2, bucket=200_000, thread=2, verbose=0,
                loss="softmax" if self.task.single else "ova", **self.settings,
            )  # fmt: skip
        return self

    def predict(self, texts: list[str]) -> Labels:
        many = {"k": 1} if self.task.single else {"k": -1, "threshold": 0.5}
        answers = np.zeros((len(texts), len(self.task.taxonomy)), dtype=np.int8)
        for row, names in zip(answers, self.model.predict(texts, **many)[0], strict=True):
            row[[int(name.removeprefix("__label__")) for name in names if name != _NO_LABEL]] = 1
        return answers

    def save(self, path: Path) -> None:
        self.model.save_model(str(path))

    def load(self, path: Path) -> Self:
        import fasttext

        self.model = fasttext.load_model(str(path))
        return self


class PyArabicChain(TransformerMixin, BaseEstimator):
    """Normalize as tutorials do: one PyArabic call after the other."""

    def fit(self, texts: list[str], y: Any = None) -> Self:
        """Learn nothing."""
        return self

    def transform(self, texts: list[str]) -> list[str]:
        """Normalize each text."""
        from pyarabic import araby

        return [
            araby.normalize_teh(
                araby.normalize_hamza(araby.strip_tatweel(araby.strip_tashkeel(text)), method="tasheel")
            )
            for text in texts
        ]


class OneFit(BaseEstimator):
    """Our features and one fit, as the peers learn: neither calibration, nor thresholds, nor pruning."""

    def __init__(self, features: TextFeatures, C: float, balanced: bool) -> None:
        self.features, self.C, self.balanced = features, C, balanced

    def fit(self, texts: list[str], labels: Labels) -> Self:
        """Learn features and hyperplanes."""
        X = self.features.fit_transform(texts)
        self.coef_, self.intercept_ = fit_planes("svm", X, labels, self.C, self.balanced, seed=0)
        self._project = Projection(self.features, self.coef_)
        return self

    def decision_function(self, texts: list[str]) -> NDArray[np.float32]:
        """Give the distances from the hyperplanes, shape (n_texts, n_labels)."""
        distances: NDArray[np.float32] = self._project(texts)[0] + self.intercept_
        return distances

    def predict(self, texts: list[str]) -> NDArray[np.bool_]:
        """Say on which side of the hyperplanes texts lie, shape (n_texts, n_labels)."""
        return self.decision_function(texts) > 0

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {key: value for key, value in state.items() if key != "_project"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._project = Projection(self.features, self.coef_)


def _ours(task: Task, **features: Any) -> ThemeClassifier:
    return build_model(replace(task.config, features=replace(task.config.features, **features)), task.taxonomy)


def _one_fit(task: Task, **features: Any) -> OneFit:
    wanted = replace(task.config.features, **features)
    chosen = task.config.classifier
    return OneFit(build_features(task.config.normalize, wanted, task.taxonomy), chosen.C, chosen.balanced)


class _Svm(LinearSVC):
    """scikit-learn's, with our tolerance."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        self.tol = find_tolerance(X.shape[0])
        super().fit(X, y, sample_weight)
        return self


def _svm(task: Task) -> OneVsRestClassifier:
    """scikit-learn's linear SVM, a label after the other, with the settings of this project."""
    chosen = task.config.classifier
    weight = "balanced" if chosen.balanced else None
    return OneVsRestClassifier(_Svm(C=chosen.C, class_weight=weight, random_state=0))


def _linear(task: Task, *, letters: bool) -> Pipeline:
    """Tuned scikit-learn: the settings of this project, made of scikit-learn's own parts."""
    wanted = task.config.features
    shared: dict[str, Any] = {"min_df": wanted.min_df, "lowercase": False, "dtype": np.float32}
    words = TfidfVectorizer(
        token_pattern=r"\S+", ngram_range=wanted.word_ngrams, sublinear_tf=wanted.sublinear_tf, **shared
    )
    blocks, weights = [("words", words)], {}
    if letters:
        blocks.append(("letters", TfidfVectorizer(analyzer="char_wb", ngram_range=wanted.char_ngrams, **shared)))
        weights["letters"] = wanted.char_weight
    return make_pipeline(ArabicNormalizer(), FeatureUnion(blocks, transformer_weights=weights), _svm(task))


_NO_LETTERS: dict[str, Any] = {"char_weight": 0.0, "keyword_weight": 0.0}

CONTENDERS: dict[str, Callable[[Task], Any]] = {
    "ours, words and pairs": lambda task: _Sklearn(task, _ours(task, **_NO_LETTERS)),
    "ours, as shipped": lambda task: _Sklearn(task, _ours(task)),
    "ours, words and pairs, one fit": lambda task: _Sklearn(task, _one_fit(task, **_NO_LETTERS)),
    "ours, as shipped, one fit": lambda task: _Sklearn(task, _one_fit(task)),
    "scikit-learn tuned, words and pairs": lambda task: _Sklearn(task, _linear(task, letters=False)),
    "scikit-learn tuned, with letters": lambda task: _Sklearn(task, _linear(task, letters=True)),
    "textbook, words and pairs": lambda task: _Sklearn(
        task,
        make_pipeline(
            PyArabicChain(),
            TfidfVectorizer(ngram_range=(1, 2)),
            OneVsRestClassifier(LogisticRegression(class_weight="balanced", max_iter=1000)),
        ),
    ),
    "fastText, words and pairs": lambda task: _FastText(task, wordNgrams=2),
    "fastText, with letters": lambda task: _FastText(task, wordNgrams=2, minn=3, maxn=5),
}


def _highest(scores: NDArray[np.floating[Any]]) -> Labels:
    answers = np.zeros(scores.shape, dtype=np.int8)
    answers[np.arange(len(scores)), scores.argmax(axis=1)] = 1
    return answers
