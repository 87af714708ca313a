"""Four ways to learn a hyperplane: what lies on its positive side is about the theme.

scikit-learn's learners are imported where one is used: who only classifies waits for none of them.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from sklearn import config_context

from .memory import keep_much

# LIBLINEAR's own. With scikit-learn's, a thousandth of it, learning takes twice as long, and no distance of 1,428 real
# articles from a plane moves by more than .006.
_TOLERANCE = 0.1
_MANY = 16_000  # articles

Plane = tuple[NDArray[np.float64], float]  # coefficients (n_features,) and intercept


def fit_planes(
    learner: str, X: csr_matrix, labels: NDArray[np.int8], C: float, balanced: bool, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Learn one hyperplane a theme, each against all other articles.

    Parameters
    ----------
    learner : str
        A key of `LEARNERS`.
    X : sparse matrix of shape (n_articles, n_features)
    labels : ndarray of 0 and 1, shape (n_articles, n_themes)
        Each column holds both values.
    C : float
        Inverse strength of regularization.
    balanced : bool
        Weigh the two sides of each theme inversely to their sizes.
    seed : int
        Of the solver's order of articles.

    Returns
    -------
    coef : ndarray of float32, shape (n_themes, n_features)
    intercept : ndarray of float32, shape (n_themes,)

    Raises
    ------
    ValueError
        If a feature is infinite or no number.
    """
    weight = "balanced" if balanced else None
    X.sum_duplicates()  # which sorts too: in whatever order features come, the solver sums them up in one
    # Once for all themes: liblinear takes no other numbers.
    X = csr_matrix((X.data.astype(np.float64), X.indices, X.indptr), shape=X.shape)
    if not np.isfinite(X.data).all():
        raise ValueError("features must be finite")
    # One after the other: liblinear draws from one generator for the whole process, which threads would share.
    # For each theme anew, liblinear copies the features, and scikit-learn would look whether all are finite.
    with keep_much(), config_context(assume_finite=True):
        planes = [LEARNERS[learner](X, column, C, weight, seed) for column in labels.T]
    # Theme beside theme in memory, as the product with sparse features reads it; else it would copy all at each call.
    coef = np.stack([coef for coef, _ in planes], axis=1).astype(np.float32).T
    return coef, np.array([intercept for _, intercept in planes], dtype=np.float32)


def find_tolerance(n_articles: int) -> float:
    """Say how exactly the solver solves: from 16,000 articles on it may err more, by the root of their number.

    It stops when all articles are right but for that much; the more there are, the more passes over them that takes.
    Of 13,000 real articles, and as they are again with a tenth of their words replaced, 52,000 in all, it takes a
    quarter to two fifths fewer passes with twice the tolerance; no distance of 3,000 others from three planes moved by
    more than .02, no average precision by more than .0004.

    >>> find_tolerance(4000), find_tolerance(64_000)
    (0.1, 0.2)
    """
    return _TOLERANCE * max(1.0, math.sqrt(n_articles / _MANY))


def _svm(X: csr_matrix, y: NDArray[np.int8], C: float, class_weight: str | None, seed: int) -> Plane:
    from sklearn.svm import LinearSVC

    return _plane(
        LinearSVC(C=C, class_weight=class_weight, random_state=seed, tol=find_tolerance(X.shape[0])).fit(X, y)
    )


def _logistic(X: csr_matrix, y: NDArray[np.int8], C: float, class_weight: str | None, seed: int) -> Plane:
    from sklearn.linear_model import LogisticRegression

    learner = LogisticRegression(C=C, class_weight=class_weight, solver="liblinear", random_state=seed)
    return _plane(learner.fit(X, y))


def _complement_nb(X: csr_matrix, y: NDArray[np.int8], C: float, class_weight: str | None, seed: int) -> Plane:
    from sklearn.naive_bayes import ComplementNB

    # Rennie et al., "Tackling the poor assumptions of naive Bayes text classifiers" (ICML 2003); it levels unequal
    # classes by itself, so `class_weight` and `seed` change nothing.
    log_prob = ComplementNB(alpha=1 / C).fit(X, y).feature_log_prob_
    return log_prob[1] - log_prob[0], 0.0


def _nbsvm(X: csr_matrix, y: NDArray[np.int8], C: float, class_weight: str | None, seed: int) -> Plane:
    # Wang, Manning, "Baselines and bigrams" (ACL 2012): features scaled by their naive Bayes log-count ratio.
    present = X > 0
    inside = 1 + np.asarray(present[y == 1].sum(axis=0)).ravel()
    outside = 1 + np.asarray(present[y == 0].sum(axis=0)).ravel()
    ratio = np.log((inside / inside.sum()) / (outside / outside.sum()))
    coef, intercept = _svm(csr_matrix(X @ diags_array(ratio)), y, C, class_weight, seed)
    return coef * ratio, intercept


def _plane(fitted: Any) -> Plane:
    return fitted.coef_[0], float(fitted.intercept_[0])


LEARNERS: dict[str, Callable[[csr_matrix, NDArray[np.int8], float, str | None, int], Plane]] = {
    "svm": _svm,
    "logistic": _logistic,
    "complement_nb": _complement_nb,
    "nbsvm": _nbsvm,
}
