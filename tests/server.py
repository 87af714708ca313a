"""`python -m pipeline serve` in a process of its own, a client, and what it must refuse."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.tracking import _is_free

from .conftest import ROOT
from .test_registry import free_port

JSON = "application/json"
ONE = b'{"dataframe_split": {"columns": ["text"], "data": [["a"]]}}'
_STREAMED = [b" " * 100_000] * 1000

Body = bytes | Iterable[bytes]
# Body, content type, status, part of the reason. What is not bytes is streamed: nothing says beforehand how long it is.
REFUSED: dict[str, tuple[Body, str | None, int, str]] = {
    "no JSON": (b"{not JSON", JSON, 400, "Ensure that input is a valid JSON"),
    "empty": (b"", JSON, 400, "Ensure that input is a valid JSON"),
    "not UTF-8": (ONE.replace(b"a", b"\xff"), JSON, 400, "Ensure that input is a valid JSON"),
    "a list": (b'["a"]', JSON, 400, "must be a JSON dictionary with exactly one of"),
    "another key": (b'{"texts": ["a"]}', JSON, 400, "must be a JSON dictionary with exactly one of"),
    "another column": (ONE.replace(b"text", b"texts"), JSON, 400, "Model is missing inputs ['text']"),
    "another column of CSV": (b"texts\na\n", "text/csv", 400, "Model is missing inputs ['text']"),
    "a number": (ONE.replace(b'"a"', b"7"), JSON, 400, "row 0 of 'text': 7 is no text"),
    "null": (ONE.replace(b'["a"]', b'["a"], [null]'), JSON, 400, "row 1 of 'text': nan is no text"),
    "a list as text": (ONE.replace(b'["a"]', b'["a"], [["b"]]'), JSON, 400, "row 1 of 'text': ['b'] is no text"),
    "no text": (ONE.replace(b'["a"]', b""), JSON, 400, "0 texts; send 1 to 100000 at a time"),
    "no text of inputs": (b'{"inputs": []}', JSON, 400, "0 texts; send 1 to 100000 at a time"),
    "no text of CSV": (b"text\n", "text/csv", 400, "0 texts; send 1 to 100000 at a time"),
    "too many texts": (ONE.replace(b'["a"]', b'["a"],' * 100_000 + b'["a"]'), JSON, 400, "100001 texts; send 1 to"),
    "a column without name": (ONE.replace(b'"text"', b"{}"), JSON, 400, 'send {"dataframe_split": '),
    "too deep": (b"[" * 100_000, JSON, 400, 'send {"dataframe_split": '),
    "too long a number": (b"9" * 5000, JSON, 400, 'send {"dataframe_split": '),
    "no content type": (ONE, None, 415, "send application/json or text/csv"),
    "another content type": (ONE, "text/plain", 415, "send application/json or text/csv"),
    "Parquet": (b"PAR1", "application/vnd.apache.parquet", 415, "send application/json or text/csv"),
    "another charset": (ONE, f"{JSON}; charset=latin-1", 415, "only supports UTF-8"),
    "100 MB": (b" " * 100_000_000, JSON, 413, "send fewer texts a request"),
    "100 MB, streamed": (_STREAMED, JSON, 413, "send fewer texts a request"),
}


@dataclass(frozen=True)
class Server:
    """A server that answers on a port of 127.0.0.1, and the command that started it."""

    port: int
    command: subprocess.Popen[bytes]

    def memory(self, kind: str) -> float:
        """Give the megabytes of memory that it holds, "VmRSS", or has held at most, "VmHWM"; needs Linux."""
        tasks = Path(f"/proc/{self.command.pid}/task")
        (pid,) = (tasks / f"{self.command.pid}/children").read_text().split()
        found = re.search(rf"{kind}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        assert found
        return int(found[1]) / 1000


@contextlib.contextmanager
def serving(model: Path, folder: Path) -> Iterator[Server]:
    """Serve a logged model, with a log in a folder; in the end see that server and command are gone."""
    port = free_port()
    command = [sys.executable, "-m", "pipeline", "serve", "--model", str(model), "--port", str(port)]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=log, stderr=log, start_new_session=True
        )
    try:
        for _ in range(240):
            assert process.poll() is None, (folder / "server.log").read_text()
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ping"):
                break
            time.sleep(0.25)
        yield Server(port, process)
        process.terminate()
        assert process.wait() == 0
        assert _is_free(port), "the server outlives the command"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def environment() -> dict[str, str]:
    """The environment of a user who has set nothing."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    return clean | {"PYTHONPATH": str(ROOT), "PATH": os.defpath}


def ask(connection: http.client.HTTPConnection, body: Body, kind: str | None = JSON) -> tuple[int, Any]:
    """Post a body; give the status and what the answer holds, parsed if it is JSON."""
    connection.request("POST", "/invocations", body, {} if kind is None else {"Content-Type": kind})
    with connection.getresponse() as answer:
        content = answer.read()
        is_json = (answer.getheader("Content-Type") or "").startswith(JSON)
        return answer.status, json.loads(content) if is_json else content.decode()
