"""Classifying without end: a stream of articles, or an archive larger than memory, on one processor or several."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from .article import Article
from .classifier import ThemeClassifier
from .corpus import Record
from .errors import PipelineError
from .predict import Prediction, classify
from .sharing import Shared, share
from .words import batched
from .workers import worker_context

BATCH = 256  # articles read, classified and answered at a time
_AHEAD = 2  # batches for each worker: one in its hands, one to take up next

_Item = TypeVar("_Item", bound=str | Article)
_Kept = TypeVar("_Kept")
_Sent = TypeVar("_Sent")
_Done = TypeVar("_Done")
Answer = tuple[Article, Prediction]


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
        Processes. They share one copy of the model's arrays. Start several under ``if __name__ == "__main__":``, as
        `multiprocessing` asks for; each takes a second of a core to start, see the notes.

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
    OSError
        If the folder for temporary files has no room for the model, with several jobs.
    Exception
        Whatever reading `articles` raised, once the articles before have been answered.

    Notes
    -----
    The workers end with the stream: when it is exhausted, fails, is closed (``close()``, or `contextlib.closing`) or
    dropped, and when their parent is killed.

    After `pipeline.workers.fork_workers`, which a program may call once, workers start at once, and share the memory of
    what is imported, too.
    """
    if isinstance(articles, str):
        raise TypeError("expected articles, got one string: write classify_stream(model, [text])")
    if batch_size < 1 or n_jobs < 1:
        raise ValueError(f"batch_size and n_jobs must be 1 or more, found {batch_size} and {n_jobs}")
    return _pairs(_answer_batches(model, _read_batches(articles, batch_size), classify, n_jobs))


def classify_records(
    model: ThemeClassifier,
    items: Iterable[Article | Record],
    form: Callable[[list[Answer]], _Done],
    n_jobs: int = 1,
) -> Generator[tuple[list[Article | Record], _Done]]:
    """Classify what was read from files, batch by batch, and form the answers into something.

    Parameters
    ----------
    model : ThemeClassifier
    items : iterable of Article or Record
        From `pipeline.corpus.to_article`; a record is one that is no article.
    form : callable
        From the answers to the articles of a batch to what is to be made of them. With several jobs that is done in the
        worker processes, and only what it gives comes back; then it must be a function that can be pickled.
    n_jobs : int, default=1
        Processes.

    Yields
    ------
    (items, formed) : tuple
        Of each batch, in order.
    """
    batches = (
        (some, [(item.id, item.title, item.text, item.source) for item in some if isinstance(item, Article)])
        for some in batched(items, BATCH)
    )
    return _answer_batches(model, batches, partial(_classify_and_form, form), n_jobs)


def _classify_and_form(
    form: Callable[[list[Answer]], _Done], model: ThemeClassifier, rows: Sequence[tuple[str, str, str, str]]
) -> _Done:
    # Tuples came, as an Article takes longer to pickle than to make.
    articles = [Article(name, title, text, source=source) for name, title, text, source in rows]
    return form([*zip(articles, classify(model, articles), strict=True)])


def _answer_batches(
    model: ThemeClassifier,
    batches: Iterable[tuple[_Kept, _Sent]],
    work: Callable[[ThemeClassifier, _Sent], _Done],
    n_jobs: int,
) -> Generator[tuple[_Kept, _Done]]:
    """Work on one part of each batch, here or in processes; the other part is kept here, to go with what is done."""
    if n_jobs == 1:
        for kept, sent in batches:
            yield kept, work(model, sent)
        return
    with share(model) as shared:
        # Not joblib: its generator goes on reading while answers wait to be taken, and so holds an endless input.
        pool = ProcessPoolExecutor(n_jobs, worker_context(), _start_worker, (shared, work))
        try:
            submitted = _submit(pool, batches)
            waiting = deque(islice(submitted, _AHEAD * n_jobs))
            while waiting:
                kept, future = waiting.popleft()
                yield kept, future.result()
                waiting.extend(islice(submitted, 1))
        except BrokenProcessPool as error:
            raise PipelineError(
                "a worker process died, perhaps for lack of memory; take fewer jobs. A script that starts several must "
                'do so under: if __name__ == "__main__":'
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _submit(pool: Executor, batches: Iterable[tuple[_Kept, Any]]) -> Iterator[tuple[_Kept, Future[Any]]]:
    """Hand batches to the workers, as they are asked for; a failure of the input waits for its turn like an answer."""
    try:
        for kept, sent in batches:
            yield kept, pool.submit(_work, sent)
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


_do: Callable[[Any], Any]  # of a worker process


def _start_worker(shared: Shared, work: Callable[[ThemeClassifier, Any], Any]) -> None:
    global _do
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _do = partial(work, shared.open())
    parent = multiprocessing.parent_process()
    assert parent is not None
    # A worker would wait for work forever if its parent was killed.
    threading.Thread(target=_end_with, args=(parent, shared), daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess, shared: Shared) -> None:
    parent.join()
    shared.delete()
    os._exit(1)


def _work(sent: Any) -> Any:
    return _do(sent)
