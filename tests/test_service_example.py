"""The service of examples/, asked by a client over a socket."""

import http.client
import importlib.util
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipeline import classify, load_model
from pipeline.artifact import file_hash
from pipeline.config import read_config
from pipeline.train import train

from .conftest import ROOT, make_toy_articles, write_toy_project

uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("service")
    return train(read_config(write_toy_project(folder)), folder / "models").path


@pytest.fixture(scope="module")
def service() -> ModuleType:
    return load_example("service")


@pytest.fixture(scope="module")
def port(service: ModuleType, model: Path) -> Iterator[int]:
    service.MODEL = model  # type: ignore[attr-defined]
    server = uvicorn.Server(uvicorn.Config(service.app, port=0, log_level="critical", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def load_example(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, ROOT / f"examples/{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # where annotations are looked up
    specification.loader.exec_module(module)
    return module


def ask(port: int, path: str, body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("GET" if body is None else "POST", path, content)
    with connection.getresponse() as response:
        found = json.load(response)
    connection.close()
    return response.status, found


def ask_in_part(port: int, length: int, sent: bytes) -> tuple[int, Any]:
    """Promise a body of some length, and send only the beginning of it."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        head = f"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode() + sent)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, json.load(response)


def expected(model: Path, texts: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "themes": list(prediction.themes),
            "scores": prediction.scores,
            "primary": prediction.primary,
            "none": prediction.none,
            "unsure": list(prediction.unsure),
        }
        for prediction in classify(load_model(model), texts)
    ]


def test_which_model_answers(port: int, model: Path) -> None:
    assert ask(port, "/health") == (200, {"status": "alive"})
    assert ask(port, "/ready") == (200, {"status": "ready", "sha256": file_hash(model), "version": "0.1.0"})


def test_requests_at_the_same_time_are_answered_as_classify_does(port: int, model: Path) -> None:
    texts = [article["text"] for article in make_toy_articles(120, seed=4)]
    questions = [texts[start : start + 1 + start % 5] for start in range(100)]
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda some: ask(port, "/classify", {"texts": some}), questions))
    assert answers == [(200, {"predictions": expected(model, some)}) for some in questions]


@pytest.mark.parametrize(
    ("body", "status", "code", "part"),
    [
        (b"{not JSON", 422, "json_invalid", "body: "),
        (b"", 422, "json_invalid", "body: "),
        (b'{"texts": ["\xff"]}', 422, "json_invalid", "body: "),
        (b'{"texts": ["\\ud800"]}', 422, "json_invalid", "body: "),
        (b"[" * 100_000, 422, "json_invalid", "recursion"),
        ({}, 422, "missing", "texts: "),
        ({"texts": None}, 422, "list_type", "texts: "),
        ({"texts": "one"}, 422, "list_type", "texts: "),
        ({"texts": ["a", None]}, 422, "string_type", "texts.1: "),
        ({"texts": [7]}, 422, "string_type", "texts.0: "),
        ({"texts": [], "limit": 3}, 422, "extra_forbidden", "limit: "),
        ({"texts": ["a"] * 257}, 422, "too_long", "at most 256"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(port: int, body: Any, status: int, code: str, part: str) -> None:
    found, answer = ask(port, "/classify", body)
    assert (found, answer["error"]) == (status, code)
    assert part in answer["message"]
    assert ask(port, "/classify", {"texts": ["ميناء"] * 256})[0] == 200


def test_other_paths_and_methods(port: int) -> None:
    assert ask(port, "/nothing") == (404, {"error": "not_found", "message": "Not Found"})
    assert ask(port, "/classify") == (405, {"error": "method_not_allowed", "message": "Method Not Allowed"})


def test_a_body_too_large_is_refused_before_it_is_read_whole(port: int) -> None:
    status, answer = ask_in_part(port, 10**12, b" " * 4_000_001)
    assert (status, answer["error"]) == (413, "body_too_large")
    assert "4000000 bytes at most" in answer["message"]


def test_a_client_that_stalls_is_not_waited_for(
    port: int, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "TIMEOUT", 0.1)
    status, answer = ask_in_part(port, 100, b'{"texts": [')
    assert (status, answer["error"]) == (503, "timeout")


def test_health_answers_while_all_threads_are_at_work(
    port: int, service: ModuleType, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, busy = threading.Event(), service.os.cpu_count()
    at_work = threading.Semaphore(0)

    def take_long(*arguments: Any) -> Any:
        at_work.release()
        assert done.wait(60)
        return classify(*arguments)

    monkeypatch.setattr(service, "classify", take_long)
    with ThreadPoolExecutor(busy) as clients:
        try:
            waiting = [clients.submit(ask, port, "/classify", {"texts": ["ميناء"]}) for _ in range(busy)]
            assert all(at_work.acquire(timeout=60) for _ in range(busy))
            assert ask(port, "/health")[0] == 200
            monkeypatch.setattr(service, "TIMEOUT", 0.1)
            assert ask(port, "/classify", {"texts": ["late"]})[0] == 503
        finally:
            done.set()
        assert [future.result() for future in waiting] == [(200, {"predictions": expected(model, ["ميناء"])})] * busy
    assert not at_work.acquire(blocking=False)  # the one that was late has left the queue


def test_a_failure_is_not_shown_to_the_asker(port: int, service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "classify", lambda *_: 1 / 0)
    status, answer = ask(port, "/classify", {"texts": ["a"]})
    assert (status, answer["error"]) == (500, "internal_error")
    assert "division" not in answer["message"]
