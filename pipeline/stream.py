"""Classifying without end: a stream of articles, or an archive larger than memory, on one processor or several."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from itertools import islice
from typing import Any, TypeVar

from .article import Article
from .classifier import ThemeClassifier
from .corpus import Record, to_article
from .errors import PipelineError
from .predict import Prediction, classify
from .words import batched

BATCH = 256  # articles read, classified and answered at a time
_AHEAD = 2  # batches for each worker: one in its hands, one to take up next

_Item = TypeVar("_Item", bound=str | Article)
_Batch = TypeVar("_Batch")
Answer = tuple[Article, Prediction] | Record


def classify_stream(
    model: ThemeClassifier, articles: Iterable[_Item], batch_size: int = BATCH, n_jobs: int = 1
) -> Generator[tuple[_Item, Prediction]]:
    """Say what each article is about, one after the other, however many come.

    The predictions are those of `classify`, bit for bit, whatever the batches and the jobs. Memory is bounded: at most
    ``(2 * n_jobs + 1) * batch_size`` articles are held, and nothing is read before the first answer is asked for.

    Parameters
    ----------
    model : ThemeClassifier
        From `pipeline.load_model`.
    articles : iterable of str or Article
        Raw, as for `classify`. It may be endless. It is read in the caller's thread.
    batch_size : int, default=256
        Articles read before the first of them is answered; with several jobs that is ``2 * n_jobs`` batches. An archive
        is quickest with hundreds; where articles trickle in, 1 answers each at once.
    n_jobs : int, default=1
        Processes. With several, each gets the model once, when it starts (a second or two); start them under
        ``if __name__ == "__main__":``, as `multiprocessing` asks for.

    Yields
    ------
    (article, prediction) : tuple
        In the order of `articles`. The article is the very object that came in, so that an answer is never put down to
        another one, and what the caller hung on it (id, source) is at hand.

    Raises
    ------
    TypeError
        If given one string, or, after the articles before it, something that is no text.
    ValueError
        If `batch_size` or `n_jobs` is less than 1.
    PipelineError
        If a worker process died.
    Exception
        Whatever reading `articles` raised, once the articles before have been answered.

    Notes
    -----
    The workers end with the stream: when it is exhausted, fails, is closed (``close()``, or `contextlib.closing`) or
    dropped, and when their parent is killed.
    """
    if isinstance(articles, str):
        raise TypeError("expected articles, got one string: write classify_stream(model, [text])")
    if batch_size < 1 or n_jobs < 1:
        raise ValueError(f"batch_size and n_jobs must be 1 or more, found {batch_size} and {n_jobs}")
    return _pairs(classify_batches(model, _read_batches(articles, batch_size), n_jobs))


def classify_records(model: ThemeClassifier, records: Iterable[Record], n_jobs: int = 1) -> Generator[list[Answer]]:
    """Classify records as they were read from files, batch by batch.

    Yields
    ------
    list of (Article, Prediction) or Record
        In the order of `records`; one that is no article is given back with its problem.
    """
    batches = (
        (items, [item.full_text for item in items if isinstance(item, Article)])
        for items in batched(map(to_article, records), BATCH)
    )
    with closing(classify_batches(model, batches, n_jobs)) as answered:
        for items, predictions in answered:
            answers = iter(predictions)
            yield [(item, next(answers)) if isinstance(item, Article) else item for item in items]


def classify_batches(
    model: ThemeClassifier, batches: Iterable[tuple[_Batch, list[str]]], n_jobs: int
) -> Generator[tuple[_Batch, list[Prediction]]]:
    """Classify the texts of each batch; what they belong to comes back with the answers."""
    if n_jobs == 1:
        for batch, texts in batches:
            yield batch, classify(model, texts)
        return
    # Not joblib: its generator goes on reading while answers wait to be taken, and so holds an endless input.
    pool = ProcessPoolExecutor(n_jobs, multiprocessing.get_context("spawn"), _start_worker, (model,))
    try:
        submitted = _submit(pool, batches)
        waiting = deque(islice(submitted, _AHEAD * n_jobs))
        while waiting:
            batch, future = waiting.popleft()
            yield batch, future.result()
            waiting.extend(islice(submitted, 1))
    except BrokenProcessPool as error:
        raise PipelineError(
            "a worker process died, perhaps for lack of memory; take fewer jobs. A script that starts several must "
            'do so under: if __name__ == "__main__":'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(
    pool: Executor, batches: Iterable[tuple[_Batch, list[str]]]
) -> Iterator[tuple[_Batch, Future[list[Prediction]]]]:
    """Hand batches to the workers, as they are asked for; a failure of the input waits for its turn like an answer."""
    try:
        for batch, texts in batches:
            yield batch, pool.submit(_work, texts)
    except Exception as error:
        failed: Future[Any] = Future()
        failed.set_exception(error)
        yield None, failed  # type: ignore[misc]  # the future raises before anybody sees the batch


def _read_batches(articles: Iterable[_Item], size: int) -> Iterator[tuple[list[_Item], list[str]]]:
    """Cut articles into batches, with their texts; where reading fails, those before come first."""
    reading = iter(articles)
    number, failure = 0, None
    while failure is None:
        batch: list[_Item] = []
        try:
            for article in islice(reading, size):
                if not isinstance(article, str | Article):
                    raise TypeError(f"article {number} is of type {type(article).__name__}, expected str or Article")
                batch.append(article)
                number += 1
        except Exception as error:
            failure = error
        if batch:
            yield batch, [article.full_text if isinstance(article, Article) else article for article in batch]
        if len(batch) < size and failure is None:
            return
    raise failure


def _pairs(
    answered: Generator[tuple[list[_Item], list[Prediction]]],
) -> Generator[tuple[_Item, Prediction]]:
    with closing(answered):
        for batch, predictions in answered:
            yield from zip(batch, predictions, strict=True)


_model: ThemeClassifier  # of a worker process


def _start_worker(model: ThemeClassifier) -> None:
    global _model
    _model = model
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    parent = multiprocessing.parent_process()
    assert parent is not None
    # A worker would wait for work forever if its parent was killed.
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _work(texts: list[str]) -> list[Prediction]:
    return classify(_model, texts)
