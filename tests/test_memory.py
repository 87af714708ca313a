import ctypes
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.memory import keep_much, keep_some

from .conftest import ROOT

SOME = [(-3, 31 << 20), (-1, 62 << 20)]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, int]]:
    calls: list[tuple[Any, int]] = []

    def mallopt(name: int, value: int) -> int:
        calls.append((name, value))
        return 1

    library = SimpleNamespace(mallopt=mallopt, malloc_trim=lambda pad: calls.append(("trim", pad)))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    return calls


def test_some_is_kept(told: list[tuple[Any, int]]) -> None:
    keep_some()
    assert told == SOME


def test_much_is_kept_for_a_while_whatever_happens(told: list[tuple[Any, int]]) -> None:
    @keep_much()
    def fail() -> None:
        assert told == [(-3, 1 << 30), (-1, 2**31 - 1)]  # the most that a C int holds
        raise ValueError("no features")

    with pytest.raises(ValueError, match="no features"):
        fail()
    assert told[2:] == [*SOME, ("trim", 0)]


def test_an_older_glibc_refuses_much_but_takes_some(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {}

    def mallopt(name: int, value: int) -> int:
        if name == -3 and value > 32 << 20:
            return 0
        taken[name] = value
        return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(mallopt=mallopt, malloc_trim=lambda _: 1))
    with keep_much():
        assert taken == {-3: 31 << 20, -1: 2**31 - 1}


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
    assert [ctypes.CDLL(None).mallopt(*call) for call in [(-1, 2**31 - 1), *SOME]] == [1] * 3


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc")
def test_what_was_kept_is_given_back() -> None:
    code = """
import numpy as np
from pipeline.memory import keep_much
def resident(): return int(open("/proc/self/statm").read().split()[1]) * 4096 >> 20
before = resident()
with keep_much():
    blocks = [np.ones(20 << 20, dtype=np.uint8) for _ in range(8)]
    result = np.ones(20_000)  # above them, so that the heap cannot shrink
    del blocks
print(resident() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert int(done.stdout) < 40
