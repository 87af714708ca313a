import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ngrams import Ngrams, Sequences, look_up

SEQUENCES = st.lists(st.lists(st.integers(-1, 3), max_size=8), max_size=6)


def plain_ngrams(sequences: list[list[int]], length: int) -> list[tuple[int, tuple[int, ...]]]:
    """Every run of known symbols, with the number of its sequence, in order."""
    runs = [
        (owner, tuple(sequence[start : start + length]))
        for owner, sequence in enumerate(sequences)
        for start in range(len(sequence) - length + 1)
    ]
    return [(owner, run) for owner, run in runs if min(run) >= 0]


def join(sequences: list[list[int]]) -> Sequences:
    symbols = np.array([symbol for sequence in sequences for symbol in sequence], dtype=np.int64)
    return Sequences.of(symbols, np.array([len(sequence) for sequence in sequences], dtype=np.int64))


@given(SEQUENCES, SEQUENCES, st.integers(1, 4), st.integers(1, 3))
def test_it_finds_the_runs_that_occur_in_enough_sequences(
    known: list[list[int]], asked: list[list[int]], longest: int, least: int
) -> None:
    ngrams = Ngrams.learn(4, longest, join(known), least)
    written = ngrams.write(["a", "b", "c", "d"], "")
    frequent = [set("abcd")] + [
        {run for run in map(spell, {r for _, r in plain_ngrams(known, n)}) if owners(known, n, run) >= least}
        for n in range(2, longest + 1)
    ]
    assert list(map(set, written)) == frequent
    sequences = join(asked)
    for length, (places, numbers) in enumerate(ngrams.find(sequences), start=1):
        found = [
            (owner, written[length - 1][number])
            for owner, number in zip(sequences.owners[places].tolist(), numbers.tolist(), strict=True)
        ]
        every = [(owner, spell(run)) for owner, run in plain_ngrams(asked, length)]
        assert found == [(owner, run) for owner, run in every if run in frequent[length - 1]]


def spell(run: tuple[int, ...]) -> str:
    return "".join("abcd"[symbol] for symbol in run)


def owners(sequences: list[list[int]], length: int, wanted: str) -> int:
    return len({owner for owner, run in plain_ngrams(sequences, length) if spell(run) == wanted})


def test_forgetting_renumbers_what_is_left() -> None:
    ngrams = Ngrams.learn(2, 3, join([[0, 1, 1, 0, 0]]))
    assert ngrams.write(["a", "b"], "") == [["a", "b"], ["aa", "ab", "ba", "bb"], ["abb", "baa", "bba"]]
    kept = [np.array([False, True, False, True]), np.array([True, False, True])]
    assert ngrams.keep(kept).write(["a", "b"], "") == [["a", "b"], ["ab", "bb"], ["abb", "bba"]]


def test_nothing_is_known_where_nothing_was_seen() -> None:
    assert look_up(np.array([], dtype=np.int64), np.array([3])).tolist() == [-1]
    assert [len(keys) for keys in Ngrams.learn(0, 3, join([[]])).keys] == [0, 0]
