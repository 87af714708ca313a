import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib import parallel_config

from pipeline import cli, search
from pipeline.classifier import ThemeClassifier
from pipeline.compare import MODEL, cross_validate
from pipeline.config import Config, change, read_config
from pipeline.corpus import find_files
from pipeline.errors import DataError
from pipeline.evaluate import evaluate
from pipeline.themes import read_taxonomy
from pipeline.train import hold_out, label
from pipeline.validate import load_corpus

from .conftest import ROOT, make_toy_articles, write_jsonl

KILLED_AT_A_MODEL = """
import os, signal, sys
from pathlib import Path
from pipeline import search
from pipeline.config import read_config

build, built = search.build_model, []

def build_or_die(*arguments):
    built.append(1)
    if len(built) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return build(*arguments)

search.build_model = build_or_die
search.search(read_config(Path(sys.argv[1])), Path(sys.argv[2]), n_trials=3)
"""


@pytest.fixture
def hard_config(toy_config: Config, toy_project: Path) -> Config:
    """Articles of which every fifth has the themes of another, so that scores differ from trial to trial."""
    rows = make_toy_articles(120)
    for i in range(0, 120, 5):
        rows[i]["themes"] = rows[(i + 1) % 120]["themes"]
    write_jsonl(toy_project / "articles" / "toy.jsonl", rows)
    return toy_config


def scores(found: search.Found) -> list[tuple[str, dict[str, Any], tuple[float, ...]]]:
    return [(trial.state, trial.settings, trial.scores) for trial in found.trials if trial.state != "fail"]


def test_the_first_trial_is_the_configuration_as_it_stands(hard_config: Config, tmp_path: Path) -> None:
    unusual = change(hard_config, {"classifier.C": 77.0, "classifier.learner": "nbsvm", "features.min_df": 5})
    found = search.search(unusual, tmp_path / "out", n_trials=2)
    assert found.trials[0] == found.standing
    assert change(unusual, found.standing.settings) == unusual
    assert found.standing.settings["classifier.C"] == 77
    assert len({str(trial.settings) for trial in found.trials}) == 2
    assert all(trial.score == trial.scores[-1] and trial.seconds for trial in found.trials)


def test_the_saved_settings_give_the_score_again(hard_config: Config, tmp_path: Path) -> None:
    found = search.search(hard_config, tmp_path / "out", n_trials=4)
    assert found.best.score == max(trial.score or 0 for trial in found.trials)
    config = read_config(found.path)
    assert config == change(hard_config, found.best.settings)
    taxonomy = read_taxonomy(Path(config.data.themes))
    corpus = load_corpus(config.data.articles, taxonomy, config.validation)
    rest = label(corpus, taxonomy)[~hold_out(corpus, config.split)]
    predictions = cross_validate(config, taxonomy, rest)[MODEL].predictions
    assert evaluate(taxonomy.names, rest.labels, predictions, resamples=1).f1_macro.value == found.best.score


