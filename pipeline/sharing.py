"""One copy of a model's arrays for several processes, in a file that each of them maps into its memory."""

import mmap
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from shutil import rmtree
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
        """Make the value again; nobody can write to its arrays. It needs the file no more once it is open."""
        with open(self.path, "rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        *arrays, rest = [mapped[begin:end] for begin, end in self.bounds]
        return pickle.loads(rest, buffers=arrays)

    def delete(self) -> None:
        """Delete the file, in place of a process that was killed before it could."""
        rmtree(Path(self.path).parent, ignore_errors=True)


@contextmanager
def share(value: Any) -> Iterator[Shared]:
    """Write a value to a file, for as long as the context lasts.

    What an estimator computes when it is loaded is not computed again, but goes along.
    """
    with TemporaryDirectory(prefix="security-themes-") as folder:
        arrays: list[pickle.PickleBuffer] = []
        rest = BytesIO()
        _Pickler(rest, protocol=5, buffer_callback=arrays.append).dump(value)
        path, bounds = Path(folder, "value"), []
        with open(path, "wb") as file:
            for content in (*(array.raw() for array in arrays), rest.getbuffer()):
                begin = file.tell()
                end = begin + file.write(content)
                bounds.append((begin, end))
                file.write(bytes(-end % _ALIGNED))
        yield Shared(str(path), tuple(bounds))


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, BaseEstimator):
            return _make, (type(value),), vars(value), None, None, _fill
        return NotImplemented


def _make(kind: Any) -> Any:
    return kind.__new__(kind)


def _fill(value: Any, state: dict[str, Any]) -> None:
    vars(value).update(state)
