"""What is in a model file, told without loading it: nothing that the file names is imported, called or built.

A joblib file is a program for the pickle machine that joblib uses. It is run here on that very machine, so that stack
and memo are kept as `joblib.load` would keep them, but every class or function that it asks for is noted, and replaced
by a stand-in that does nothing. The bytes of arrays, which joblib writes between the instructions, are skipped.

What it asks for is expected only if it stands in `EXPECTED`. That is a list of names, not of packages: NumPy, SciPy and
joblib have functions, too, that run what they are given. A scan that meets anything unusual says so and stops.

What this cannot know: whether the installed packages are genuine; what another reader than the installed joblib would
make of the file; whether the numbers in its arrays are good. A file made for that may use up memory or time, or crash
the scan; and a way past it may yet be found, as one was past every scanner of pickles. "Nothing unexpected" is no proof
of innocence: load models from people you trust.
"""

import hashlib
import io
import math
import pickle
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from joblib.numpy_pickle import NumpyArrayWrapper, Unpickler
from joblib.numpy_pickle_utils import _validate_fileobject_and_memmap

from . import skops_format
from .artifact import read_card, versions
from .errors import ModelError
from .themes import NONE

_WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
EXPECTED = frozenset((*skops_format.TRUSTED, _WRAPPER, "numpy.dtype", "numpy.ndarray"))
_HEADLINES = ("f1_micro", "f1_macro", "f1_none")
_LARGEST = 5  # arrays and texts that are listed
_LONGEST = 200  # letters of the way to one
_MOST = 1 << 28  # bytes that a compressed file may grow to
_DTYPE = re.compile(r"[biufcUS]\d+|O8")


def inspect_model(path: Path) -> dict[str, Any]:
    """Tell what a model file and its card hold, without loading the model.

    Parameters
    ----------
    path : Path
        A joblib file, compressed or not, or a skops file. It need not be a sound one.

    Returns
    -------
    dict
        As JSON can hold it: ``bytes`` and ``sha256`` of the file; ``card``, or null; ``holds``, the outermost class;
        ``expected`` and ``unexpected``, the names the file would import; ``largest``, the arrays and texts that take
        most; ``problems``, sentences, empty if there is nothing to worry about.

    Raises
    ------
    ModelError
        If there is no such file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot read: {error.strerror}") from error
    report: dict[str, Any] = {"file": str(path), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    found = _scan_skops(content) if path.suffix == ".skops" else _scan_joblib(content)
    problems = []
    if found["unexpected"]:
        problems.append(f"it asks for what no model needs: {', '.join(found['unexpected'])}; do not load it")
    if found["broken"]:
        problems.append(f"cannot be read to its end, so not all is known of it: {found['broken']}; do not load it")
    try:
        card = read_card(path)
        if card["sha256"] != report["sha256"]:
            problems.append(f"not the file its card was made for, which has sha256 {card['sha256']}")
        report["card"] = _summarize(card)
    except ModelError as error:
        report["card"] = None
        problems.append(str(error))
    return report | found | {"problems": problems}


class _StandIn:
    """Stands for whatever a file wants to import, and for what calling it would give."""

    def __new__(cls, *arguments: Any, **options: Any) -> "_StandIn":
        made = object.__new__(cls)
        made.arguments, made.options, made.state = arguments, options, None
        return made

    arguments: tuple[Any, ...]
    options: dict[str, Any]
    state: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        pass

    def __call__(self, *arguments: Any, **options: Any) -> "_StandIn":
        return _StandIn()

    def __setstate__(self, state: Any) -> None:
        if self.state is not None:
            raise pickle.UnpicklingError("an object is filled twice")
        self.state = state

    def append(self, *_: Any) -> None:
        """Take part in no list."""

    extend = add = __setitem__ = append


@dataclass(frozen=True)
class _Array:
    """An array whose bytes were skipped."""

    what: str
    nbytes: int


class _Scanner(Unpickler):
    """Runs the instructions of a pickle on stand-ins."""

    dispatch: ClassVar[dict[int, Any]] = dict(Unpickler.dispatch)

    def __init__(self, stream: io.BytesIO, asked: dict[str, Any]) -> None:
        super().__init__(stream)
        self.stream, self.asked = stream, asked

    def find_class(self, module: str, name: str) -> Any:
        asked = f"{module}.{name}"
        # The wrapper is a plain record, and joblib's own, so that it is known as joblib knows it.
        answer = NumpyArrayWrapper if asked == _WRAPPER else type("StandIn", (_StandIn,), {})
        return self.asked.setdefault(asked, answer)

    def load_build(self) -> None:
        """Fill an object, in the one way a model needs: any other could make joblib and this scan part ways."""
        target, state = self.stack[-2:]
        if not isinstance(target, _StandIn | NumpyArrayWrapper) or (isinstance(state, tuple) and len(state) == 2):
            raise pickle.UnpicklingError("it fills an object in a way that no model needs")
        super().load_build()

    def load_bytearray8(self) -> None:
        raise pickle.UnpicklingError("it holds a bytearray")  # would reserve as much memory as the file says

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


class _JoblibScanner(_Scanner):
    """Knows that the bytes of an array follow where a `NumpyArrayWrapper` has been filled."""

    dispatch: ClassVar[dict[int, Any]] = dict(_Scanner.dispatch)

    def load_build(self) -> None:
        super().load_build()
        if isinstance(self.stack[-1], NumpyArrayWrapper):
            self.stack[-1] = self._skip(self.stack[-1])

    dispatch[pickle.BUILD[0]] = load_build

    def _skip(self, wrapper: Any) -> "_Array":
        """Go past the bytes of an array, as `NumpyArrayWrapper.read_array` does."""
        dtype = self._dtype(wrapper.dtype)
        shape = wrapper.shape
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
            raise pickle.UnpicklingError("an array has a strange shape")
        if dtype.hasobject:  # a pickle of its own, with nothing of joblib's in it
            _Scanner(self.stream, self.asked).load()
            return _Array(f"{dtype} {shape}", 0)
        if wrapper.safe_get_numpy_array_alignment_bytes() is not None:
            self.stream.read(self.stream.read(1)[0])
        size = math.prod(shape) * dtype.itemsize
        self.stream.read(size)  # a file that ends in an array has no end
        return _Array(f"{dtype} {shape}", size)

    def _dtype(self, given: Any) -> "np.dtype[Any]":
        """Know a plain dtype from the very instructions that NumPy writes for it; any other might have another size."""
        if isinstance(given, _StandIn) and type(given) is self.asked.get("numpy.dtype") and not given.options:
            code = str(given.arguments[0])
            plain = np.dtype(code if _DTYPE.fullmatch(code) else "V")
            for dtype in (plain, plain.newbyteorder()):
                if (given.arguments, given.state) == dtype.__reduce__()[1:]:
                    return dtype
        raise pickle.UnpicklingError("an array has a strange type")


def _scan_joblib(content: bytes) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    stream, top, broken = io.BytesIO(), None, None
    try:
        stream = _decompress(content)
        top = _JoblibScanner(stream, asked).load()
        if rest := stream.read():
            broken = f"{len(rest)} bytes follow its end"
    except Exception as error:  # of a stream of any bytes at all
        broken = f"{str(error)[:200] or 'it ends too early'} ({type(error).__name__}), at byte {stream.tell()}"
    names = {type_: name for name, type_ in asked.items()}
    return {
        "holds": names.get(type(top)),
        "expected": sorted(asked.keys() & EXPECTED),
        "unexpected": sorted(asked.keys() - EXPECTED),
        "largest": _largest(top),
        "broken": broken,
    }


def _scan_skops(content: bytes) -> dict[str, Any]:
    names, broken = set(), None
    try:
        names = set(skops_format.untrusted_types(content))
    except ModelError:
        raise
    except Exception as error:
        broken = f"{str(error)[:200]} ({type(error).__name__})"
    trusted = set(skops_format.TRUSTED)
    return {
        "holds": None,
        "expected": sorted(names & trusted),
        "unexpected": sorted(names - trusted),
        "largest": [],
        "broken": broken,
    }


def _decompress(content: bytes) -> io.BytesIO:
    """Undo a compression that `joblib.load` would undo."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the format before joblib 0.10, which is refused here
        with _validate_fileobject_and_memmap(io.BytesIO(content), "") as (stream, _):
            if isinstance(stream, str):
                raise pickle.UnpicklingError("written by joblib before 0.10")
            plain = content if isinstance(stream, io.BytesIO) else stream.read(_MOST + 1)
    if len(plain) > max(_MOST, len(content)):
        raise pickle.UnpicklingError(f"it grows beyond {_MOST >> 20} MB when decompressed")
    return io.BytesIO(plain)