def test_held_out_articles_change_nothing(hard_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    fit, predict = ThemeClassifier.fit, ThemeClassifier.predict

    def watch_fit(self: Any, texts: Any, *arguments: Any) -> Any:
        seen.update(texts)
        return fit(self, texts, *arguments)

    def watch_predict(self: Any, texts: Any) -> Any:
        seen.update(texts)
        return predict(self, texts)

    monkeypatch.setattr(ThemeClassifier, "fit", watch_fit)
    monkeypatch.setattr(ThemeClassifier, "predict", watch_predict)
    before = search.search(hard_config, tmp_path / "before", n_trials=3)

    corpus = load_corpus(
        hard_config.data.articles, read_taxonomy(Path(hard_config.data.themes)), hard_config.validation
    )
    is_test = hold_out(corpus, hard_config.split)
    held = [article for article, out in zip(corpus.articles, is_test, strict=True) if out]
    assert seen == {article.full_text for article in corpus.articles} - {article.full_text for article in held}

    path = find_files(hard_config.data.articles)[0]
    rows = sorted(map(json.loads, path.read_text(encoding="utf-8").splitlines()), key=lambda row: row["id"])
    for i in np.flatnonzero(is_test).tolist():
        rows[i] |= {"text": f"نص آخر رقم {i} " + "كلام " * i, "themes": ["sea", "sky"]}
    write_jsonl(path, rows)
    assert scores(search.search(hard_config, tmp_path / "after", n_trials=3)) == scores(before)


@pytest.mark.parametrize(("model", "trial"), [(2, 0), (4, 1)])  # two folds, so two models a trial
def test_killed_it_goes_on_as_if_nothing_had_been(
    model: int, trial: int, hard_config: Config, toy_project: Path, tmp_path: Path
) -> None:
    quick, out = toy_project / "quick.toml", tmp_path / "out"
    command = [sys.executable, "-c", KILLED_AT_A_MODEL, str(quick), str(out), str(model)]
    killed = subprocess.run(command, cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    with (out / "trials.log").open("a", encoding="utf-8") as journal:
        journal.write('{"op_code":')  # a kill while it was being written
    found = search.search(hard_config, out, n_trials=3)
    assert [each.state == "fail" for each in found.trials] == [number == trial for number in range(4)]
    assert found.trials[trial].settings == found.trials[trial + 1].settings
    assert scores(found) == scores(search.search(hard_config, tmp_path / "other", n_trials=3))
    again = search.search(hard_config, out, n_trials=3)
    assert again == found  # nothing more to do
    nothing: Any = None  # a worker of the killed session that is still there
    search._run_trial(out / "trials.log", 1, 3, hard_config, nothing, nothing, nothing)
    assert search.trials(search._open(out / "trials.log")) == found.trials


def test_several_workers(hard_config: Config, tmp_path: Path) -> None:
    with parallel_config(n_jobs=2):
        found = search.search(hard_config, tmp_path / "out", n_trials=4)
    alone = search.search(hard_config, tmp_path / "alone", n_trials=1)
    assert [trial.state for trial in found.trials] == ["complete"] * 4
    assert len({str(trial.settings) for trial in found.trials}) == 4
    assert found.standing.scores == alone.standing.scores


def test_pruned_trials_count(hard_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_STARTUP", 1)
    monkeypatch.setattr(search, "_cross_validate", lambda config, *_: [0.9, 0.8] if config == hard_config else [0.7, 1])
    found = search.search(hard_config, tmp_path / "out", n_trials=3)
    assert [(trial.state, trial.score) for trial in found.trials] == [
        ("complete", 0.8),
        ("pruned", None),
        ("pruned", None),
    ]
    assert [trial.scores for trial in found.trials] == [(0.9, 0.8), (0.7,), (0.7,)]
    assert found.best == found.standing
    assert "3 trials, 2 of them pruned" in search.format_found(found)


def test_the_standing_configuration_is_not_pruned(
    hard_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optuna.pruners.MedianPruner.prune", lambda *_: True)
    found = search.search(hard_config, tmp_path / "out", n_trials=2)
    assert [trial.state for trial in found.trials] == ["complete", "pruned"]


def test_a_search_of_something_else_is_not_gone_on_with(hard_config: Config, toy_project: Path, tmp_path: Path) -> None:
    search.search(hard_config, tmp_path, n_trials=1)
    other = replace(hard_config, classifier=replace(hard_config.classifier, C=2.0))
    with pytest.raises(DataError, match=r"trials.log: a search begun with other \[classifier\] C; put back"):
        search.search(other, tmp_path, n_trials=2)
    write_jsonl(toy_project / "articles" / "toy.jsonl", make_toy_articles(80))
    with pytest.raises(DataError, match=r"begun with other articles; .* name another --output"):
        search.search(hard_config, tmp_path, n_trials=2)
    (tmp_path / "trials.log").write_text("no journal\n{}\n", encoding="utf-8")
    with pytest.raises(DataError, match="damaged"):
        search.search(hard_config, tmp_path, n_trials=2)


def test_one_search_a_folder(hard_config: Config, tmp_path: Path) -> None:
    with search._alone(tmp_path / "trials.log"), pytest.raises(DataError, match="another search is running here"):
        search.search(hard_config, tmp_path, n_trials=1)


def test_the_command(hard_config: Config, toy_project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["search", "--config", str(toy_project / "quick.toml"), "--output", str(toy_project / "out")]
    assert cli.main([*arguments, "--trials", "0"]) == 2
    assert cli.main([*arguments, "--trials", "2", "--no-tracking"]) == 0
    captured = capsys.readouterr()
    assert "as configured" in captured.out
    assert "ahead by" in captured.out
    assert "partly luck" in captured.out
    assert captured.out.endswith(f"train --config {toy_project / 'out' / 'best.toml'}\n")
    assert "Trial" not in captured.err  # Optuna is silent, and there is no bar without a terminal
    assert "/2" not in captured.err
