"""The model: one scikit-learn estimator from raw texts to themes, with calibrated scores and a threshold a theme."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import add
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError

from .config import Config
from .features import TextFeatures, build_features
from .linear import LEARNERS, fit_planes
from .normalize import check_texts
from .projection import Projected, Projection
from .split import fold_numbers
from .themes import NONE, Taxonomy

_TO_PLANE = 2 / 3  # of the way from the tuned threshold of a theme to its probability on the hyperplane
_RESAMPLES = 100  # over which a threshold is averaged
_TINY = np.finfo(np.float64).smallest_subnormal  # the least probability above 0


class Scores(NamedTuple):
    """What a model makes of some texts, before it decides.

    Attributes
    ----------
    themes : ndarray of float64, shape (n_texts, n_themes)
        Each theme's probability, as `ThemeClassifier.predict_proba` gives it.
    none : ndarray of float64, shape (n_texts,)
        Probability that the text is about no theme; 1 for a text of which no feature is known.
    nearest : ndarray of int, shape (n_texts,)
        The theme over whose hyperplane the text lies highest: the one it has if it has any. Where themes differ much
        in number, that is a better guess than the one of the highest probability.
    unseen : ndarray of float64, shape (n_texts,)
        Share of its words, from 0 to 1, that were not in two training texts (``min_df``); 1 for a text without words.
        NaN if the model's features are no `TextFeatures` and so do not tell.
    """

    themes: NDArray[np.float64]
    none: NDArray[np.float64]
    nearest: NDArray[np.intp]
    unseen: NDArray[np.float64]


class ThemeClassifier(ClassifierMixin, BaseEstimator):
    """Linear multi-label classifier of texts.

    Two questions are asked in turn, as in a hurdle model (Cragg, "Some statistical models for limited dependent
    variables", 1971). Is the text about any theme at all? And about which: all whose probability reaches their
    threshold, at least the nearest one.

    Each theme has a hyperplane over the features; the distance from it is turned into a probability (Platt, 1999). One
    hyperplane more parts the texts with any theme from those with none; for the first question, the mean of the
    distance from it and of the largest distance from a theme's is taken. Probabilities and thresholds are learned from
    distances out of fold: of articles that neither the features nor the hyperplane had seen.

    Parameters
    ----------
    features : transformer
        From a list of texts to a sparse matrix (n_texts, n_features); `pipeline.features.TextFeatures` is quickest, see
        `pipeline.projection`.
    taxonomy : Taxonomy
        Names the columns of the labels, and travels with the model.
    learner : {"svm", "logistic", "complement_nb", "nbsvm"}, default="svm"
    C : float, default=1.0
        Inverse strength of regularization.
    balanced : bool, default=True
        Weigh a theme's articles against the others inversely to their numbers.
    max_features : int or None, default=None
        Learn twice: from all features, then from this many of those whose coefficients were the largest for any theme,
        one step of recursive feature elimination (Guyon et al., "Gene selection for cancer classification using support
        vector machines", 2002). It needs `features` that can ``prune``. Distances out of fold are from all features:
        those left out move them little, and learning takes a third less. None keeps all.
    folds : int, default=5
        For the scores out of fold.
    thresholds : mapping of str to float, default=None
        Theme name, or ``"none"``, to the lowest probability that counts as yes; those not named keep the one tuned for
        F1 in `fit`. A theme named here is never given below its threshold, not even as the nearest one. It may be
        changed after fitting: ``model.set_params(thresholds={"terrorism": 0.8})``.
    abstain : float, default=0.1
        Half the width of the band around each threshold in which a score makes a prediction unsure, see
        `pipeline.predict.Prediction`; 0 for no band. It may be changed after fitting, too.
    random_state : int, default=0
        Of the folds and the solver.

    Attributes
    ----------
    classes_ : ndarray of str, shape (n_themes,)
    features_ : fitted transformer
    coef_ : ndarray of float32, shape (n_planes, n_features)
    intercept_ : ndarray of float32, shape (n_planes,)
        Theme by theme, and in the last place that of any theme.
    calibration_ : ndarray of float64, shape (n_themes, 2)
        Slope and offset from distance to log-odds.
    tuned_thresholds_ : ndarray of float64, shape (n_themes,)
    none_calibration_ : ndarray of float64, shape (2,), or None
        Slope and offset from the mean of the two distances, its sign changed, to the log-odds of none. None where fewer
        than `folds` training texts were without a theme, or scored no lower: then the first question is not asked.
    tuned_none_threshold_ : float
    """

    def __init__(
        self,
        features: Any,
        taxonomy: Taxonomy,
        *,
        learner: str = "svm",
        C: float = 1.0,
        balanced: bool = True,
        max_features: int | None = None,
        folds: int = 5,
        thresholds: Mapping[str, float] | None = None,
        abstain: float = 0.1,
        random_state: int = 0,
    ) -> None:
        self.features = features
        self.taxonomy = taxonomy
        self.learner = learner
        self.C = C
        self.balanced = balanced
        self.max_features = max_features
        self.folds = folds
        self.thresholds = thresholds
        self.abstain = abstain
        self.random_state = random_state

    def fit(self, texts: Sequence[str], labels: Any, groups: Any = None) -> Self:
        """Learn features, hyperplanes, calibration and thresholds.

        Parameters
        ----------
        texts : sequence of str, of length n
        labels : array of 0 and 1, shape (n, n_themes)
        groups : array of int, shape (n,), default=None
            Articles of one group, such as near-duplicates, are never apart in the inner folds.

        Raises
        ------
        TypeError
            If `texts` is one string.
        ValueError
            If the shapes do not fit, labels are not 0 or 1, a parameter is unknown, or a theme has so few
            articles on one side that a fold would be without.

        Warns
        -----
        UserWarning
            If a theme's scores out of fold are no better than a guess: it is then never given.
        """
        texts, labels = check_texts(texts), _check_labels(labels)
        if len(texts) != len(labels):
            raise ValueError(f"{len(texts)} texts, but {len(labels)} rows of labels")
        if self.learner not in LEARNERS:
            raise ValueError(f"unknown learner {self.learner!r}. Known learners: {', '.join(LEARNERS)}")
        if len(self.taxonomy) != labels.shape[1]:
            raise ValueError(f"{labels.shape[1]} columns of labels, but {len(self.taxonomy)} themes")
        self.classes_ = np.array(self.taxonomy.names)

        groups = np.arange(len(texts)) if groups is None else np.asarray(groups)
        themes, none = labels, ~labels.any(axis=1)
        asks_first = none.sum() >= self.folds
        if asks_first:
            labels = np.column_stack((labels, labels.any(axis=1))).astype(np.int8)
        folds = fold_numbers(labels, groups, self.folds, self.random_state)
        distances = np.zeros(labels.shape)
        for fold in range(self.folds):
            inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            features, coef, intercept = self._learn([texts[i] for i in inside], labels[inside], prune=False)
            distances[outside] = _projection(features, coef)([texts[i] for i in outside])[0] + intercept

        n_themes = themes.shape[1]
        self.calibration_ = np.stack([_calibrate(*pair) for pair in zip(distances.T[:n_themes], themes.T, strict=True)])
        probabilities = expit(distances[:, :n_themes] * self.calibration_[:, 0] + self.calibration_[:, 1])
        rng = np.random.default_rng
        tuned = [tune_threshold(*pair, rng(self.random_state)) for pair in zip(themes.T, probabilities.T, strict=True)]
        # A tuned threshold hangs on how common and how clear the themes are among these texts, which others do not
        # share; the probability on the hyperplane does so less. So they go most of the way there, none's goes half.
        on_plane = expit(self.calibration_[:, 1])
        self.tuned_thresholds_ = (1 - _TO_PLANE) * np.array(tuned) + _TO_PLANE * on_plane
        self.none_calibration_, self.tuned_none_threshold_ = None, 1.0
        if asks_first:
            slope, offset = _calibrate(-_height(distances, n_themes), none.astype(np.int8))
            if slope > 0:
                self.none_calibration_ = np.array([slope, offset])
                best = tune_threshold(none, self._none(distances), rng(self.random_state))
                self.tuned_none_threshold_ = (best + float(expit(offset))) / 2
        if (unlearned := self.calibration_[:, 0] <= 0).any():
            warnings.warn(
                f"not learned, so never given: {', '.join(self.classes_[unlearned])}. Articles without the theme score "
                "as high as those with it; check its labels, or give more articles",
                stacklevel=2,
            )
            self.calibration_[unlearned, 0] = 0
            self.tuned_thresholds_[unlearned] = 1
        self.features_, self.coef_, self.intercept_ = self._learn(texts, labels, prune=True)
        self._project = _projection(self.features_, self.coef_)
        return self

    def _learn(
        self, texts: list[str], labels: NDArray[np.int8], prune: bool
    ) -> tuple[Any, NDArray[np.float32], NDArray[np.float32]]:
        sides = [f"theme {name!r}" for name in self.taxonomy.names] + ["any theme"]
        for side, count in zip(sides, labels.sum(axis=0), strict=False):
            if not 0 < count < len(labels):
                which = "with" if count == 0 else "without"
                raise ValueError(f"no article {which} {side} in one of the {self.folds} folds; give more")
        features = clone(self.features)
        X = features.fit_transform(texts)
        coef, intercept = fit_planes(self.learner, X, labels, self.C, self.balanced, self.random_state)
        if prune and self.max_features is not None and self.max_features < X.shape[1]:
            X = features.prune(X, np.abs(coef).max(axis=0), self.max_features)
            coef, intercept = fit_planes(self.learner, X, labels, self.C, self.balanced, self.random_state)
        return features, coef, intercept

    @property
    def thresholds_(self) -> NDArray[np.float64]:
        """Lowest probability that counts as yes, theme by theme: the tuned ones, or those in `thresholds`.

        Raises
        ------
        ValueError
            If `thresholds` names an unknown theme or holds a number outside 0 to 1.
        """
        self._check_fitted()
        return self._find_thresholds()[0].copy()

    @property
    def none_threshold_(self) -> float:
        """Lowest probability of none that counts as yes: tuned, or from `thresholds`. Raises as `thresholds_` does."""
        self._check_fitted()
        return self._find_thresholds()[1]

    def _find_thresholds(self) -> tuple[NDArray[np.float64], float]:
        """Give `thresholds_`, not to be written to, and `none_threshold_`."""
        thresholds, none = self.tuned_thresholds_, self.tuned_none_threshold_
        for name, value in (self.thresholds or {}).items():
            if name != NONE and name not in self.classes_:
                known = ", ".join((*self.classes_, NONE))
                raise ValueError(f"threshold for unknown theme {name!r}. Known themes: {known}")
            if not 0 <= value <= 1:
                raise ValueError(f"threshold of {name!r} must be from 0 to 1, found {value!r}")
            if name == NONE:
                none = value
            else:
                thresholds = np.where(self.classes_ == name, value, thresholds)
        return thresholds, none

    def score_texts(self, texts: Sequence[str]) -> Scores:
        """Give the probabilities of each theme and of none, and how much of each text is new to the model.

        Raises
        ------
        TypeError
            If `texts` is one string.
        sklearn.exceptions.NotFittedError
            If the model was not fitted.
        """
        self._check_fitted()
        products, known, unseen = self._project(texts)
        distances = products.astype(np.float64) + self.intercept_
        from_themes = distances[:, : len(self.calibration_)]
        nearest = from_themes.argmax(axis=1)
        themes = expit(from_themes * self.calibration_[:, 0] + self.calibration_[:, 1])
        none = self._none(distances)
        themes[~known], none[~known] = 0, 1
        return Scores(themes, none, nearest, unseen)

    def decide(self, scores: Scores) -> NDArray[np.int8]:
        """Say which themes texts of these scores are about, see the class.

        Returns
        -------
        ndarray of 0 and 1, shape (n_texts, n_themes)
            A row of zeros means none. Raises as `thresholds_` does.
        """
        self._check_fitted()
        thresholds, none_threshold = self._find_thresholds()
        # A theme whose probability is 0, as of a text of which nothing is known, is never given.
        yes: NDArray[np.bool_] = scores.themes >= np.maximum(thresholds, _TINY)
        if self.none_calibration_ is None:
            return yes.view(np.int8)
        about = scores.none < none_threshold
        for i in (about & ~yes.any(axis=1)).nonzero()[0].tolist():
            if self._may_be_nearest(nearest := scores.nearest[i]):
                yes[i, nearest] = True
        yes &= about[:, None]
        return yes.view(np.int8)

    def _may_be_nearest(self, theme: int) -> bool:
        return self.classes_[theme] not in (self.thresholds or {}) and self.tuned_thresholds_[theme] < 1

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Give each theme's probability.

        Returns
        -------
        ndarray of float64, shape (n_texts, n_themes)
            A row need not sum to 1: themes are judged apart. It is all zeros for a text of which no feature is known
            (empty, in another script, only punctuation): there is no evidence for any theme.

        Raises as `score_texts` does.
        """
        return self.score_texts(texts).themes

    def predict(self, texts: Sequence[str]) -> NDArray[np.int8]:
        """Say which themes each text is about: a 0/1 matrix of shape (n_texts, n_themes).

        A row of zeros means none. Raises as `score_texts` and `thresholds_` do.
        """
        self._check_fitted()
        texts = check_texts(texts)
        if len(texts) == 1 and isinstance(self._project, Projection):
            return self._predict_one(self._project, texts[0])
        return self.decide(self.score_texts(texts))

    def _predict_one(self, project: Projection, text: str) -> NDArray[np.int8]:
        """Say what `decide` says of what `score_texts` finds; with numbers, which are quicker than arrays of few."""
        thresholds, none_threshold = self._find_thresholds()
        limits, asks_first = thresholds.tolist(), self.none_calibration_ is not None
        answer = [0] * len(limits)
        products, is_about, _ = project.multiply_one(text)
        if is_about:
            distances = [*map(add, products.tolist()[0], self.intercept_.tolist())]
            highest = max(distances[: len(limits)])
            if self.none_calibration_ is not None:
                slope, offset = self.none_calibration_.tolist()
                is_about = _sigmoid(offset - slope * ((highest + distances[-1]) / 2)) < none_threshold
        if is_about:
            for theme, (slope, offset) in enumerate(self.calibration_.tolist()):
                score = _sigmoid(distances[theme] * slope + offset)
                answer[theme] = score >= limits[theme] and score > 0
            if asks_first and True not in answer:
                nearest = distances.index(highest)
                answer[nearest] = self._may_be_nearest(nearest)
        return np.array([answer], dtype=np.int8)

    def _none(self, distances: NDArray[Any]) -> NDArray[np.float64]:
        """Probability of none; 0 where the first question is not asked."""
        if self.none_calibration_ is None:
            return np.zeros(len(distances))
        slope, offset = self.none_calibration_.tolist()
        none: NDArray[np.float64] = expit(offset - slope * _height(distances, len(self.calibration_)))
        return none

    def _check_fitted(self) -> None:
        if not hasattr(self, "coef_"):  # scikit-learn's check_is_fitted would take longer than an article
            raise NotFittedError("this ThemeClassifier is not fitted yet; call fit first")

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {key: value for key, value in state.items() if key != "_project"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "features_" in state:
            self._project = _projection(self.features_, self.coef_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.target_tags.two_d_labels = True
        tags.target_tags.single_output = False
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = True
        return tags


def build_model(config: Config, taxonomy: Taxonomy) -> ThemeClassifier:
    """Assemble an unfitted model after a configuration."""
    chosen = config.classifier
    return ThemeClassifier(
        build_features(config.normalize, config.features, taxonomy),
        taxonomy,
        learner=chosen.learner,
        C=chosen.C,
        balanced=chosen.balanced,
        max_features=config.features.max_features or None,
        folds=chosen.folds,
        abstain=chosen.abstain,
        random_state=chosen.seed,
    )


def tune_threshold(labels: NDArray[Any], probabilities: NDArray[np.float64], rng: np.random.Generator) -> float:
    """Average the best threshold over bootstrap resamples (bagging: Breiman, 1996).

    The best threshold of one sample hangs on the few articles near it; the average is steadier on new articles.
    """
    draws = rng.integers(0, len(labels), size=(_RESAMPLES, len(labels)))
    return float(np.mean([best_threshold(labels[draw], probabilities[draw]) for draw in draws if labels[draw].any()]))


def best_threshold(labels: NDArray[Any], probabilities: NDArray[np.float64]) -> float:
    """Find the threshold of highest F1, halfway between the last probability that is a yes and the first that is not.

    >>> best_threshold(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.5, 0.9]))
    0.25
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked, hits = probabilities[order], np.cumsum(labels[order])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + hits[-1])
    last_of_ties = np.append(ranked[:-1] != ranked[1:], True)  # equal probabilities cannot be told apart
    best = int(np.argmax(np.where(last_of_ties, f1, -1)))
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float((ranked[best] + below) / 2)


def _sigmoid(x: float) -> float:
    """Give ``expit(x)``, which takes longer for one number."""
    try:
        return 1 / (1 + math.exp(-x))
    except OverflowError:
        return 0.0


def _height(distances: NDArray[Any], n_themes: int) -> NDArray[Any]:
    """Mean of the distance from the plane of any theme, the last, and of the largest distance from a theme's."""
    height: NDArray[Any] = (np.maximum.reduce(distances[:, :n_themes], axis=1) + distances[:, -1]) / 2
    return height


def _calibrate(scores: NDArray[np.float64], labels: NDArray[np.int8]) -> tuple[float, float]:
    """Fit slope and offset of a sigmoid, with Platt's targets, which keep it from certainty on few articles."""
    from sklearn.linear_model import LogisticRegression  # here, as in `pipeline.linear`

    positives, n = int(labels.sum()), len(labels)
    target = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (n - positives + 2))
    # A fractional target is an article that is a yes with that weight, and a no with the rest.
    sigmoid = LogisticRegression(C=1e6, max_iter=1000)
    sigmoid.fit(
        np.concatenate((scores, scores))[:, None],
        np.repeat([1, 0], n),
        sample_weight=np.concatenate((target, 1 - target)),
    )
    return float(sigmoid.coef_[0, 0]), float(sigmoid.intercept_[0])


def _projection(features: Any, coef: NDArray[np.float32]) -> Callable[[Sequence[str]], Projected]:
    """Give what multiplies features of texts by coefficients, see `Projection`."""
    if isinstance(features, TextFeatures):
        return Projection(features, coef)
    return partial(_multiply, features, coef)


def _multiply(features: Any, coef: NDArray[np.float32], texts: Sequence[str]) -> Projected:
    texts = check_texts(texts)
    unseen = np.full(len(texts), np.nan)
    if not texts:
        return np.zeros((0, len(coef)), dtype=np.float32), np.zeros(0, dtype=np.bool_), unseen
    X = csr_matrix(features.transform(texts))
    return X @ coef.T, X.getnnz(axis=1) > 0, unseen


def _check_labels(given: Any) -> NDArray[np.int8]:
    labels: NDArray[Any] = np.asarray(given)
    if labels.ndim != 2 or not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be a matrix of 0 and 1, shape (n_texts, n_themes)")
    return labels.astype(np.int8)
