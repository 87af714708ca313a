"""The model behind MLflow's own server, and what keeps it from being served."""

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.artifact import REGISTRY, load_model
from pipeline.commands import service
from pipeline.config import read_config
from pipeline.errors import DataError
from pipeline.predict import classify
from pipeline.registry import CHAMPION, REGISTERED
from pipeline.tracking import choose_port
from pipeline.train import train

from .conftest import write_toy_project
from .server import ONE, REFUSED, Server, ask, environment, serving

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
def server(folder: Path) -> Iterator[Server]:
    with serving(Path("kept"), folder) as server:
        yield server


@pytest.fixture
def connection(server: Server) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    yield connection
    connection.close()


def test_it_answers_as_classify_does(connection: http.client.HTTPConnection, folder: Path) -> None:
    body = json.dumps({"dataframe_split": {"columns": ["text"], "data": [[text] for text in TEXTS]}})
    status, answer = ask(connection, body.encode())
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


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_request_is_told_what_is_wrong(connection: http.client.HTTPConnection, name: str) -> None:
    body, kind, status, reason = REFUSED[name]
    found, answer = ask(connection, body, kind)
    assert found == status, answer
    assert reason in (answer if name == "another charset" else answer["message"])  # MLflow says that one in plain text
    assert ask(connection, ONE)[0] == 200


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_too_large_is_not_kept(connection: http.client.HTTPConnection, server: Server) -> None:
    for name in ("100 MB", "100 MB, streamed"):
        assert ask(connection, *REFUSED[name][:2])[0] == 413
    assert server.memory("VmHWM") < 1000
    assert ask(connection, ONE)[0] == 200


def serve_command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", "serve", *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


def test_without_a_champion_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = serve_command(tmp_path)
    assert done.returncode == 2, done.stderr
    assert "python -m pipeline promote RUN" in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_the_default_is_the_champion() -> None:
    """The command line keeps a copy of its own, so as to answer --help without loading MLflow."""
    assert f"{REGISTRY}{REGISTERED}@{CHAMPION}" == service._CHAMPION


def test_a_folder_that_is_no_logged_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "--model", str(tmp_path)]) == 2
    assert f"{tmp_path}: no logged model with a security-themes.joblib" in capsys.readouterr().err


def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(DataError, match="is taken"):
            choose_port(listener.getsockname()[1])
    monkeypatch.setattr("pipeline.tracking._is_free", lambda port: port > 5001)
    assert choose_port(0) == 5002
