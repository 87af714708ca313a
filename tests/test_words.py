from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import words as module
from pipeline.words import SPACE, Words, batched, collect, distinct, hash_letters

TEXTS = st.lists(st.text(alphabet="ابت\0 \n", max_size=30), max_size=6)


@given(TEXTS)
def test_words_are_those_of_str_split(texts: list[str]) -> None:
    words = Words.of(texts)
    split = [text.split() for text in texts]
    assert words.counts.tolist() == [len(some) for some in split]
    assert words.write(np.arange(len(words))) == [word for some in split for word in some]
    assert {*words.codes[words.edges].ravel().tolist()} <= {SPACE}
    assert [texts[owner].split() for owner in words.owners.tolist()] == [some for some in split for _ in some]


@given(TEXTS)
def test_equal_words_and_no_others_have_equal_hashes(texts: list[str]) -> None:
    words = Words.of(texts)
    strings = words.write(np.arange(len(words)))
    assert len(set(zip(strings, words.hashes.tolist(), strict=True))) == len(set(strings))
    assert len(set(words.hashes.tolist())) == len(set(strings))


@given(TEXTS, st.integers(1, 4))
def test_runs_are_the_sequences_of_words_inside_each_text(texts: list[str], longest: int) -> None:
    words = Words.of(texts)
    strings = words.write(np.arange(len(words)))
    bounds = [0, *words.counts.cumsum().tolist()]
    assert words.runs(longest).shape == (len(words), longest)
    for length, hashes in enumerate(words.runs(longest).T, start=1):
        wanted = [start for begin, end in pairwise(bounds) for start in range(begin, end - length + 1)]
        assert hashes.nonzero()[0].tolist() == wanted
        hashes = hashes.take(wanted)
        spelled = [" ".join(strings[start : start + length]) for start in wanted]
        assert len(set(zip(spelled, hashes.tolist(), strict=True))) == len(set(spelled)) == len(set(hashes.tolist()))


def test_a_run_is_the_same_at_any_place() -> None:
    hashes = Words.of(["وقف اطلاق النار", "بعد وقف اطلاق"]).runs(2)[:, 1]
    assert hashes[0] == hashes[4]
    alone = Words.of(["وقف اطلاق"]).runs(3)
    assert alone[:, 1].tolist() == [hashes[0], 0]
    assert alone[:, 2].tolist() == [0, 0]


def test_letters_cut_by_hand() -> None:
    words = Words.of(["كل", "امن"])
    owners, hashes, starts, sizes = words.cut(np.array([1, 0]), 3, 4)
    found = [
        words.codes[start : start + size].tobytes().decode("utf-32-le")
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)
    ]
    assert found == [" ام", " امن", "امن", "امن ", "من ", " كل", " كل ", "كل "]
    assert owners.tolist() == [0, 0, 0, 0, 0, 1, 1, 1]
    letters = np.array([[*map(ord, " امن")]], dtype=np.uint32)
    assert hash_letters(letters).tolist() == [hashes[1]]


def test_letters_of_many_words_are_cut_as_those_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    words, some = Words.of(["كل امن", "", "ارهاب في المدينه"]), np.array([3, 0, 4, 1, 2])
    at_once = words.cut(some, 2, 4)
    monkeypatch.setattr(module, "_WORDS", 2)
    for ours, plain in zip(words.cut(some, 2, 4), at_once, strict=True):
        np.testing.assert_array_equal(ours, plain)


def test_nul_is_a_letter_too() -> None:
    words = Words.of(["ab", "ab\0", "\0ab"])
    assert len({*words.hashes.tolist()}) == 3
    assert len({*words.cut(np.arange(3), 5, 5)[1].tolist()}) == 3


def test_a_word_longer_than_any_before() -> None:
    long = "ا" * 100_000
    one, other = Words.of([long, long + "ب"]).hashes.tolist()
    assert one != other
    assert Words.of([long]).hashes.tolist() == [one]


@given(st.lists(TEXTS, max_size=4))
def test_collecting_gives_each_word_once(batches: list[list[str]]) -> None:
    chunks = [Words.of(texts) for texts in batches]
    lexicon, numbers = collect(chunks)
    running = [word for texts in batches for text in texts for word in text.split()]
    written = lexicon.write(np.arange(len(lexicon)))
    assert sorted(written) == sorted(set(running))
    assert [written[number] for number in numbers.tolist()] == running


def test_distinct_and_batched() -> None:
    assert distinct(np.array([3, 1, 3, 2, 1])).tolist() == [1, 2, 3]
    assert distinct(np.zeros(0, dtype=np.int64)).tolist() == []
    assert list(batched("ابتث", 3)) == [["ا", "ب", "ت"], ["ث"]]


def test_a_thread_that_needs_fewer_powers_does_not_shorten_those_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    short, long = (np.ones((2, count), dtype=np.uint64) for count in (1, 100))

    class Raced(tuple[Any, ...]):  # as if another thread came at the worst moment: between looking and taking
        def __getitem__(self, place: Any) -> Any:
            module._known_powers = short[0], short[1]
            return super().__getitem__(place)

    monkeypatch.setattr(module, "_known_powers", Raced(long))
    assert len(module._powers(50)[0]) >= 50


def test_words_longer_than_a_piece_hash_as_they_do_alone() -> None:
    long = ["ب" * (module._PIECE + 3), "ت" * (module._PIECE - 1), "ث" * module._PIECE]
    texts = [f"قال {long[0]} {long[1]}", "", f"{long[2]} قال"]
    apart = [Words.of([word]).hashes[0] for text in texts for word in text.split()]
    np.testing.assert_array_equal(Words.of(texts).hashes, apart)
    assert len(np.unique(apart)) == 4
