"""Full disks, kills, locks, other processes and clocks: what was there before is whole, and the message is one line."""

import itertools
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline import load_model
from pipeline.artifact import file_hash
from pipeline.config import read_config
from pipeline.train import train

from ..conftest import make_toy_articles, write_jsonl, write_toy_project

# Killed when the step of that number begins.
KILLED_IN_STEP = """
import os, signal, sys
from pathlib import Path
from pipeline import train
from pipeline.config import read_config

left = int(sys.argv[1])
step = train.step

def step_or_die(message, *rest):
    global left
    left -= 1
    if left < 0:
        print(message, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return step(message, *rest)

train.step = step_or_die
train.train(read_config(Path(sys.argv[2])), Path(sys.argv[3]))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy project with a model that a second training is to replace: it has other articles."""
    folder = tmp_path_factory.mktemp("project")
    train(read_config(write_toy_project(folder)), folder / "old")
    write_jsonl(folder / "articles" / "toy.jsonl", make_toy_articles(80, seed=9))
    return folder


@pytest.fixture
def models(project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(project / "old", tmp_path / "models"))


def run(*arguments: object, before: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, preexec_fn=before)


def full_disk(size: int) -> Callable[[], None]:
    """Let no file grow beyond `size` bytes: to a writing program the same as a disk without room."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def one_error(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert all(part in line for part in parts), line


@pytest.mark.parametrize(("size", "file"), [(8192, "security-themes.joblib.new"), (30_000_000, "")])
def test_a_disk_that_fills_while_training_saves(project: Path, models: Path, size: int, file: str) -> None:
    before = {path.name: path.read_bytes() for path in models.glob("security-themes.*")}
    done = run("train", "--no-tracking", "--config", project / "quick.toml", "--output", models, before=full_disk(size))
    if not file:
        assert done.returncode == 0, done.stderr  # the limit itself breaks nothing
        return
    one_error(done, str(models / file), "cannot write: File too large", "what was there before is whole")
    assert {path.name: path.read_bytes() for path in models.glob("security-themes.*")} == before
    load_model(models / "security-themes.joblib")


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_a_disk_that_fills_while_answers_are_written(models: Path, tmp_path: Path, name: str) -> None:
    source, out = write_jsonl(tmp_path / "in.jsonl", make_toy_articles(3000)), tmp_path / name
    out.write_bytes(b"of yesterday")
    arguments = ["classify", "--model", models / "security-themes.joblib", "--output", out]
    one_error(run(*arguments, source, before=full_disk(8192)), f"{out}.part: cannot write: File too large")
    assert out.read_bytes() == b"of yesterday"
    assert run(*arguments, "--resume", source).returncode == 0
    assert out.read_bytes() != b"of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "models", name]


def test_a_disk_that_fills_while_a_page_is_written(models: Path, tmp_path: Path) -> None:
    source, page = write_jsonl(tmp_path / "in.jsonl", make_toy_articles(50)), tmp_path / "page.html"
    page.write_text("of yesterday", encoding="utf-8")
    arguments = ["explain", "--model", models / "security-themes.joblib", "--html", page, source]
    one_error(run(*arguments, before=full_disk(8192)), f"{page}.new: cannot write: File too large")
    assert page.read_text(encoding="utf-8") == "of yesterday"
    assert not page.with_name("page.html.new").exists()


@pytest.mark.parametrize("step", range(6))
def test_killed_in_any_step_of_training_a_whole_model_stands(
    project: Path, models: Path, tmp_path: Path, step: int
) -> None:
    """Five steps begin before the model is saved, the sixth after; inside a save see tests/test_artifact.py."""
    old = file_hash(models / "security-themes.joblib")
    command = [sys.executable, "-c", KILLED_IN_STEP, str(step), str(project / "quick.toml"), str(models)]
    with (tmp_path / "said").open("w+", encoding="utf-8") as said:
        killed = subprocess.Popen(command, stdout=said, stderr=subprocess.DEVNULL, start_new_session=True)
        assert killed.wait(timeout=120) == -signal.SIGKILL
        with suppress(ProcessLookupError):
            os.killpg(killed.pid, signal.SIGKILL)  # joblib's workers, which would wait a while for more work
        said.seek(0)
        begun = said.read()
    load_model(models / "security-themes.joblib")
    is_new = file_hash(models / "security-themes.joblib") != old
    assert is_new == begun.startswith("report in")


def test_two_trainings_into_one_folder(project: Path, models: Path, tmp_path: Path) -> None:
    """One is done, the other says at once why not, before hours of work; what stands is whole."""
    command = [sys.executable, "-m", "pipeline", "train", "--no-tracking", "--config", str(project / "quick.toml")]
    both = [
        subprocess.Popen([*command, "--output", str(models)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [training.communicate(timeout=120)[1].decode() for training in both]
    codes = [training.returncode for training in both]
    assert sorted(codes) == [0, 2], said
    assert f"error: {models / 'report'}: another training is saving here" in said[codes.index(2)]
    load_model(models / "security-themes.joblib")
    assert list(models.rglob("*.new")) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_to_write(project: Path, models: Path) -> None:
    models.chmod(0o500)
    done = run("train", "--no-tracking", "--config", project / "quick.toml", "--output", models)
    models.chmod(0o700)
    one_error(done, str(models), "Permission denied")
    load_model(models / "security-themes.joblib")


def test_a_database_that_another_process_holds(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tmp_path / "mlflow.db"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}?timeout=1")
    assert run("log", models / "security-themes.json").returncode == 0
    with sqlite3.connect(database, isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        done = run("log", models / "security-themes.json")
        holder.execute("ROLLBACK")
    one_error(done, "database is locked")
    assert "Log it later with: python -m pipeline log" in done.stderr
    load_model(models / "security-themes.joblib")
    assert run("log", models / "security-themes.json").returncode == 0


def test_a_clock_that_runs_backwards_changes_nothing(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = read_config(project / "quick.toml")
    one = train(config, tmp_path / "one").card
    backwards = itertools.count(time.time(), -3600)
    monkeypatch.setattr(time, "time", lambda: next(backwards))
    assert train(config, tmp_path / "two").card == one
