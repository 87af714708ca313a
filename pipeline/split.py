"""Which articles are held out, and the folds of a cross-validation. Near-duplicates always stay together."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def held_out(ids: Sequence[str], groups: NDArray[np.int32], share: float, seed: int) -> NDArray[np.bool_]:
    """Choose the held-out test articles, so that new articles never move old ones.

    A group goes to the test part if the hash of its smallest id falls below `share`. No article's side depends on any
    other outside its group. The price is that the shares of themes vary as in a random draw; `best_seed` finds the seed
    that balances a given corpus.

    Parameters
    ----------
    ids : sequence of str, of length n
    groups : ndarray of int, shape (n,)
        Numbers of near-duplicate clusters.
    share : float
        Of the groups, between 0 and 1.
    seed : int

    Returns
    -------
    ndarray of bool, shape (n,)

    >>> held_out(["a", "b", "c"], np.array([0, 1, 0]), share=0.5, seed=3).tolist()
    [True, False, True]
    """
    smallest: dict[int, str] = {}
    for name, group in zip(ids, groups.tolist(), strict=True):
        smallest[group] = min(name, smallest.get(group, name))
    return np.array([_uniform(smallest[group], seed) < share for group in groups.tolist()], dtype=bool)


def best_seed(
    ids: Sequence[str],
    groups: NDArray[np.int32],
    labels: NDArray[np.int8],
    share: float,
    seeds: range = range(1000),
) -> int:
    """Find the seed whose test part has the most even shares of themes, of none and of the whole.

    It looks at labels only, never at a score, so choosing it does not flatter the model.
    """
    counted = np.column_stack((labels, labels.sum(axis=1) == 0, np.ones(len(labels))))

    def unevenness(seed: int) -> float:
        got = counted[held_out(ids, groups, share, seed)].sum(axis=0) / counted.sum(axis=0)
        return float(np.abs(got - share).max())

    return min(seeds, key=unevenness)


def fold_numbers(labels: NDArray[np.int8], groups: NDArray[np.int32], folds: int, seed: int) -> NDArray[np.int32]:
    """Deal groups of articles into folds with even counts of every theme, of none, and of articles.

    Greedy, rarest theme first, after Sechidis, Tsoumakas, Vlahavas, "On the stratification of multi-label data"
    (ECML PKDD 2011), dealt by the group.

    Parameters
    ----------
    labels : ndarray of int, shape (n, n_themes)
    groups : ndarray of int, shape (n,)
    folds : int
        From 2 to the number of groups.
    seed : int
        Orders groups that are otherwise equal.

    Returns
    -------
    ndarray of int, shape (n,)
        The fold of each article, 0 to ``folds - 1``.

    Raises
    ------
    ValueError
        If there are fewer groups than folds.

    >>> fold_numbers(np.array([[1], [1], [0], [0]], dtype=np.int8), np.arange(4, dtype=np.int32), 2, seed=0).tolist()
    [0, 1, 0, 1]
    """
    _, group_of = np.unique(groups, return_inverse=True)
    n_groups = int(group_of.max()) + 1 if len(group_of) else 0
    if not 2 <= folds <= n_groups:
        raise ValueError(f"cannot deal {n_groups} groups of articles into {folds} folds")
    counts = np.zeros((n_groups, labels.shape[1] + 1))
    np.add.at(counts, group_of, np.column_stack((labels, labels.sum(axis=1) == 0)))
    sizes = np.bincount(group_of)

    wanted = np.tile(counts.sum(axis=0) / folds, (folds, 1))  # what each fold still lacks, theme by theme
    room = np.full(folds, len(labels) / folds)
    fold_of_group = np.full(n_groups, -1, dtype=np.int32)
    shuffled = np.random.default_rng(seed).permutation(n_groups)
    waiting = np.ones(n_groups, dtype=bool)
    while waiting.any():
        left = counts[waiting].sum(axis=0)
        theme = int(np.argmin(np.where(left > 0, left, np.inf)))
        for group in shuffled[waiting[shuffled] & (counts[shuffled, theme] > 0)]:
            # the fold that lacks the theme most; among equals the emptiest, then the first
            fold = max(range(folds), key=lambda fold: (wanted[fold, theme], room[fold], -fold))
            fold_of_group[group] = fold
            wanted[fold] -= counts[group]
            room[fold] -= sizes[group]
            waiting[group] = False
    return fold_of_group[group_of]


def _uniform(name: str, seed: int) -> float:
    """Hash to a number from 0 up to 1, the same on every machine."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
