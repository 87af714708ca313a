"""Load on `python -m pipeline serve`: an hour's worth of requests, at three a second, as fast as they are answered.

Not part of ``make test``: it needs Linux and minutes.

    python -m mlflow artifacts download --artifact-uri models:/security-themes@champion --dst-path FOLDER
    python -m tests.load --model FOLDER --articles PATH ... [--requests N] [--clients K]

A request holds 1 to 5 articles; one in fifty is wrong. Prints the answers by status, what went wrong, milliseconds for
the right requests, the server's memory, requests a second. The exit code is 1 if an answer is not what `classify` says,
a wrong request is not refused as it should be, or memory grows by more than 10 % from half of the requests to the end.
"""

import argparse
import http.client
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import Article, Prediction, classify, load_model
from pipeline.corpus import find_files, read_records, to_article
from pipeline.registry import find_model

from .server import JSON, REFUSED, Body, ask, serving

_WRONG = 50  # one in so many requests
_GROWTH = 1.1


@dataclass(frozen=True)
class Request:
    """What is sent, and what must come back: a status, and from a right request the predictions."""

    body: Body
    kind: str | None
    status: int
    predictions: list[dict[str, Any]] | None = None


@dataclass
class Load:
    """Clients, each with a connection of its own, and what they saw."""

    port: int
    statuses: Counter[int] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    _local: threading.local = field(default_factory=threading.local)

    def send(self, request: Request) -> None:
        """Send one request and note the answer."""
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        start = time.perf_counter()
        try:
            status, answer = ask(self._local.connection, request.body, request.kind)
        except (OSError, http.client.HTTPException) as error:
            self._local.connection.close()
            self.errors.append(f"no answer: {error!r}")
            return
        taken = time.perf_counter() - start
        self.statuses[status] += 1
        if status != request.status:
            self.errors.append(f"{status} instead of {request.status}: {answer!s:.200}")
        elif request.predictions is not None:
            self.seconds.append(taken)
            if answer != {"predictions": request.predictions}:
                self.errors.append(f"not what classify says: {answer!s:.200}")


def make_requests(texts: Sequence[str], predictions: Sequence[Prediction], number: int, seed: int = 0) -> list[Request]:
    """Draw articles for `number` requests; every fiftieth is one of those that must be refused, in turn."""
    rng, wrong = random.Random(seed), list(REFUSED.values())
    requests = []
    for i in range(number):
        if i % _WRONG == _WRONG - 1:
            body, kind, status, _ = wrong[i // _WRONG % len(wrong)]
            requests.append(Request(body, kind, status))
        else:
            drawn = rng.choices(range(len(texts)), k=rng.randint(1, 5))
            table = {"columns": ["text"], "data": [[texts[j]] for j in drawn]}
            expected = [_as_answered(predictions[j]) for j in drawn]
            requests.append(Request(json.dumps({"dataframe_split": table}).encode(), JSON, 200, expected))
    return requests


def _as_answered(prediction: Prediction) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(asdict(prediction)))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve, send, print; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, metavar="FOLDER", help="of a logged model")
    parser.add_argument("--articles", nargs="+", required=True, metavar="PATH")
    parser.add_argument("--requests", type=int, default=10_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--clients", type=int, default=4, metavar="K", help="default: %(default)s")
    options = parser.parse_args(arguments)
    found = (to_article(record) for file in find_files(options.articles) for record in read_records(file))
    texts = [article.full_text for article in found if isinstance(article, Article)]
    model = load_model(find_model(options.model, str(options.model)))
    requests = make_requests(texts, classify(model, texts), options.requests)
    half = len(requests) // 2
    with tempfile.TemporaryDirectory() as folder, serving(options.model.resolve(), Path(folder)) as server:
        load, memory, start = Load(server.port), [server.memory("VmRSS")], time.perf_counter()
        with ThreadPoolExecutor(options.clients) as clients:
            for part in (requests[:half], requests[half:]):
                list(clients.map(load.send, part))
                memory.append(server.memory("VmRSS"))
        seconds = time.perf_counter() - start
        most = server.memory("VmHWM")
    p50, p99 = np.percentile(load.seconds, [50, 99]) * 1000
    print("answers", ", ".join(f"{status}: {count}" for status, count in sorted(load.statuses.items())))
    print(f"errors {len(load.errors)}", *load.errors[:10], sep="\n  ")
    print(f"p50 {p50:.1f} ms, p99 {p99:.1f} ms with {options.clients} clients")
    print(
        "memory {:.0f} MB at the start, {:.0f} at half, {:.0f} at the end".format(*memory),
        f"{most:.0f} at most",
        sep=", ",
    )
    print(f"{len(requests) / seconds:.0f} requests a second")
    return int(bool(load.errors) or memory[2] > _GROWTH * memory[1])


if __name__ == "__main__":
    sys.exit(main())
