import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pipeline.linear import LEARNERS, fit_planes

# Feature 0 speaks for the theme, feature 1 against it, feature 2 for nothing.
X = csr_matrix(np.array([[1, 0, 1], [2, 0, 0], [0, 1, 1], [0, 2, 0]] * 5, dtype=np.float32))
Y = np.array([[1], [1], [0], [0]] * 5, dtype=np.int8)


@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_signs_of_the_coefficients(learner: str) -> None:
    coef, intercept = fit_planes(learner, X, Y, C=1.0, balanced=True, seed=0)
    assert coef.shape == (1, 3)
    assert coef.T.flags.c_contiguous
    assert intercept.shape == (1,)
    assert coef[0, 0] > 0 > coef[0, 1]
    assert abs(coef[0, 2]) < 0.2 * coef[0, 0]


def test_complement_naive_bayes_worked_by_hand() -> None:
    """Counts inside 15, 0, 5 and outside 0, 15, 5; with 1 added 16, 1, 6 and 1, 16, 6, of 23 each.

    A class is weighed by the complement's log shares, negated: -log(1/23) + log(16/23) = log 16 for feature 0.
    """
    coef, intercept = fit_planes("complement_nb", X, Y, C=1.0, balanced=False, seed=0)
    np.testing.assert_allclose(coef, [[np.log(16), -np.log(16), 0]], rtol=1e-5)
    assert intercept.tolist() == [0]


def test_balancing_moves_the_plane_toward_the_many() -> None:
    few = np.vstack((Y[:2], np.zeros((18, 1), dtype=np.int8)))
    plain, balanced = (fit_planes("svm", X, few, C=0.1, balanced=on, seed=0) for on in (False, True))
    scores = [(X @ coef.T + intercept).max() for coef, intercept in (plain, balanced)]
    assert scores[1] > scores[0]


@pytest.mark.parametrize("learner", sorted(LEARNERS))
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused(learner: str, value: float) -> None:
    broken = X.copy()
    broken.data[3] = value
    with pytest.raises(ValueError, match="features must be finite"):
        fit_planes(learner, broken, Y, C=1.0, balanced=True, seed=0)


def test_the_solver_gets_features_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """In another order it sums to other bits, and so would the bytes of the model be."""
    seen = []

    def learn(X: csr_matrix, *_: object) -> tuple[np.ndarray, float]:
        seen.append((X.indices.tolist(), X.data.tolist()))
        return np.zeros(3), 0.0

    monkeypatch.setitem(LEARNERS, "svm", learn)
    unsorted = csr_matrix(([1.0, 2.0, 3.0], [2, 0, 1], [0, 2, 3]), shape=(2, 3), dtype=np.float32)
    fit_planes("svm", unsorted, np.array([[1], [0]], dtype=np.int8), 1.0, True, 0)
    assert seen == [([0, 2, 1], [2.0, 1.0, 3.0])]
