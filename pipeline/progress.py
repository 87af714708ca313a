"""What a long command is doing, on standard error, and what each step cost."""

import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Costs = dict[str, dict[str, float]]  # step to seconds and peak memory


@contextmanager
def step(message: str, costs: Costs | None = None, name: str = "") -> Iterator[None]:
    """Announce a step and, when it is done, the seconds it took; note them under `name` in `costs`, where given."""
    print(f"{message} … ", end="", file=sys.stderr, flush=True)
    start = time.perf_counter()
    try:
        yield
    except BaseException:
        print(file=sys.stderr)
        raise
    seconds = time.perf_counter() - start
    print(f"{seconds:.1f} s", file=sys.stderr, flush=True)
    if costs is not None:
        costs[name] = {"seconds": round(seconds, 3), "peak_memory_mb": round(peak_memory(), 1)}


def peak_memory() -> float:
    """Give the most memory, in MB, that this process or any of its children has held so far."""
    unit = 1e6 if sys.platform == "darwin" else 1e6 / 1024
    ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit
    peaks = []
    tasks = Path("/proc/self/task").glob("*/children")
    for process in ["self", *(child for children in tasks for child in children.read_text().split())]:
        try:
            status = Path(f"/proc/{process}/status").read_text()
        except OSError:
            continue  # it has just ended
        peaks += [int(line.split()[1]) * 1024 / 1e6 for line in status.splitlines() if line.startswith("VmHWM")]
    # Not on Linux, where it counts what the parent held when it started this process.
    return max([ended, *(peaks or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit])])


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


def silence_output() -> None:
    """Send standard output nowhere: its reader has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(message: str) -> None:
    """Print a line on standard error, above the bar if there is one."""
    if "tqdm" in sys.modules:
        sys.modules["tqdm"].tqdm.write(message, file=sys.stderr)
    else:
        print(message, file=sys.stderr)
