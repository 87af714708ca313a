"""One copy of a model's arrays for several processes, in a file that each of them maps into its memory."""

import mmap
import pickle
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sklearn.base import BaseEstimator

_ALIGNED = 64  # bytes; so long is a line of most processors' caches


@dataclass(frozen=True)
class Shared:
    """A value in a file. It can be sent to other processes.

    Attributes
    ----------
    path : str
    bounds : tuple of (int, int)
        Where in the file each array begins and ends, and last all else that the value holds, pickled.
    """

    path: str
    bounds: tuple[tuple[int, int], ...]

    def open(self) -> Any:
        """Make the value again; nobody can write to its arrays. On POSIX systems the file may be deleted then."""
        with open(self.path, "rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        *arrays, rest = [mapped[begin:end] for begin, end in self.bounds]
        return pickle.loads(rest, buffers=arrays)

    def delete(self) -> None:
        """Delete the file and its folder, in place of a process that was killed before it could."""
        with suppress(OSError):  # others may be at it, too
            Path(self.path).unlink(missing_ok=True)
            Path(self.path).parent.rmdir()


@contextmanager
def share(value: Any) -> Iterator[Shared]:
    """Write a value to a file, for as long as the context lasts.

    What an estimator of this package computes when it is loaded is not computed again, but goes along.
    """
    with TemporaryDirectory(prefix="security-themes-") as folder:
        path = Path(folder, "value")
        yield Shared(str(path), _write(value, path))


def _write(value: Any, path: Path) -> tuple[tuple[int, int], ...]:
    arrays: list[pickle.PickleBuffer] = []
    rest = BytesIO()
    _Pickler(rest, protocol=5, buffer_callback=arrays.append).dump(value)
    bounds = []
    with open(path, "wb") as file:
        for content in (*(array.raw() for array in arrays), rest.getbuffer()):
            begin = file.tell()
            end = begin + file.write(content)
            bounds.append((begin, end))
            file.write(bytes(-end % _ALIGNED))
    return tuple(bounds)


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, BaseEstimator) and type(value).__module__.startswith(f"{__package__}."):
            return _make, (type(value),), vars(value), None, None, _fill
        return NotImplemented


def _make(kind: Any) -> Any:
    return kind.__new__(kind)


# Given to the pickle, lest it call `__setstate__`, which would compute anew.
def _fill(value: Any, state: dict[str, Any]) -> None:
    vars(value).update(state)
