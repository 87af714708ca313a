import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.config import Config
from pipeline.train import train

from .conftest import ROOT, make_toy_articles, write_jsonl

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def model(toy_config: Config, tmp_path: Path) -> Path:
    return train(toy_config, tmp_path / "models").path


def jsonl(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_train_says_what_it_did_and_what_to_type_next(toy_project: Path, tmp_path: Path, capsys: Capture) -> None:
    quick, out = str(toy_project / "quick.toml"), str(tmp_path / "out")
    assert cli.main(["train", "--config", quick, "--output", out, "--no-tracking"]) == 0
    captured = capsys.readouterr()
    assert "make classify ARTICLES=FILE" in captured.out
    assert "ahead of textbook" in captured.out
    assert "cross-validation" in captured.err
    assert (tmp_path / "out/security-themes.json").exists()


def test_train_on_other_articles(toy_project: Path, tmp_path: Path, capsys: Capture) -> None:
    mine = write_jsonl(tmp_path / "mine.jsonl", make_toy_articles(60, seed=9))
    arguments = ["--config", str(toy_project / "quick.toml"), "--output", str(tmp_path / "out"), "--no-tracking"]
    assert cli.main(["train", *arguments, "--articles", str(mine)]) == 0
    card = json.loads((tmp_path / "out/security-themes.json").read_text(encoding="utf-8"))
    assert card["corpus"]["articles"] == 60
    assert card["config"]["data"]["articles"] == [str(mine)]


def test_validate_counts_or_lists_the_problems(toy_project: Path, capsys: Capture) -> None:
    quick = str(toy_project / "quick.toml")
    assert cli.main(["validate", "--config", quick]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "sea              40"
    bad = write_jsonl(toy_project / "bad.jsonl", [{"id": "1", "title": "", "text": "نص", "themes": "sea"}])
    assert cli.main(["validate", "--config", quick, str(bad)]) == 2
    assert f"{bad}:1: 'themes' is the bare text 'sea'" in capsys.readouterr().err


def test_evaluate_json_holds_what_was_promised(model: Path, toy_project: Path, capsys: Capture) -> None:
    path = write_jsonl(toy_project / "gold.jsonl", make_toy_articles(40, seed=3))
    assert (
        cli.main(["evaluate", "--model", str(model), "--articles", str(path), "--format", "json", "--baselines"]) == 0
    )
    result = json.loads(capsys.readouterr().out)
    assert {"f1_micro", "f1_macro", "f1_none", "n", "themes"} <= result.keys()
    assert result["n"] == 40
    assert {"support", "precision", "recall", "f1", "threshold"} <= result["themes"]["sea"].keys()
    assert result["f1_micro"] > 0.9
    assert set(result["baselines"]) == {"keywords", "textbook"}


def test_evaluate_needs_labels(model: Path, tmp_path: Path, capsys: Capture) -> None:
    path = write_jsonl(tmp_path / "gold.jsonl", [{"id": "1", "title": "", "text": "نص"}])
    assert cli.main(["evaluate", "--model", str(model), "--articles", str(path)]) == 2
    assert "no field 'themes'" in capsys.readouterr().err


def test_classify_jsonl_of_every_kind_of_file(model: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "a.txt").write_text("ميناء سفينة بحر قارب صياد", encoding="utf-8")
    (tmp_path / "b.csv").write_text("id,title,text\n7,مطار,طائرة جناح طيار سحاب\n", encoding="utf-8")
    write_jsonl(tmp_path / "c.jsonl", [{"text": "خبز سوق كتاب"}, {"id": 9, "title": "ميناء سفينة بحر", "text": ""}])
    paths = [str(tmp_path / name) for name in ("a.txt", "b.csv", "c.jsonl")]
    assert cli.main(["classify", "--model", str(model), "--format", "jsonl", *paths]) == 0
    rows = jsonl(capsys.readouterr().out)
    assert [row["id"] for row in rows] == [paths[0], "7", f"{paths[2]}:1", "9"]
    assert [row["primary"] for row in rows] == ["sea", "sky", "none", "sea"]
    assert list(rows[0]) == ["id", "themes", "primary", "scores", "none", "unsure"]
    assert list(rows[0]["scores"]) == ["sea", "sky"]


def test_classify_table_shows_arabic_names(model: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "a.txt").write_text("ميناء سفينة بحر قارب صياد", encoding="utf-8")
    (tmp_path / "b.txt").write_text("خبز سوق كتاب", encoding="utf-8")
    assert cli.main(["classify", "--model", str(model), str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[0::2] == ["sea", "ميناء"]
    assert lines[3].split()[0::2][:2] == ["none", "nearest:"]


def test_a_bad_line_does_not_keep_the_others(model: Path, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "ميناء سفينة بحر"}\n{oops\n{"text": 5}\n{"id": "x"}\n{"text": "خبز"}\n', encoding="utf-8")
    assert cli.main(["classify", "--model", str(model), "--format", "jsonl", str(path)]) == 2
    captured = capsys.readouterr()
    assert [row["id"] for row in jsonl(captured.out)] == [f"{path}:1", f"{path}:5"]
    for part in (":2: not JSON", ":3: 'title' and 'text' must be texts", ':4: no field "text"'):
        assert f"{path}{part}" in captured.err


@pytest.mark.parametrize("text", ["", "12345", "only Latin", "Ø§Ù„Ø£Ù…Ù†", "\x00", "\ud800"])
def test_text_that_cannot_be_judged_is_none_with_a_warning(
    model: Path, tmp_path: Path, text: str, capsys: Capture
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"id": text, "text": text}) + "\n", encoding="utf-8")
    assert cli.main(["classify", "--model", str(model), "--format", "jsonl", str(path)]) == 0
    captured = capsys.readouterr()
    (row,) = jsonl(captured.out)
    assert row["primary"] == "none"
    assert f"{path}:1: warning: {row['unsure'][0]}" in captured.err
    assert cli.main(["classify", "--model", str(model), str(path)]) == 0
    assert f"    unsure: {row['unsure'][0]}" in capsys.readouterr().out


def test_standard_input(model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("ميناء سفينة بحر قارب".encode())))
    assert cli.main(["classify", "--model", str(model), "--format", "jsonl"]) == 0
    assert jsonl(capsys.readouterr().out)[0]["id"] == "stdin"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["classify", "no.txt"], "no.txt: no such file"),
        (["classify", "--model", "no.joblib", "a.txt"], "no.joblib: no such model"),
        (["evaluate", "--articles", "no.jsonl"], "no.jsonl: no such file"),
        (["train", "--config", "no.toml"], "no.toml: cannot read the configuration"),
        (["train", "--articles", "no.jsonl", "--no-tracking"], "no.jsonl: no such file"),
        (["validate", "no"], "no: no such file or folder"),
        (["log", "no.joblib"], "no.joblib: no such model"),
        (["export", "--model", "no.joblib", "--output", "out"], "no.joblib: no such model"),
        (["inspect", "no.joblib"], "no.joblib: cannot read: No such file"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_one_line(
    toy_project: Path, model: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str, capsys: Capture
) -> None:
    monkeypatch.chdir(toy_project)
    if "--config" not in arguments and arguments[0] in ("train", "validate"):
        arguments = [*arguments, "--config", "quick.toml"]
    if "--model" not in arguments and arguments[0] in ("classify", "evaluate"):
        arguments = [*arguments, "--model", str(model)]
    capsys.readouterr()
    assert cli.main(arguments) == 2
    assert f"error: {message}" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["classfy"], ["evaluate"], ["classify", "--format", "xml"]])
