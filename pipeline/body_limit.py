"""What MLflow's server lacks: a limit of a request's size, and a reason where a request cannot be read.

Run by its path, ``python -P pipeline/body_limit.py PORT``, it serves the model that `pipeline.serve` names in the
environment. So nothing of this package is imported before the model, which then brings the code it was logged with.
"""

import json
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any

MAX_BYTES = 10_000_000  # of a body
# Those that MLflow reads, but for Parquet, where 28 kB may unpack to ten million texts.
CONTENT_TYPES = ("application/json", "text/csv")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Coroutine[Any, Any, None]]


def limit_body(app: App) -> App:
    """Wrap an ASGI application, MLflow's: refuse what it should not or cannot read, hand over all else as it is.

    Refused, with ``error_code`` and ``message`` as MLflow does, are bodies of more than `MAX_BYTES`, with 413: at once
    if their head says so, else as soon as so much has been read; and with 415 what is posted to ``/invocations``
    without a content type, or with one that is not in `CONTENT_TYPES`.
    """

    async def limited(scope: Message, receive: Receive, send: Send) -> None:
        chosen = app if scope["type"] != "http" else _judge_head(scope) or _count_body(app)
        await chosen(scope, receive, send)

    return limited


def _judge_head(scope: Message) -> App | None:
    headers = dict(reversed(scope["headers"]))  # the first of a name counts, as in MLflow's server
    if int(headers.get(b"content-length", 0)) > MAX_BYTES:
        return TOO_LARGE
    kind = headers.get(b"content-type", b"").decode("latin-1")
    asks = (scope["method"], scope["path"]) == ("POST", "/invocations")
    if asks and kind.partition(";")[0].strip() not in CONTENT_TYPES:
        found = f"Content-Type {kind!r:.100}" if kind else "no Content-Type"
        return refuse(415, f"{found}; send {' or '.join(CONTENT_TYPES)}")
    return None


def _count_body(app: App) -> App:
    async def counted(scope: Message, receive: Receive, send: Send) -> None:
        size, answered = 0, False

        async def read() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return message if size <= MAX_BYTES else {"type": "http.disconnect"}  # ends the application's reading

        async def answer(message: Message) -> None:
            nonlocal answered
            answered = answered or size <= MAX_BYTES
            if answered:
                await send(message)

        try:
            await app(scope, read, answer)
        except Exception:
            if size <= MAX_BYTES:
                raise  # else it comes of the reading that ended
        if size > MAX_BYTES and not answered:
            await TOO_LARGE(scope, receive, send)

    return counted


def refuse(status: int, message: str) -> App:
    """Give an ASGI application that answers anything with an error in MLflow's form."""
    content = json.dumps({"error_code": "BAD_REQUEST", "message": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]

    async def refused(scope: Message, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return refused


TOO_LARGE = refuse(413, f"the body has more than {MAX_BYTES} bytes; send fewer texts a request")


def refuse_unreadable(_: object, error: Exception) -> App:
    """Answer for MLflow where it cannot parse a body: nested too deep, too long a number, columns without names."""
    example = '{"dataframe_split": {"columns": ["text"], "data": [["a text"]]}}'
    return refuse(400, f"cannot read the body: {error!r:.200}; send {example}")


def serve(port: int) -> None:
    """Load the model and serve it on 127.0.0.1 as ``mlflow models serve`` does: by uvicorn, in one process."""
    import uvicorn
    from mlflow.pyfunc.scoring_server.app import app  # loads the model

    for error in (RecursionError, TypeError, ValueError):  # would be answered with 500
        app.add_exception_handler(error, refuse_unreadable)
    uvicorn.run(limit_body(app), host="127.0.0.1", port=port, workers=1)


if __name__ == "__main__":
    import signal
    import sys

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # interrupted while the model is loaded, it just ends
    serve(int(sys.argv[1]))
