"""joblib's worker processes, for one piece of work only."""

from collections.abc import Iterator
from contextlib import contextmanager

from joblib.externals.loky import get_reusable_executor


@contextmanager
def fresh_workers() -> Iterator[None]:
    """End the processes that joblib starts inside, instead of keeping them for the next piece of work.

    A kept worker leaves on its own when it was idle for minutes, or has grown by what the next work imports; as
    it left, a task was lost, and joblib waited for it without end (joblib 1.6; see its issue 869).
    """
    try:
        yield
    finally:
        get_reusable_executor().shutdown()
