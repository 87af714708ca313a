"""The limit around an application that reads and answers as MLflow's does; test_serve has the real one."""

import asyncio
import json
from typing import Any

import pytest

from pipeline.body_limit import MAX_BYTES, Message, Receive, Send, limit_body

HALF = b" " * (MAX_BYTES // 2)
JSON = {"content-type": "application/json"}


def ask(
    headers: dict[str, str], *chunks: bytes, method: str = "POST", path: str = "/invocations", app: Any = None
) -> tuple[int, Any, int]:
    """Give the status, the body of the answer and how many chunks were read."""
    head = [(name.encode(), value.encode()) for name, value in headers.items()]
    waiting = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": head}
    asyncio.run(limit_body(app or count)(scope, receive, send))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    return sent[0]["status"], json.loads(sent[1]["body"]), len(chunks) + 1 - len(waiting)


async def respond(send: Send, status: int, content: Any) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


async def count(scope: Message, receive: Receive, send: Send) -> None:
    """Answer with the number of bytes, and with 500 if the client leaves, as Starlette does, which then raises."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            await respond(send, 500, "left")
            raise ConnectionError
        size, more = size + len(message["body"]), message["more_body"]
    await respond(send, 200, size)


def test_a_body_at_the_limit_passes() -> None:
    assert ask({**JSON, "content-length": str(MAX_BYTES)}, HALF, HALF) == (200, MAX_BYTES, 3)


def test_too_long_a_body_is_not_read() -> None:
    status, answer, read = ask({**JSON, "content-length": str(MAX_BYTES + 1)}, HALF, HALF, b" ")
    assert (status, answer["error_code"], read) == (413, "BAD_REQUEST", 0)
    assert answer["message"] == "the body has more than 10000000 bytes; send fewer texts a request"


@pytest.mark.parametrize("length", [{}, {"content-length": "7"}])
def test_a_body_that_turns_out_too_long_is_not_read_on(length: dict[str, str]) -> None:
    status, answer, read = ask({**JSON, **length}, HALF, HALF, b" ", HALF, HALF)
    assert (status, answer["error_code"], read) == (413, "BAD_REQUEST", 3)


def test_an_answer_that_has_begun_is_not_followed_by_another() -> None:
    async def hasty(scope: Message, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass
        await send({"type": "http.response.body", "body": b"1"})

    assert ask(JSON, HALF, HALF, b" ", app=hasty) == (200, 1, 3)


def test_what_the_application_raises_is_raised() -> None:
    async def fail(scope: Message, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(JSON, app=fail)


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "text/csv;charset=latin-1"])
def test_content_types_that_mlflow_judges(kind: str) -> None:
    assert ask({"content-type": kind}, b"[]") == (200, 2, 2)


@pytest.mark.parametrize("kind", ["text/plain", "application/jsonl", "application/vnd.apache.parquet", "x" * 9999])
def test_content_types_that_are_refused(kind: str) -> None:
    status, answer, read = ask({"content-type": kind}, b"[]")
    assert (status, answer["error_code"], read) == (415, "BAD_REQUEST", 0)
    assert answer["message"].startswith(f"Content-Type '{kind[:80]}")
    assert answer["message"].endswith("; send application/json or text/csv")


@pytest.mark.parametrize("headers", [{}, {"content-type": ""}])
def test_no_content_type(headers: dict[str, str]) -> None:
    status, answer, _ = ask(headers, b"[]")
    assert (status, answer["message"]) == (415, "no Content-Type; send application/json or text/csv")


def test_other_paths_need_no_content_type_but_have_the_limit() -> None:
    assert ask({}, method="GET", path="/ping") == (200, 0, 1)
    assert ask({}, method="GET") == (200, 0, 1)  # MLflow answers 405
    assert ask({"content-length": "99999999"}, method="GET", path="/ping")[0] == 413


def test_other_protocols_pass() -> None:
    passed = []

    async def app(*arguments: Any) -> None:
        passed.append(arguments)

    arguments: Any = ({"type": "lifespan"}, None, None)
    asyncio.run(limit_body(app)(*arguments))
    assert passed == [arguments]
