"""Worker processes: how they start, and that joblib's are not kept."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from typing import Any

_are_forked = False


def fork_workers() -> None:
    """Have the workers of this program forked from a process that has imported all they need; on Linux.

    They start at once and share its memory. That process starts now, and stays until this one ends. Call it in the main
    thread. Where it cannot start, workers are spawned, as they are on other systems.
    """
    global _are_forked
    # It would look for modules in the current folder first (CPython, issue 117378), unless told not to.
    if sys.platform != "linux" or (sys.flags.ignore_environment and not sys.flags.safe_path):
        return
    multiprocessing.set_forkserver_preload(["pipeline.outputs"])
    environment, answer = dict(os.environ), signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for this process
    os.environ.update(PYTHONSAFEPATH="1", PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    try:
        forkserver.ensure_running()
        _are_forked = True
    except OSError:  # as where the folder for temporary files can hold no socket, or has too long a name for one
        pass
    finally:
        signal.signal(signal.SIGINT, answer)
        os.environ.clear()
        os.environ.update(environment)


def worker_context() -> Any:
    """Give what starts workers: never as forks of this process, whose threads they would lack."""
    return multiprocessing.get_context("forkserver" if _are_forked else "spawn")


@contextmanager
def fresh_workers() -> Iterator[None]:
    """End the processes that joblib starts inside, instead of keeping them for the next piece of work.

    A kept worker leaves on its own when it was idle for minutes, or has grown by what the next work imports; as
    it left, a task was lost, and joblib waited for it without end (joblib 1.6; see its issue 869).
    """
    from joblib.externals.loky import get_reusable_executor  # here, as `fork_workers` should come before long imports

    try:
        yield
    finally:
        get_reusable_executor().shutdown()
