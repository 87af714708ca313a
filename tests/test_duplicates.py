import random

from pipeline.duplicates import Pair, clusters, near_duplicates


def test_similarity_worked_by_hand() -> None:
    """Triples of one: abc bcd cde def efg (5). Of other: abc bcd cde def efh (5). Shared 4, together 6: 4/6."""
    texts = ["a b c d e f g", "a b c d e f h"]
    assert near_duplicates(texts, 0.6) == [Pair(0, 1, 4 / 6)]
    assert near_duplicates(texts, 0.7) == []


def test_equal_and_short_texts() -> None:
    assert near_duplicates(["a b", "a b", "a c", "", ""], 0.9) == [Pair(0, 1, 1.0), Pair(3, 4, 1.0)]


def test_finds_what_comparing_all_with_all_finds() -> None:
    rng = random.Random(0)
    texts = []
    for _ in range(40):
        words = [str(rng.randrange(1000)) for _ in range(60)]
        texts.append(" ".join(words))
        words[rng.randrange(60)] = "x"  # at most 3 of 58 triples differ
        texts.append(" ".join(words))
    assert [(pair.first, pair.second) for pair in near_duplicates(texts, 0.8)] == [(i, i + 1) for i in range(0, 80, 2)]


def test_clusters_are_transitive() -> None:
    assert clusters(5, [Pair(0, 1, 1), Pair(1, 4, 1)]).tolist() == [0, 0, 1, 2, 0]
    assert clusters(0, []).tolist() == []
