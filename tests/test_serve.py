"""What keeps a model from being served; the server itself is tested in test_flavor."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.artifact import REGISTRY
from pipeline.commands import service
from pipeline.errors import DataError
from pipeline.registry import CHAMPION, REGISTERED
from pipeline.tracking import choose_port

from .test_flavor import environment


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