def _largest(top: Any) -> list[dict[str, Any]]:
    """List the largest arrays and texts below an object, with the way to them."""
    found, seen, ahead = [], set(), [("", top)]
    while ahead:
        name, value = ahead.pop()
        if id(value) in seen or len(name) > _LONGEST:
            continue
        seen.add(id(value))
        if isinstance(value, _Array):
            found.append((value.nbytes, name, value.what))
        elif isinstance(value, str):
            found.append((len(value.encode("utf-8", "surrogatepass")), name, f"text of {len(value)} letters"))
        elif isinstance(value, _StandIn):
            ahead.append((name, value.state))
        elif isinstance(value, dict):
            ahead += [(f"{name}.{key}".lstrip("."), child) for key, child in value.items() if isinstance(key, str)]
        elif isinstance(value, list | tuple):
            ahead += [(f"{name}[{i}]", child) for i, child in enumerate(value)]
    found.sort(key=lambda entry: (-entry[0], entry[1]))
    return [{"name": name, "what": what, "bytes": size} for size, name, what in found[:_LARGEST]]


def _summarize(card: dict[str, Any]) -> dict[str, Any]:
    """Take from a card what a person asks first; null where it does not tell."""

    def get(*keys: str) -> Any:
        value: Any = card
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    metrics = [name for metric in _HEADLINES for name in (metric, f"{metric}_interval")]
    names = card["thresholds"] if isinstance(get("thresholds"), dict) else {}
    return {
        "format": card["format"],
        "articles": get("corpus", "articles"),
        "none": get("corpus", "none"),
        "none_threshold": get("thresholds", NONE),
        "themes": {
            name: {"articles": get("corpus", "themes", name), "threshold": get("thresholds", name)}
            for name in names
            if name != NONE
        },
        "metrics": {
            part: {name: get("metrics", part, name) for name in ("n", *metrics)}
            for part in ("cross_validation", "test")
        },
        "versions": {name: {"card": get("versions", name), "installed": here} for name, here in versions().items()},
    }