def test_wrong_words_are_exit_code_2(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)


def test_no_standard_input(model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert cli.main(["classify", "--model", str(model), "-"]) == 2
    assert "error: no standard input; name a file" in capsys.readouterr().err


def test_an_empty_file_is_said_to_be_empty(model: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "a.jsonl").touch()
    assert cli.main(["classify", "--model", str(model), str(tmp_path / "a.jsonl")]) == 0
    assert f"{tmp_path / 'a.jsonl'}: warning: no articles" in capsys.readouterr().err


def test_no_right_to_read(model: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.touch()
    opened = Path.open

    def refuse(self: Path, *arguments: Any, **options: Any) -> Any:  # root, who runs tests in containers, may read all
        if self == path:
            raise PermissionError(13, "Permission denied")
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    assert cli.main(["classify", "--model", str(model), str(path)]) == 2
    assert "Permission denied" in capsys.readouterr().err


def test_an_unwritable_output_is_one_line(toy_project: Path, capsys: Capture) -> None:
    (toy_project / "file").touch()
    arguments = ["--config", str(toy_project / "quick.toml"), "--output", str(toy_project / "file"), "--no-tracking"]
    assert cli.main(["train", *arguments]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_interrupted(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr("pipeline.config.read_config", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert cli.main(["validate"]) == 130
    assert "the model on disk is whole" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error(model: Path, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "many.jsonl", make_toy_articles(4000))
    command = f"{sys.executable} -m pipeline classify --model {model} --format jsonl {path} | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(jsonl(done.stdout)) == 1


def test_a_file_that_cannot_be_read_does_not_keep_the_others(model: Path, tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "new"
    write_jsonl(folder / "b.jsonl", [{"id": "b", "text": "ميناء سفينة بحر"}])
    (folder / "a.jsonl.gz").write_bytes(b"no archive")
    assert cli.main(["classify", "--model", str(model), "--format", "jsonl", str(folder)]) == 2
    captured = capsys.readouterr()
    assert f"error: {folder / 'a.jsonl.gz'}: cannot read" in captured.err
    assert [row["id"] for row in jsonl(captured.out)] == ["b"]


def test_many_articles_of_one_file_keep_their_order(model: Path, tmp_path: Path, capsys: Capture) -> None:
    path = write_jsonl(tmp_path / "many.jsonl", make_toy_articles(600))  # more than two batches
    assert cli.main(["classify", "--model", str(model), "--format", "jsonl", str(path)]) == 0
    assert [row["id"] for row in jsonl(capsys.readouterr().out)] == [f"toy-{i:03}" for i in range(600)]


def shell(command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, **options)


def test_closed_streams(model: Path, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"text": "only Latin"}])
    command = f"{sys.executable} -m pipeline classify --model {model} --format jsonl {path}"
    without_errors = shell(f"{command} 2>&-")
    assert [row["primary"] for row in jsonl(without_errors.stdout)] == ["none"]  # and no warning among the answers
    without_output = shell(f"{command} >&-")
    assert (without_output.returncode, without_output.stdout) == (0, "")
    assert "Traceback" not in without_output.stderr
    twice = shell(f"echo بحر | {sys.executable} -m pipeline classify --model {model} - -")
    assert (twice.returncode, twice.stdout.count("stdin")) == (0, 1), twice.stderr


def test_a_run_is_logged_though_nobody_reads_the_figures(toy_project: Path) -> None:
    command = f"{sys.executable} -m pipeline train --config quick.toml --output models | true"
    done = shell(command, cwd=toy_project, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert "logging the run to MLflow" in done.stderr
    assert "Traceback" not in done.stderr
    assert (toy_project / "mlflow.db").exists()


def test_evaluate_warns_of_articles_the_model_was_trained_on(
    model: Path, toy_project: Path, tmp_path: Path, capsys: Capture
) -> None:
    known, new = make_toy_articles(80)[0], make_toy_articles(20, seed=4)[1]
    known |= {"text": known["text"].replace("ا", "اَ")}  # the same but for vowel signs
    path = write_jsonl(tmp_path / "gold.jsonl", [known, new])
    assert cli.main(["evaluate", "--model", str(model), "--articles", str(path)]) == 0
    assert "warning: the model was trained on 1 of these 2 articles" in capsys.readouterr().err


@pytest.mark.parametrize(("lost", "code"), [("corpus", 0), ("config", 2)])
def test_evaluate_with_the_card_of_another_version(
    model: Path, toy_project: Path, lost: str, code: int, capsys: Capture
) -> None:
    card = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
    del card[lost]
    model.with_suffix(".json").write_text(json.dumps(card), encoding="utf-8")
    gold = write_jsonl(toy_project / "gold.jsonl", make_toy_articles(20, seed=4))
    assert cli.main(["evaluate", "--model", str(model), "--articles", str(gold)]) == code
    assert ("no section [data]" in capsys.readouterr().err) == bool(code)


def test_ablate_with_more_folds_than_articles_is_one_line(toy_project: Path, capsys: Capture) -> None:
    quick = toy_project / "quick.toml"
    quick.write_text(quick.read_text().replace("[classifier]\nfolds = 2", "[classifier]\nfolds = 20"))
    write_jsonl(toy_project / "articles" / "toy.jsonl", make_toy_articles(44))
    assert cli.main(["ablate", "--config", str(quick)]) == 2
    assert "error: these articles cannot be split and trained on" in capsys.readouterr().err


def test_ablate_measures_every_alternative(toy_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr("pipeline.ablate._CHOICES", {"classifier": {"naive Bayes": {"learner": "complement_nb"}}})
    quick = toy_project / "quick.toml"
    gold = write_jsonl(toy_project / "gold.jsonl", make_toy_articles(20, seed=4))
    assert cli.main(["ablate", "--config", str(quick), "--articles", str(gold)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| as configured | ")
    assert lines[3].startswith("| naive Bayes | ")
    assert sum(line.startswith("| without ") for line in lines) == 17
