"""What a long command is doing, on standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def step(message: str) -> Iterator[None]:
    """Announce a step and, when it is done, the seconds it took."""
    print(f"{message} … ", end="", file=sys.stderr, flush=True)
    start = time.perf_counter()
    try:
        yield
    except BaseException:
        print(file=sys.stderr)
        raise
    print(f"{time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)


@contextmanager
def article_bar(done: int, show: bool = True) -> Iterator[Callable[[int, int | None], None]]:
    """Show how many articles are done and how many a second and, where it can be told, the time left.

    Only where standard error is a terminal, and tqdm is installed.

    Parameters
    ----------
    done : int
        Where it begins: articles of an earlier run.
    show : bool, default=True

    Yields
    ------
    callable
        To be told how many are done, and how many there may be in all or None.
    """
    try:
        from tqdm import tqdm
    except ImportError:
        yield lambda done, expected: None
        return
    with tqdm(initial=done, unit=" articles", disable=None if show else True) as bar:

        def update(done: int, expected: int | None) -> None:
            bar.total = expected
            bar.update(done - bar.n)

        yield update


def say(message: str) -> None:
    """Print a line on standard error, above the bar if there is one."""
    if "tqdm" in sys.modules:
        sys.modules["tqdm"].tqdm.write(message, file=sys.stderr)
    else:
        print(message, file=sys.stderr)
