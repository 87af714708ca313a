"""The model behind MLflow's own server, as `python -m pipeline serve` starts it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifact import load_model
from pipeline.config import read_config
from pipeline.predict import classify
from pipeline.tracking import _is_free
from pipeline.train import train

from .conftest import ROOT, write_toy_project
from .test_registry import free_port

TEXTS = ["سفينة في ميناء", "طائرة في مطار", "خبز"]
SAVE = """
import json, mlflow
from pathlib import Path
from pipeline.flavor import as_logged
data = Path("models")
versions = json.loads((data / "security-themes.json").read_text(encoding="utf-8"))["versions"]
mlflow.pyfunc.save_model("kept", **as_logged(data, versions))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    train(read_config(write_toy_project(folder)), folder / "models")
    subprocess.run([sys.executable, "-c", SAVE], cwd=folder, env=environment(), check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "pipeline", "serve", "--model", "kept", "--port", str(port)]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=log, stderr=log, start_new_session=True
        )
    try:
        for _ in range(240):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ping"):
                break
            time.sleep(0.25)
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        assert process.wait() == 0
        for _ in range(40):  # MLflow's server ends with it
            if _is_free(port):
                return
            time.sleep(0.25)
        raise AssertionError("the server outlives the command")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def environment() -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    return clean | {"PYTHONPATH": str(ROOT), "PATH": os.defpath}  # where no uvicorn is


def ask(url: str, body: bytes, kind: str = "application/json") -> tuple[int, Any]:
    request = urllib.request.Request(f"{url}/invocations", body, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_it_answers_as_classify_does(url: str, folder: Path) -> None:
    body = json.dumps({"dataframe_split": {"columns": ["text"], "data": [[text] for text in TEXTS]}})
    status, answer = ask(url, body.encode())
    assert status == 200, answer
    assert answer["predictions"] == [
        {
            "themes": list(prediction.themes),
            "primary": prediction.primary,
            "scores": prediction.scores,
            "none": prediction.none,
            "unsure": list(prediction.unsure),
        }
        for prediction in classify(load_model(folder / "models/security-themes.joblib"), TEXTS)
    ]


@pytest.mark.parametrize(
    "body",
    [
        b'{"dataframe_split": {"columns": ["texts"], "data": [["\xd9\x86\xd8\xb5"]]}}',
        b'{"dataframe_split": {"columns": ["text"], "data": [[7]]}}',
        b'{"dataframe_split": {"columns": ["text"], "data": [[null]]}}',
        b'{"texts": ["a"]}',
        b"{not JSON",
        b"",
    ],
)
def test_a_wrong_request_is_the_askers_fault(url: str, body: bytes) -> None:
    status, answer = ask(url, body)
    assert 400 <= status < 500, answer


@pytest.mark.parametrize("wrong", ["7", "null", '["a"]'])
def test_it_says_which_row_is_no_text(url: str, wrong: str) -> None:
    body = f'{{"dataframe_split": {{"columns": ["text"], "data": [["a"], [{wrong}]]}}}}'
    status, answer = ask(url, body.encode())
    assert status == 400
    assert "row 1 of 'text': " in json.loads(answer)["message"]


def test_the_server_is_there_after_wrong_requests(url: str) -> None:
    assert ask(url, b'{"dataframe_split": {"columns": ["text"], "data": []}}')[0] in (200, 400)
    assert ask(url, b'{"dataframe_split": {"columns": ["text"], "data": [["a"]]}}')[0] == 200
