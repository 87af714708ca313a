"""Worker processes: that a program has them forked, and that joblib's are not kept."""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver

from joblib.externals.loky import get_reusable_executor

_ROOM = 75  # bytes for the folder of a socket, of the 107 that its path may have


def fork_workers() -> None:
    """Have the workers of this program forked from a process that has imported all they need; on Linux.

    They start at once and share its memory. That process stays until this one ends. A program that has chosen another
    way to start processes is left to it.
    """
    if sys.platform != "linux" or multiprocessing.get_start_method(allow_none=True) is not None:
        return
    if len(os.fsencode(tempfile.gettempdir())) > _ROOM:
        return
    multiprocessing.set_start_method("forkserver")
    multiprocessing.set_forkserver_preload(["pipeline.outputs"])
    before = dict(os.environ)
    # Else it would import what lies in the current folder under that name (CPython, issue 117378).
    os.environ.update(PYTHONSAFEPATH="1", PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    try:
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)


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
