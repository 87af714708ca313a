import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline import cli, outputs
from pipeline.artifact import save_model
from pipeline.classifier import build_model
from pipeline.config import Config
from pipeline.outputs import SUFFIXES, PartFile
from pipeline.progress import article_bar
from pipeline.stream import classify_records
from pipeline.themes import Taxonomy

from .conftest import ROOT, make_toy_articles

Capture = pytest.CaptureFixture[str]
ODD = [{"id": 'a"b,c\nd\ud800', "text": "ميناء سفينة، بحر"}, {"text": "خبز"}]


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model(config: Config, toy_taxonomy: Taxonomy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = make_toy_articles(80)
    labels = toy_taxonomy.label_matrix(row["themes"] for row in rows)
    fitted = build_model(config, toy_taxonomy).fit([row["text"] for row in rows], labels)
    path = tmp_path_factory.mktemp("model") / "toy.joblib"
    save_model(fitted, {}, path)
    return path


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three thousand articles, and a bad line among every hundred."""
    path = write_jsonl(tmp_path_factory.mktemp("articles") / "many.jsonl", make_toy_articles(3000, seed=2) + ODD)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join("{oops\n" * (i % 100 == 7) + line for i, line in enumerate(lines)), encoding="utf-8")
    return path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "_STRIDE", 256)


def classify(model: Path, *arguments: object) -> int:
    return cli.main(["classify", "--model", str(model), *map(str, arguments)])


def read_back(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return [unscored(row) for row in pq.read_table(path).to_pylist()]
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    text = content.decode("utf-8")
    if ".jsonl" in path.name:
        return [json.loads(line) for line in text.splitlines()]
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    for row in rows:
        row |= {name: [item for item in row[name].split("|") if item] for name in ("themes", "unsure")}
    return [unscored(row) for row in rows]


def unscored(row: dict[str, Any]) -> dict[str, Any]:
    """Gather the columns of scores, as JSON Lines have them."""
    scores = {name.removeprefix("score."): float(row[name]) for name in row if name.startswith("score.")}
    kept = {name: row[name] for name in ("id", "themes", "primary", "unsure")}
    return kept | {"scores": scores, "none": float(row["none"])}


def test_every_format_says_what_is_printed(model: Path, tmp_path: Path, capsys: Capture) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", make_toy_articles(40) + ODD)
    assert classify(model, "--format", "jsonl", source) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(printed) == 42
    for suffix in SUFFIXES:
        path = tmp_path / "new" / f"out{suffix}"
        assert classify(model, "--output", path, source) == 0
        found = read_back(path)
        found[40]["id"] = found[40]["id"].replace("\ud800", "\\ud800")
        assert found == [*printed[:40], printed[40] | {"id": 'a"b,c\nd\\ud800'}, printed[41]]
        assert sorted(os.listdir(path.parent)) == [path.name]
        path.unlink()
    assert capsys.readouterr() == ("", "")


def test_nothing_in_gives_a_file_with_nothing(model: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "in.jsonl").touch()
    for suffix in SUFFIXES:
        assert classify(model, "--output", tmp_path / f"out{suffix}", tmp_path / "in.jsonl") == 0
        assert read_back(tmp_path / f"out{suffix}") == []


# Runs in a process of its own: forks, is killed at a random write, renaming or removal, is resumed, until it is done.
KILLS = """
import os, random, signal, sys
from pathlib import Path
from pipeline import cli, outputs
outputs._STRIDE = 256
rng, part, arguments, kills = random.Random(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:], 0

def deadly(call):
    def instead(*given, **named):
        global left
        left -= 1
        before = rng.random() < 0.5
        if left == 0 and before:
            os.kill(os.getpid(), signal.SIGKILL)
        call(*given, **named)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return instead

while True:
    left = rng.randint(1, 16)
    child = os.fork()
    if not child:
        rng.seed(left)
        os.fsync, os.replace, Path.unlink = deadly(os.fsync), deadly(os.replace), deadly(Path.unlink)
        outputs.os.replace = os.replace
        os._exit(cli.main(arguments))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != -signal.SIGKILL:
        print(kills, code)
        break
    kills += 1
    if part.exists():
        with part.open("ab") as file:
            file.write(b'{"id": "torn off in the mid')
"""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_killed_again_and_again_it_ends_with_the_bytes_of_a_calm_run(
    model: Path, articles: Path, tmp_path: Path, suffix: str, quick: None, capsys: Capture
) -> None:
    calm, path = tmp_path / f"calm{suffix}", tmp_path / "torn" / f"out{suffix}"
    assert classify(model, "--output", calm, "--errors", tmp_path / "calm.errors", articles) == 2
    reported = [line for line in capsys.readouterr().err.splitlines() if "not JSON" in line]
    assert len(reported) == 30
    arguments = ["classify", "--model", model, "--output", path, "--errors", path.parent / "e", "--resume", articles]
    part = path.with_name(path.name + ".part")
    command = [sys.executable, "-c", KILLS, suffix, part, *arguments]
    done = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    kills, code = map(int, done.stdout.split()[-2:])
    assert kills >= 3
    assert code == 2  # for what the killed runs could not read, too
    assert path.read_bytes() == calm.read_bytes()
    assert (path.parent / "e").read_bytes() == (tmp_path / "calm.errors").read_bytes()
    assert sorted(os.listdir(path.parent)) == ["e", path.name]


@pytest.mark.parametrize(
    ("suffix", "last"), [(".csv", ".part.json"), (".parquet", ".part.json"), (".parquet", ".part")]
)
def test_killed_after_the_last_record_only_the_names_are_left_to_change(
    model: Path, tmp_path: Path, suffix: str, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", [*make_toy_articles(5), {"id": "no text"}])
    path, remove = tmp_path / f"out{suffix}", Path.unlink

    def stop(self: Path) -> None:
        if self.name == f"out{suffix}{last}":
            raise KeyboardInterrupt
        remove(self)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", stop)
        assert classify(model, "--output", path, "--errors", tmp_path / "e", source) == 130
    content = path.read_bytes()
    assert classify(model, "--output", path, "--errors", tmp_path / "e", "--resume", source) == 2
    assert path.read_bytes() == content
    assert len(read_back(path)) == 5
    assert sorted(os.listdir(tmp_path)) == ["e", "in.jsonl", path.name]


def test_killed_from_outside_with_processes(
    model: Path, articles: Path, tmp_path: Path, quick: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    temporary = tmp_path_factory.mktemp("t")
    path, source = tmp_path / "out.jsonl", tmp_path / "more.jsonl"
    source.write_text(articles.read_text(encoding="utf-8") * 6, encoding="utf-8")
    arguments = ["classify", "--model", str(model), "--output", str(path), "--on-error", "skip", str(source)]
    running = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments, "--jobs", "2"],
        cwd=ROOT, env={**os.environ, "TMPDIR": str(temporary)},
    )  # fmt: skip
    while running.poll() is None and not (tmp_path / "out.jsonl.part.json").exists():
        time.sleep(0.01)
    running.kill()
    assert running.wait() == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while [*temporary.glob("security-themes-*")] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not [*temporary.glob("security-themes-*")]
    assert json.loads((tmp_path / "out.jsonl.part.json").read_text(encoding="utf-8"))["records"] % 256 == 0
    assert cli.main([*arguments, "--resume"]) == 0
    assert classify(model, "--output", tmp_path / "calm.jsonl", "--on-error", "skip", source) == 0
    assert path.read_bytes() == (tmp_path / "calm.jsonl").read_bytes()


@pytest.fixture
def stopped(
    model: Path, articles: Path, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> Path:
    """A run that a user interrupted."""
    count = 0

    def interrupt(*given: Any) -> Any:
        nonlocal count
        for answers in classify_records(*given):
            count += 1
            if count == 6:
                raise KeyboardInterrupt
            yield answers

    with monkeypatch.context() as patched:
        patched.setattr(outputs, "classify_records", interrupt)
        assert classify(model, "--output", tmp_path / "out.jsonl", "--on-error", "skip", articles) == 130
    assert f"{tmp_path / 'out.jsonl.part'}: 1280 records are done; go on with --resume" in capsys.readouterr().err
    return tmp_path / "out.jsonl"


def test_an_interrupted_run_is_not_overwritten(model: Path, articles: Path, stopped: Path, capsys: Capture) -> None:
    assert classify(model, "--output", stopped, articles) == 2
    assert "an earlier run stopped after 1280 records; go on with --resume, or delete" in capsys.readouterr().err
    assert not stopped.exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("model", "begun with another model: then "),
        ("input", "begun with another list of inputs: then "),
        ("more", "begun with another list of inputs: then none, now "),
        ("errors", "begun with another file of problems: then none, now "),
        ("checkpoint", "not a checkpoint"),
        ("part", "cut short or removed since"),
    ],
)
def test_another_run_is_not_gone_on_with(
    model: Path, articles: Path, stopped: Path, tmp_path: Path, spoil: str, message: str, capsys: Capture
) -> None:
    saved = stopped.with_name("out.jsonl.part.json")
    content = json.loads(saved.read_text(encoding="utf-8"))
    more: list[object] = []
    if spoil == "model":
        content["run"]["model"] = "0" * 64
    elif spoil == "input":
        content["run"]["list of inputs"][0] = f"{articles} (12 bytes)"
    elif spoil == "more":
        more = [write_jsonl(tmp_path / "more.jsonl", ODD)]
    elif spoil == "errors":
        more = ["--errors", tmp_path / "e"]
    elif spoil == "part":
        stopped.with_name("out.jsonl.part").write_bytes(b"x")
    saved.write_text("{}" if spoil == "checkpoint" else json.dumps(content), encoding="utf-8")
    assert classify(model, "--output", stopped, "--resume", articles, *more) == 2
    assert message in capsys.readouterr().err
    assert not stopped.exists()


def test_records_that_cannot_be_read(model: Path, articles: Path, tmp_path: Path, quick: None, capsys: Capture) -> None:
    errors = tmp_path / "errors.jsonl"
    (tmp_path / "b.jsonl.gz").write_bytes(b"no archive")
    assert classify(model, "--output", tmp_path / "r.jsonl", "--errors", errors, articles, tmp_path / "b.jsonl.gz") == 2
    captured = capsys.readouterr().err
    problems = [json.loads(line) for line in errors.read_text(encoding="utf-8").splitlines()]
    assert [problem["source"] for problem in problems[:2]] == [f"{articles}:8", f"{articles}:109"]
    assert problems[-1]["source"] == str(tmp_path / "b.jsonl.gz")
    assert f"{articles}:8: {problems[0]['problem']}" in captured
    assert f"error: {tmp_path / 'b.jsonl.gz'}: cannot read" in captured
    assert classify(model, "--output", tmp_path / "s.jsonl", "--on-error", "skip", articles) == 0
    captured = capsys.readouterr().err
    assert "not JSON" not in captured
    assert "30 of 3032 records could not be read" in captured
    assert (tmp_path / "s.jsonl").read_bytes() == (tmp_path / "r.jsonl").read_bytes()


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_said_comes_in_the_order_of_the_input(model: Path, tmp_path: Path, jobs: int, capsys: Capture) -> None:
    lines = ['{"text": "La police annonce"}', "no JSON", '{"text": "بحر"}', '{"text": ""}', '{"text": 5}']
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join(lines), encoding="utf-8")
    assert classify(model, "--output", tmp_path / "o.csv", "--jobs", jobs, source) == 2
    *said, last = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[:2] for line in said] == [
        [f"{source}:1", "warning"],
        [f"{source}:2", "not JSON (Expecting value"],
        [f"{source}:4", "warning"],
        [f"{source}:5", "'title' and 'text' must be texts; write them in quotation marks"],
    ]
    assert last == "2 of 5 records could not be read"


def test_it_stops_at_the_first_and_keeps_what_came_before(
    model: Path, articles: Path, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "f.csv"
    assert classify(model, "--output", path, "--on-error", "fail", articles) == 2
    assert f"error: {articles}:8: not JSON" in capsys.readouterr().err
    assert [line.split(b",")[0] for line in (tmp_path / "f.csv.part").read_bytes().splitlines()] == [
        b"id",
        *(f"toy-{i:03}".encode() for i in range(7)),
    ]
    assert classify(model, "--output", path, "--on-error", "skip", "--resume", articles) == 0
    assert classify(model, "--output", tmp_path / "s.csv", "--on-error", "skip", articles) == 0
    assert path.read_bytes() == (tmp_path / "s.csv").read_bytes()


def test_problems_of_what_is_printed(model: Path, articles: Path, tmp_path: Path, capsys: Capture) -> None:
    assert classify(model, "--errors", tmp_path / "e", "--on-error", "skip", articles) == 0
    assert len((tmp_path / "e").read_text(encoding="utf-8").splitlines()) == 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output", "out.txt"], "out.txt: cannot write files of this kind"),
        (["--output", "in.jsonl"], "in.jsonl: this is one of the inputs"),
        (["--output", "out.csv", "--resume", "--", "-"], "standard input cannot be read again"),
        (["--resume"], "--resume needs --output FILE"),
    ],
)
def test_what_cannot_be_is_refused(
    model: Path, tmp_path: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "in.jsonl", ODD)
    assert classify(model, *arguments, "in.jsonl") == 2
    assert f"error: {message}" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["in.jsonl"]


def test_two_runs_do_not_write_to_one_file(model: Path, articles: Path, tmp_path: Path, capsys: Capture) -> None:
    other = PartFile(tmp_path / "out.jsonl")
    assert classify(model, "--output", tmp_path / "out.jsonl", articles) == 2
    assert "out.jsonl.part: another run is writing here" in capsys.readouterr().err
    other.close()


def test_the_bar_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal in (True, False):
        screen = io.StringIO()
        monkeypatch.setattr(screen, "isatty", lambda terminal=terminal: terminal)
        monkeypatch.setattr(sys, "stderr", screen)
        with article_bar(100) as show:
            show(400, 1000)
        assert ("400/1000" in screen.getvalue()) == terminal
        assert ("articles/s" in screen.getvalue()) == terminal
