"""Near-duplicates: articles that say the same in almost the same words.

Agencies are reprinted, posts are posted twice. One copy in the training part and one in the test part would let the
model recite instead of judge, so they are found, reported, and kept together by every split.
"""

from dataclasses import dataclass

import numpy as np
from datasketch import MinHash, MinHashLSH
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_PERMUTATIONS = 128
_SHINGLE = 3  # words


@dataclass(frozen=True, slots=True)
class Pair:
    """Two alike texts: their positions, ``first < second``, and the Jaccard similarity of their word triples."""

    first: int
    second: int
    similarity: float


def near_duplicates(texts: list[str], threshold: float) -> list[Pair]:
    """Find the pairs of texts whose sets of word triples have a Jaccard similarity of `threshold` or more.

    Candidates come from MinHash with locality-sensitive hashing (Broder 1997; Leskovec, Rajaraman, Ullman, "Mining of
    Massive Datasets", chapter 3); each is then measured exactly: no pair is false, few at the threshold are missed.

    Parameters
    ----------
    texts : list of str
        Normalized: words separated by spaces.
    threshold : float
        From 0 to 1.

    >>> near_duplicates(["اوقفت الشرطه رجلا في المدينه امس", "اوقفت الشرطه رجلا في المدينه", "فاز المنتخب"], 0.7)
    [Pair(first=0, second=1, similarity=0.75)]
    """
    index = MinHashLSH(threshold=max(0.05, threshold - 0.1), num_perm=_PERMUTATIONS)
    shingles = [_shingles(text) for text in texts]
    hashes = MinHash.bulk(
        [[shingle.encode("utf-8", "surrogatepass") for shingle in sorted(some)] for some in shingles],
        num_perm=_PERMUTATIONS,
        seed=1,
    )
    pairs = []
    for second, sketch in enumerate(hashes):
        for first in sorted(index.query(sketch)):
            union = len(shingles[first] | shingles[second])
            similarity = len(shingles[first] & shingles[second]) / union
            if similarity >= threshold:
                pairs.append(Pair(first, second, similarity))
        index.insert(second, sketch)
    return pairs


def clusters(n: int, pairs: list[Pair]) -> NDArray[np.int32]:
    """Give each of `n` texts the number of its connected group; a text without a near-duplicate is a group of its own.

    >>> clusters(4, [Pair(0, 2, 0.9)]).tolist()
    [0, 1, 0, 2]
    """
    rows, columns = [pair.first for pair in pairs], [pair.second for pair in pairs]
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(n, n))
    numbers: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return numbers


def _shingles(text: str) -> set[str]:
    words = text.split()
    return {" ".join(words[i : i + _SHINGLE]) for i in range(max(1, len(words) - _SHINGLE + 1))}
