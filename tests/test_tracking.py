"""MLflow is used in processes of their own: it warns, patches and registers things when imported."""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from pipeline.artifact import file_hash
from pipeline.config import Config
from pipeline.train import Trained, train

from .test_registry import free_port

READ_BACK = """
import json, mlflow, sys
mlflow.set_tracking_uri("sqlite:///mlflow.db")
(run,) = mlflow.search_runs(
    experiment_names=["security-themes"], filter_string="tags.logged_whole = 'yes'", output_format="list"
)
client = mlflow.MlflowClient()
folders = [folder.path for folder in client.list_artifacts(run.info.run_id) if folder.is_dir]
files = [file.path for folder in folders for file in client.list_artifacts(run.info.run_id, folder)]
print(json.dumps({"metrics": run.data.metrics, "params": run.data.params, "tags": run.data.tags, "files": files}))
"""


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=clean | environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def model(toy_config: Config, tmp_path: Path) -> Trained:
    return train(toy_config, tmp_path / "models")


def test_a_run_holds_settings_metrics_and_files(model: Trained, tmp_path: Path) -> None:
    logged = run(tmp_path, "-m", "pipeline", "log", str(model.path))
    assert (logged.returncode, logged.stdout[:4]) == (0, "run "), logged.stderr
    read = json.loads(run(tmp_path, "-c", READ_BACK).stdout)
    measured = model.card["metrics"]["cross_validation"]
    keywords = model.card["metrics"]["test"]["baselines"]["keywords"]
    assert read["metrics"]["f1_micro"] == measured["f1_micro"]
    assert read["metrics"]["f1_micro.low"] == measured["f1_micro_interval"][0]
    assert read["metrics"]["test.keywords.f1_micro"] == keywords["f1_micro"]
    assert read["metrics"]["f1.sea.high"] == measured["themes"]["sea"]["f1_interval"][1]
    assert read["params"]["classifier.learner"] == model.card["config"]["classifier"]["learner"]
    assert read["tags"]["model_sha256"] == model.card["sha256"]
    assert {"card/security-themes.json", "report/themes.png", "report/answers.jsonl"} <= set(read["files"])


def test_the_pages_open_on_the_loopback_where_there_are_runs(model: Trained, tmp_path: Path) -> None:
    nothing = run(tmp_path, "-m", "pipeline", "ui")
    assert nothing.returncode == 1
    assert "has no run yet; make one: make train" in nothing.stderr
    assert run(tmp_path, "-m", "pipeline", "log", str(model.path)).returncode == 0
    port = free_port()
    command = [sys.executable, "-m", "pipeline", "ui", "--port", str(port)]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    with subprocess.Popen(
        command, cwd=tmp_path, env=clean, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True,
    ) as pages:  # fmt: skip
        try:
            assert pages.stdout is not None
            said = pages.stdout.readline().strip()
            assert said == f"http://127.0.0.1:{port}/#/experiments/1/runs?viewStateShareKey=reviewers"
            for _ in range(240):
                with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as health:
                    assert health.status == 200
                    break
                time.sleep(0.25)
            else:
                pytest.fail("the pages did not open")
        finally:
            os.killpg(pages.pid, 9)


def test_what_a_kill_left_is_not_logged_as_one_run(model: Trained, tmp_path: Path) -> None:
    """Killed between the renames: the new joblib file waits under its other name, the report is of the run before."""
    (model.path.parent / "report" / "model.sha256").write_text("0" * 64 + "\n", encoding="utf-8")
    model.path.rename(model.path.with_name(model.path.name + ".new"))
    model.path.write_bytes(b"the model of the run before")
    logged = run(tmp_path, "-m", "pipeline", "log", str(model.path))
    assert (logged.returncode, logged.stdout[:4]) == (0, "run "), logged.stderr
    assert file_hash(model.path) == model.card["sha256"]
    assert json.loads(run(tmp_path, "-c", READ_BACK).stdout)["files"] == ["card/security-themes.json"]


def test_a_model_that_is_not_its_cards_is_not_logged(model: Trained, tmp_path: Path) -> None:
    model.path.write_bytes(b"another")
    logged = run(tmp_path, "-m", "pipeline", "log", str(model.path))
    assert logged.returncode == 2
    assert "not the file its card was made for" in logged.stderr
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:////dev/null/mlflow.db", "nonsense://x"])
def test_a_server_out_of_reach_is_one_clear_error(model: Trained, tmp_path: Path, uri: str) -> None:
    done = run(tmp_path, "-m", "pipeline", "log", str(model.path), MLFLOW_TRACKING_URI=uri)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"error: MLflow at {uri}: " in done.stderr
    assert f"python -m pipeline log {model.path.with_suffix('.json')}" in done.stderr
