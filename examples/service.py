"""A service of one file around `load_model` and `classify`: limits, typed errors, and health beside long requests."""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from pipeline import __version__, classify, load_model
from pipeline.artifact import read_card

MODEL = Path(os.environ.get("MODEL", "models/security-themes.joblib"))
MAX_TEXTS = 256  # a request
MAX_BYTES = 4_000_000  # of its body
TIMEOUT = 20.0  # seconds, from its head to its answer


class Question(BaseModel):
    """What is to be classified."""

    model_config = ConfigDict(extra="forbid")
    texts: list[str] = Field(max_length=MAX_TEXTS)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the model before the first request is accepted; a model that fails its checks ends the service."""
    app.state.model, app.state.card = load_model(MODEL), read_card(MODEL)
    # A request that times out leaves the queue, but a thread at work cannot be stopped: their number is the limit.
    with ThreadPoolExecutor(os.cpu_count()) as app.state.threads:
        yield


app = FastAPI(title="security-themes", version=__version__, lifespan=lifespan)
QUESTION = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": Question.model_json_schema()}}}
}


@app.get("/health")
async def health() -> dict[str, str]:
    """Tell that the process is alive."""
    return {"status": "alive"}


@app.get("/ready")
async def ready() -> dict[str, str]:
    """Tell which model answers."""
    return {"status": "ready", "sha256": app.state.card["sha256"], "version": __version__}


@app.post("/classify", openapi_extra=QUESTION)
async def answer(request: Request) -> dict[str, list[dict[str, Any]]]:
    """Classify texts, in a thread."""
    async with asyncio.timeout(TIMEOUT):
        texts = Question.model_validate_json(await read_body(request)).texts
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(app.state.threads, classify, app.state.model, texts)
    return {"predictions": [asdict(prediction) for prediction in found]}


async def read_body(request: Request) -> bytes:
    """Read a body, but not to its end if it is too large, whatever its head says of its length."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise HTTPException(413, f"body too large: {MAX_BYTES} bytes at most")
    return bytes(body)


@app.exception_handler(HTTPException)
@app.exception_handler(TimeoutError)
@app.exception_handler(ValidationError)
@app.exception_handler(Exception)
async def refuse(_: Request, error: Exception) -> JSONResponse:
    """Say what was wrong in a word for programs and a sentence for people."""
    match error:
        case HTTPException():
            code = error.detail.partition(":")[0].lower().replace(" ", "_")
            status, message = error.status_code, error.detail
        case TimeoutError():
            status, code, message = 503, "timeout", f"no answer within {TIMEOUT:g} seconds; try later, or fewer texts"
        case ValidationError():
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "body"
            status, code, message = 422, first["type"], f"{place}: {first['msg']}"
        case _:
            status, code, message = 500, "internal_error", "the service failed; its log says why"
    return JSONResponse({"error": code, "message": message}, status)
