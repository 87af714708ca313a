"""Logging, comparing, promoting: one story, told against SQLite and against a server on the loopback.

It runs in a process of its own, for MLflow warns, patches and registers things when imported; and from a git repository
of its own, for a promotion asks which commit a model was made from.
"""

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, make_toy_articles, write_jsonl, write_toy_project

STORY = """
import contextlib, io, json, sys
from pathlib import Path
from pipeline import classify, load_model
from pipeline.artifact import file_hash
from pipeline.cli import main

told = {}

def tell(name, *arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    told[name] = {"code": code, "out": out.getvalue(), "err": err.getvalue()}
    return out.getvalue()

def train(name, *arguments):
    out = tell(f"train {name}", "train", "--config", "quick.toml", "--output", f"models/{name}", *arguments)
    return next(line.split()[1].rstrip(";") for line in out.splitlines() if line.startswith("run "))

first = train("first")
again = train("again")
shuffled = train("shuffled", "--articles", "shuffled.jsonl")
tell("same", "compare", first, again)
tell("no champion", "compare", "champion", first)
tell("other data", "compare", first, shuffled)
tell("worse", "compare", first, shuffled, "--articles", "others.jsonl")
tell("learned from", "compare", first, again, "--articles", "articles")
tell("promoted", "promote", first[:10])
tell("is champion", "promote", first)
tell("refused", "promote", shuffled, "--articles", "others.jsonl")
Path("pipeline/stray.py").write_text("# not committed")
dirty = train("dirty")
Path("pipeline/stray.py").unlink()
tell("refused dirty", "promote", dirty)
tell("overridden", "promote", dirty, "--override", "a trial")
tell("back", "promote", "--rollback")
from pipeline import registry
kept, registry.model_hash = registry.model_hash, lambda model: "0" * 64
tell("other bytes", "promote", again)
registry.model_hash = kept
tell("searched", "search", "--config", "quick.toml", "--trials", "2", "--output", "models/search")
tell("previous", "compare", "champion", "previous")
tell("nobody", "compare", "champion", "nobody")
tell("measured", "evaluate", "--model", "models/first/security-themes.joblib", "--articles", "others.jsonl",
     "--log", "others")

import mlflow, pandas
client = mlflow.MlflowClient()
run = client.get_run(first)
told["first run"] = {
    "name": run.info.run_name, "metrics": run.data.metrics, "params": run.data.params, "tags": run.data.tags,
    "inputs": {i.tags[0].value: i.dataset.name for i in run.inputs.dataset_inputs},
    "report": [file.path for file in client.list_artifacts(first, "report")],
    "children": [child.info.run_name for child in mlflow.search_runs(
        [run.info.experiment_id], f"tags.mlflow.parentRunId = '{first}'", output_format="list")],
}
(search,) = mlflow.search_runs(search_all_experiments=True, filter_string="tags.search != ''", output_format="list")
told["trials"] = sorted(child.info.run_name for child in mlflow.search_runs(
    search_all_experiments=True, filter_string=f"tags.mlflow.parentRunId = '{search.info.run_id}'",
    output_format="list"))
champion = client.get_model_version_by_alias("security-themes", "champion")
told["champion"] = {"run": champion.run_id, "tags": champion.tags, "description": champion.description}
overridden = client.get_model_version_by_alias("security-themes", "previous")
told["overridden tags"] = overridden.tags
told["tags of shuffled"] = client.get_run(shuffled).data.tags

texts = ["سفينة في ميناء", "طائرة في مطار", "خبز"]
ours = classify(load_model("models/first/security-themes.joblib"), texts)
told["from the registry"] = classify(load_model("models:/security-themes@champion"), texts) == ours
served = mlflow.pyfunc.load_model("models:/security-themes@champion").predict(pandas.DataFrame({"text": texts}))
told["served"] = [served["primary"].tolist(), [p.primary for p in ours],
                  served["scores"].tolist() == [p.scores for p in ours],
                  served["themes"].tolist() == [list(p.themes) for p in ours]]
folder = Path(mlflow.artifacts.download_artifacts("models:/security-themes@champion", dst_path="fetched"))
(logged,) = folder.rglob("*.joblib")
told["same bytes"] = file_hash(logged) == file_hash(Path("models/first/security-themes.joblib"))

tell("exported", "export", "--model", "models:/security-themes@champion", "--output", "exported")
told["exported bytes"] = file_hash(Path("exported/security-themes.joblib")) == file_hash(logged)

def die(*arguments, **options):
    raise ConnectionError("the store went away")

kept, mlflow.log_artifacts = mlflow.log_artifacts, die
tell("broken off", "train", "--config", "quick.toml", "--output", "models/late", "--set", "classifier.C=2")
mlflow.log_artifacts = kept
tell("later", "log", "models/late/security-themes.json")
sha = file_hash(Path("models/late/security-themes.joblib"))
told["late runs"] = [run.data.tags["logged_whole"] for run in mlflow.search_runs(
    search_all_experiments=True, filter_string=f"tags.model_sha256 = '{sha}'", output_format="list")]
json.dump({"told": told, "first": first, "again": again, "shuffled": shuffled, "dirty": dirty}, open("told.json", "w"))
"""


def free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", "sqlite:///store.db", "--artifacts-destination", "artifacts"]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(240):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
                break
            time.sleep(0.25)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def shuffle_labels(rows: list[dict[str, Any]], theme: str) -> list[dict[str, Any]]:
    """Give a theme to as many articles as have it, but to any."""
    held = [theme in row["themes"] for row in rows]
    random.Random(0).shuffle(held)
    return [
        row | {"themes": sorted({*row["themes"]} - {theme} | ({theme} if has else set()))}
        for row, has in zip(rows, held, strict=True)
    ]


