import ctypes
from types import SimpleNamespace

import pytest

from pipeline.memory import keep_much, keep_some

SOME = [(-3, 31 << 20), (-1, 62 << 20)]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    calls: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda name, value: calls.append((name, value)))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    return calls


def test_some_is_kept(told: list[tuple[int, int]]) -> None:
    keep_some()
    assert told == SOME


def test_much_is_kept_for_a_while_whatever_happens(told: list[tuple[int, int]]) -> None:
    @keep_much()
    def fail() -> None:
        assert told == [(-3, 1 << 30), (-1, 2**31 - 1)]  # the most that a C int holds
        raise ValueError("no features")

    with pytest.raises(ValueError, match="no features"):
        fail()
    assert told[2:] == SOME


@pytest.mark.parametrize("error", [AttributeError, OSError, TypeError])
def test_where_there_is_no_glibc_nothing_happens(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: None) -> None:
        raise error

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    keep_some()
    with keep_much():
        pass


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_glibc_takes_the_values() -> None:
    assert [ctypes.CDLL(None).mallopt(*call) for call in [(-3, 1 << 30), (-1, 2**31 - 1), *SOME]] == [1] * 4
