import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import Article, PipelineError, classify, classify_stream
from pipeline import workers as module
from pipeline.classifier import Scores, ThemeClassifier
from pipeline.sharing import Shared, share
from pipeline.workers import fork_workers

from .conftest import ROOT, make_toy_articles, on_linux

TEXTS = [row["text"] for row in make_toy_articles(90, seed=5)] + ["", "only Latin", "\ud800", "بحر " * 500]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 100), st.integers(0, len(TEXTS)))
def test_batches_do_not_matter(model: ThemeClassifier, batch_size: int, n: int) -> None:
    pairs = list(classify_stream(model, iter(TEXTS[:n]), batch_size))
    assert pairs == list(zip(TEXTS, classify(model, TEXTS[:n]), strict=False))


def workers() -> list[multiprocessing.process.BaseProcess]:
    """Processes of a stream; not those that joblib keeps from other tests."""
    names = ("SpawnProcess", "ForkServerProcess")
    return [process for process in multiprocessing.active_children() if process.name.startswith(names)]


@pytest.fixture(params=["spawned", pytest.param("forked", marks=on_linux)])
def start(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How workers start, in this test only."""
    monkeypatch.setattr(module, "_are_forked", False)
    if request.param == "forked":
        fork_workers()
    return str(request.param)


def test_processes_do_not_matter_and_get_the_model_once(
    model: ThemeClassifier, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def send(value: ThemeClassifier) -> AbstractContextManager[Shared]:
        sent.append(value)
        return share(value)

    monkeypatch.setattr("pipeline.stream.share", send)
    pairs = list(classify_stream(model, TEXTS, batch_size=4, n_jobs=2))
    assert pairs == list(zip(TEXTS, classify(model, TEXTS), strict=True))
    assert sent == [model]


def test_the_file_that_the_processes_share_is_deleted(
    model: ThemeClassifier, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stream = classify_stream(model, TEXTS, batch_size=4, n_jobs=2)
    next(stream)
    assert [*tmp_path.glob("security-themes-*")]
    stream.close()
    assert not [*tmp_path.glob("security-themes-*")]


def test_the_very_article_comes_back(model: ThemeClassifier) -> None:
    articles = [Article(str(i), "", text, source=f"queue:{i}") for i, text in enumerate(TEXTS)]
    assert all(
        given is back for given, (back, _) in zip(articles, classify_stream(model, articles, batch_size=7), strict=True)
    )


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_endless_input_is_read_a_few_batches_ahead(model: ThemeClassifier, n_jobs: int, start: str) -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        for text in itertools.cycle(TEXTS):
            read += 1
            yield text

    stream = classify_stream(model, endless(), batch_size=5, n_jobs=n_jobs)
    assert read == 0
    for taken, _ in enumerate(itertools.islice(stream, 200), start=1):
        assert taken <= read <= taken + 5 * 2 * n_jobs
    process = "SpawnProcess" if start == "spawned" else "ForkServerProcess"
    assert [worker.name.split("-")[0] for worker in workers()] == ([process] * 2 if n_jobs == 2 else [])
    stream.close()
    assert workers() == []


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_what_came_before_a_failure_of_the_input_is_answered(model: ThemeClassifier, n_jobs: int) -> None:
    def broken() -> Iterator[str]:
        yield from TEXTS[:23]
        raise KeyError("the queue is gone")

    stream = classify_stream(model, broken(), batch_size=5, n_jobs=n_jobs)
    assert [next(stream)[0] for _ in range(23)] == TEXTS[:23]
    with pytest.raises(KeyError, match="the queue is gone"):
        next(stream)
    assert workers() == []


def test_what_is_no_text_is_refused_after_what_came_before(model: ThemeClassifier) -> None:
    stream = classify_stream(model, [*TEXTS[:23], 7], batch_size=5)
    for text in TEXTS[:23]:
        assert next(stream)[0] == text
    with pytest.raises(TypeError, match="article 23 is of type int"):
        next(stream)


def test_a_worker_that_dies_is_one_error_and_the_others_end(model: ThemeClassifier, start: str) -> None:
    stream = classify_stream(model, itertools.cycle(TEXTS), batch_size=5, n_jobs=2)
    next(stream)
    for worker in workers():
        assert worker.pid
        os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(PipelineError, match="a worker process died"):
        list(itertools.islice(stream, 1000))
    assert workers() == []


@pytest.mark.parametrize("start", ["", pytest.param("fork_workers()", marks=on_linux)])
def test_workers_end_when_their_parent_is_killed_and_leave_no_model(start: str, tmp_path: Path) -> None:
    script = (
        "import itertools, os\n"
        "from pipeline.stream import classify_stream\n"
        "from tests.test_stream import Echo\n"
        "from pipeline.workers import fork_workers\n"
        "if __name__ == '__main__':\n"
        f"    {start}\n"
        "    next(classify_stream(Echo(), itertools.repeat('نص'), batch_size=1, n_jobs=2))\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    # It returns when nobody holds the standard output any more.
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not [*tmp_path.glob("security-themes-*")]


def test_a_script_that_forgot_its_guard_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "bare.py"
    script.write_text(
        "from pipeline.stream import classify_stream\n"
        "from tests.test_stream import Echo\n"
        "list(classify_stream(Echo(), ['نص'] * 9, batch_size=1, n_jobs=2))\n",
        encoding="utf-8",
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert b"PipelineError" in done.stderr
    assert b'if __name__ == "__main__"' in done.stderr


class Echo(ThemeClassifier):
    """A model that knows nothing, but is there at once."""

    def __init__(self) -> None:
        self.classes_, self.thresholds, self.abstain = np.array(["sea"]), None, 0.1
        self.tuned_thresholds_, self.coef_ = np.ones(1), np.ones((1, 0), dtype=np.float32)
        self.none_calibration_, self.tuned_none_threshold_ = None, 1.0

    def score_texts(self, texts: Sequence[str]) -> Scores:
        n = len(texts)
        return Scores(np.zeros((n, 1)), np.ones(n), np.zeros(n, dtype=np.intp), np.zeros(n))


def test_a_bare_string_and_impossible_numbers_are_refused_at_once(model: ThemeClassifier) -> None:
    with pytest.raises(TypeError, match="got one string"):
        classify_stream(model, "نص")
    for wrong in ({"batch_size": 0}, {"n_jobs": 0}):
        with pytest.raises(ValueError, match="must be 1 or more"):
            classify_stream(model, [], **wrong)


def test_threads_share_a_model(model: ThemeClassifier) -> None:
    expected = classify(model, TEXTS)
    jobs = [TEXTS[shift:] + TEXTS[:shift] for shift in range(0, 80, 2)]
    with ThreadPoolExecutor(8) as pool:
        for shift, found in zip(range(0, 80, 2), pool.map(lambda texts: classify(model, texts), jobs), strict=True):
            assert found == expected[shift:] + expected[:shift]