@pytest.fixture(scope="module", params=["sqlite", "server"])
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copytree(ROOT / "pipeline", folder / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".gitignore").write_text(
        "__pycache__/\nmodels/\nfetched/\nexported/\n*.db\nmlruns/\n*.log\nartifacts/\ntold.json\n"
    )
    write_toy_project(folder, n_articles=160)
    rows = make_toy_articles(160)
    write_jsonl(folder / "shuffled.jsonl", shuffle_labels(rows, "sea"))
    write_jsonl(folder / "others.jsonl", [row | {"id": f"other-{row['id']}"} for row in make_toy_articles(200, seed=9)])
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "a"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    with contextlib.ExitStack() as stack:
        away = stack.enter_context(server(tmp_path_factory.mktemp("store"))) if request.param == "server" else ""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
        environment |= {"PYTHONPATH": str(folder)} | ({"MLFLOW_TRACKING_URI": away} if away else {})
        done = subprocess.run(
            [sys.executable, "-c", STORY], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    return {**told, **told["told"]}


def test_two_runs_of_the_same_are_no_evidence(story: dict[str, Any]) -> None:
    same = story["same"]
    assert (same["code"], same["err"].count("Traceback")) == (0, 0)
    assert "NO EVIDENCE" in same["out"]
    assert "0 articles are answered otherwise" in same["out"]
    assert same["out"].count("+0.000  [+0.000 to +0.000]") == 5


def test_shuffled_labels_are_worse_on_that_theme_and_refused(story: dict[str, Any]) -> None:
    assert "WORSE: lower beyond chance: sea" in story["worse"]["out"]
    assert story["tags of shuffled"][f"compared_with.{story['first'][:8]}"] == "worse"
    assert story["refused"]["code"] == 1
    assert "worse than the champion, lower beyond chance: sea" in story["refused"]["err"]
    assert '--override "why"' in story["refused"]["err"]


def test_other_data_is_refused_with_the_reason(story: dict[str, Any]) -> None:
    assert story["other data"]["code"] == 2
    assert "were measured on different data" in story["other data"]["err"]
    assert "--articles PATH" in story["other data"]["err"]
    assert story["learned from"]["code"] == 2
    assert "has learned from 160 of these 160 articles" in story["learned from"]["err"]


def test_a_promotion_needs_a_clean_tree_unless_overridden(story: dict[str, Any]) -> None:
    assert story["promoted"]["code"] == 0, story["promoted"]["err"]
    assert "is version 1 of security-themes and its champion" in story["promoted"]["out"]
    assert "champion already" in story["is champion"]["out"]
    assert story["refused dirty"]["code"] == 1
    assert "changes that no commit holds" in story["refused dirty"]["err"]
    assert "version 1 is previous now" in story["overridden"]["out"]
    assert story["overridden tags"]["override"] == "a trial"
    assert "no commit holds" in story["overridden tags"]["overridden"]


def test_a_run_that_does_not_reproduce_is_refused(story: dict[str, Any]) -> None:
    assert story["other bytes"]["code"] == 1
    assert "does not reproduce: trained again it has sha256 000000000000…" in story["other bytes"]["err"]


def test_trials_of_a_search_are_child_runs(story: dict[str, Any]) -> None:
    assert story["searched"]["code"] == 0, story["searched"]["err"]
    assert story["trials"] == ["trial 0, complete", "trial 1, complete"]


def test_rolling_back(story: dict[str, Any]) -> None:
    assert story["back"]["code"] == 0
    assert story["champion"]["run"] == story["first"]
    assert story["previous"]["code"] == 0
    assert f"({story['dirty'][:8]})\nbeside" in story["previous"]["out"]


def test_names_that_lead_nowhere(story: dict[str, Any]) -> None:
    assert story["no champion"]["code"] == 2
    assert "no champion yet" in story["no champion"]["err"]
    assert story["nobody"]["code"] == 2
    assert "no run 'nobody'" in story["nobody"]["err"]


def test_a_run_tells_its_story(story: dict[str, Any]) -> None:
    run = story["first run"]
    assert run["name"].startswith("split.folds=2, classifier.folds=2")
    assert run["name"].endswith("160 articles")
    assert run["params"]["classifier.learner"] == "svm"
    assert run["tags"]["git_dirty"] == "no"
    assert len(run["tags"]["mlflow.source.git.commit"]) == 40
    for name in ("corpus", "config", "model", "themes"):
        assert len(run["tags"][f"{name}_sha256"]) == 64
    assert set(run["inputs"]) == {"training", "validation", "test"}
    assert {
        "f1_macro", "f1.sea", "f1.sea.low", "f1.sea.high", "average_precision.sky", "calibration_error", "features",
        "test.f1_micro", "test.keywords.f1_micro", "seconds.validation", "peak_memory_mb.final_model",
        "seconds.all", "p50_ms.one_article", "others.f1_macro", "others.f1.sea.low",
    } <= run["metrics"].keys()  # fmt: skip
    assert "report/themes.png" in run["report"]
    assert run["children"] == ["fold 2", "fold 1"]
    assert "| ميناء |" in story["champion"]["description"]


def test_the_registered_model_is_the_very_model(story: dict[str, Any]) -> None:
    assert story["from the registry"]
    assert story["same bytes"]
    assert story["exported"]["code"] == 0
    assert story["exported bytes"]
    served, ours, *same = story["served"]
    assert served == ours
    assert same == [True, True]


def test_a_store_that_dies_loses_nothing(story: dict[str, Any]) -> None:
    assert story["broken off"]["code"] == 1
    assert "the store went away" in story["broken off"]["err"]
    assert "python -m pipeline log models/late/security-themes.json" in story["broken off"]["err"]
    assert story["later"]["code"] == 0
    assert story["late runs"] == ["yes"]
