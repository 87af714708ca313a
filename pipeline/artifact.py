"""The model file and its card: written so that a kill leaves a whole model, read with suspicion.

Two files belong together: ``NAME.joblib``, the estimator, and ``NAME.json``, the card that a person or a program can
read without loading it: format, themes, metrics, thresholds, corpus hash, configuration, versions, the SHA-256 of the
joblib file, and three probe texts with the scores they got. ``NAME.skops`` may stand for ``NAME.joblib``, see
`pipeline.skops_format`.

To bump the format: raise `FORMAT`, say here what changed, and keep a card of the old format among the tests' fixtures.

* 1: the first.
* 2: features are one estimator, `TextFeatures`, that knows words by their hashes.
* 3: letters sum to a constant.
* 4: a plane of any theme; probes tell the score of none.
* 5: letters are divided by a length; keywords in the lead count in full.
"""

import fcntl
import hashlib
import io
import json
import os
import platform
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import joblib
import numpy as np
from sklearn.exceptions import InconsistentVersionWarning

from .classifier import ThemeClassifier
from .errors import ModelError, PipelineError
from .themes import NONE

FORMAT = 5
DEFAULT_MODEL = Path("models/security-themes.joblib")
PACKAGES = ("scikit-learn", "numpy", "scipy", "joblib", "pyarabic")
REGISTRY = "models:/"
PROBES = (
    "أعلنت السلطات تفكيك خلية إرهابية موالية لتنظيم داعش وتوقيف ستة من أفرادها",
    "اعترض خفر السواحل قاربا يقل مهاجرين غير نظاميين كانوا يحاولون عبور البحر المتوسط",
    "ارتفعت أسعار الخضر في أسواق الجملة مع بداية الموسم الزراعي",
)
_TOLERANCE = 1e-4  # of a probe's score: other processors may round the last digits otherwise


def save_model(model: ThemeClassifier, card: dict[str, Any], path: Path) -> dict[str, Any]:
    """Write the model and its card, replacing those that were there.

    The card's renaming is the moment of change. Killed before it, the old pair stands; killed after it, before the new
    joblib file has taken its name, `load_model` finds that file under its temporary name and takes it. A plain
    ``joblib.load(path)`` meets a whole file at any moment. The same model gives the same bytes.

    Parameters
    ----------
    model : ThemeClassifier
        Fitted.
    card : dict
        What the caller knows about it; what follows from the file itself is added.
    path : Path
        Ends in ``.joblib``. Its folder is made if need be.

    Returns
    -------
    dict
        The card as it stands in the file: lists where the caller had tuples.

    Raises
    ------
    ModelError
        If another process is saving to the same path.
    """
    probes = [{"text": text, "scores": scores} for text, scores in zip(PROBES, _score(model, PROBES), strict=True)]
    return write_model(path, dump(model), {**card, "versions": versions(), "probes": probes})


def dump(model: ThemeClassifier) -> bytes:
    """Give the bytes of a joblib file."""
    file = io.BytesIO()
    joblib.dump(model, file)
    return file.getvalue()


def write_model(path: Path, content: bytes, card: dict[str, Any]) -> dict[str, Any]:
    """Write the bytes of a model file, and its card with their name, size and hash, as `save_model` does."""
    with alone(path):
        finish_replacing(path)
        return _write(path, content, card)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other trainings away from a file or folder; its own folder is made if need be.

    Raises
    ------
    ModelError
        If another one is at it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as lock:  # of the process: a kill frees it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ModelError(f"{path}: another training is saving here; give each an --output of its own") from error
        yield


def _write(path: Path, content: bytes, card: dict[str, Any]) -> dict[str, Any]:
    staged = _staged(path)
    with writing(staged) as file:
        file.write(content)
    sha256 = hashlib.sha256(content).hexdigest()
    if file_hash(staged) != sha256:
        raise ModelError(f"{staged}: reads back otherwise than it was written; is the disk sound?")
    head = {"format": FORMAT, "model": path.name, "sha256": sha256, "bytes": len(content)}
    text = json.dumps(head | card | head, ensure_ascii=False, indent=2) + "\n"
    write_text(card_path(path), text)
    os.replace(staged, path)
    written: dict[str, Any] = json.loads(text)
    return written


def load_model(path: str | Path = DEFAULT_MODEL, trusted_sha256: str | None = None) -> ThemeClassifier:
    """Load a model after checking that it is the one its card describes and that it still answers as it did.

    Checked in this order: the card's format; the SHA-256 of the model file; `trusted_sha256`; the scikit-learn release;
    and, once loaded, the scores of the probe texts. The file is read once: what was hashed is what is loaded, even if
    somebody replaces the file meanwhile.

    A joblib file is a pickle: loading it runs what is inside. The card's hash protects against a file that was damaged,
    cut short or mixed up with another. It does not protect against somebody who can replace both file and card: load
    only models from a place that only people you trust can write to, or give `trusted_sha256`, or load a skops file
    (``python -m pipeline export --format skops``), which can build nothing but the classes of a model.
    ``python -m pipeline inspect`` says what is in a file without loading it.

    Parameters
    ----------
    path : str or Path
        Ends in ``.joblib`` or ``.skops``; the card beside it ends in ``.json``. Where MLflow is installed, it may name
        a model in its registry: ``models:/security-themes@champion``.
    trusted_sha256 : str, optional
        The hash the model file must have, in 64 hexadecimal digits: the card's ``sha256``, noted when the model was
        made and kept where those who can write to the file cannot.

    Returns
    -------
    ThemeClassifier

    Raises
    ------
    ModelError
        If a check fails or a file cannot be read; the message says what to do.

    Examples
    --------
    >>> load_model("no/such.joblib")
    Traceback (most recent call last):
    pipeline.errors.ModelError: no/such.joblib: no such model; train one with: make train
    """
    if str(path).startswith(REGISTRY):
        from .registry import fetch  # needs MLflow

        with TemporaryDirectory() as folder:
            return load_model(fetch(str(path), Path(folder)), trusted_sha256)
    path = Path(path)
    trusted = None if trusted_sha256 is None else _parse_hash(trusted_sha256)
    card = read_card(path)
    content = read_model(path, card["sha256"])
    if trusted is not None and card["sha256"] != trusted:
        raise ModelError(
            f"{path}: sha256 {card['sha256']}, but trusted is {trusted}; it is not the model you trust, so nothing of "
            "it was loaded. Put back the one with that hash, or trust this one if you know who made it"
        )
    made_with: str = card["versions"]["scikit-learn"]
    installed = version("scikit-learn")
    if made_with.split(".")[:2] != installed.split(".")[:2]:
        raise ModelError(
            f"{path}: trained with scikit-learn {made_with}, installed is {installed}; "
            f"train again with: make train, or install the other: pip install 'scikit-learn=={made_with}'"
        )
    try:
        with warnings.catch_warnings():
            # Another patch release of scikit-learn; the probes below tell whether it matters.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            model = _load(content, path.suffix)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except Exception as error:  # unpickling raises anything at all when a class has changed
        raise ModelError(
            f"{path}: cannot be loaded by this version of the package ({error!r}); train again: make train"
        ) from error
    if not isinstance(model, ThemeClassifier):
        raise ModelError(f"{path}: holds a {type(model).__name__}, not a ThemeClassifier; train again: make train")
    _check_probes(model, card, path)
    return model


def _load(content: bytes, suffix: str) -> Any:
    if suffix == ".skops":
        from . import skops_format

        return skops_format.load(content)
    return joblib.load(io.BytesIO(content))


def _parse_hash(text: str) -> str:
    digits = text.strip().lower()
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise ModelError(f"trusted_sha256 must be 64 hexadecimal digits, found {text!r}; copy it from the model's card")
    return digits


def read_card(path: Path) -> dict[str, Any]:
    """Read the card beside a model file.

    Raises
    ------
    ModelError
        If the model or its card is missing, is no card, or has a format that this version does not know.
    """
    if path.is_dir():
        raise ModelError(f"{path}: a folder, not a model; name the .joblib file in it")
    beside = card_path(path)
    try:
        card = json.loads(beside.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if path.exists():
            raise ModelError(
                f"{path}: no card {beside.name} beside it, so it cannot be checked; put back the card "
                "that was made with it, or train again: make train"
            ) from error
        raise ModelError(f"{path}: no such model; train one with: make train") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{beside}: cannot read the card: {error}; train again: make train") from error
    if not isinstance(card, dict) or "format" not in card:
        raise ModelError(f"{beside}: not a model card; train again: make train")
    if card["format"] != FORMAT:
        raise ModelError(
            f"{beside}: format {card['format']!r}; this version reads format {FORMAT}. Train again: make train"
        )
    if not _is_whole(card):
        raise ModelError(f"{beside}: a damaged card; put back the one made with the model, or train again: make train")
    return card


def card_path(path: Path) -> Path:
    """Give the place of the card of a model file."""
    return path.with_suffix(".json")


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_hash(model: ThemeClassifier) -> str:
    """SHA-256, in hexadecimal, of the file that `save_model` would write."""
    return hashlib.sha256(dump(model)).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a prediction depends on."""
    return {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}


def write_text(path: Path, text: str) -> None:
    """Write a whole file or leave the old one: to a temporary file first, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = _staged(path)
    with writing(staged) as file:
        file.write(text.encode("utf-8"))
    os.replace(staged, path)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file to write, and see to it that it is on the disk; where that fails, it is removed.

    Raises
    ------
    PipelineError
        If it cannot be written: a full disk, a folder without the right to write.
    """
    try:
        with path.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise PipelineError(
            f"{path}: cannot write: {error.strerror or error}; what was there before is whole"
        ) from error


def finish_replacing(path: Path) -> None:
    """Give a new joblib file its name if a save was killed after its card's renaming and before its own."""
    staged = _staged(path)
    if staged.exists() and card_path(path).exists():
        try:
            if read_card(path)["sha256"] == file_hash(staged):
                os.replace(staged, path)
        except ModelError:
            pass  # no readable card: nothing to finish


def read_model(path: Path, sha256: str) -> bytes:
    """Read the file that the card speaks of, once: the model, or the one that a killed save had yet to rename.

    Raises
    ------
    ModelError
        If no such file has this hash.
    """
    found = "missing"
    for file in (path, _staged(path)):
        try:
            if file.is_file():
                content = file.read_bytes()
                digest = hashlib.sha256(content).hexdigest()
                if digest == sha256:
                    return content
                found = f"{len(content)} bytes, sha256 {digest[:12]}…" if found == "missing" else found
        except OSError as error:
            raise ModelError(f"{path}: cannot read: {error.strerror}") from error
    raise ModelError(
        f"{path}: {found}, but its card says sha256 {sha256[:12]}…; it is damaged, cut short or not the file "
        "the card was made for. Copy both files again, or train again: make train"
    )


def _is_whole(card: dict[str, Any]) -> bool:
    """Tell whether all is there that the checks of `load_model` read."""
    try:
        texts = [card["sha256"], card["versions"]["scikit-learn"], *(probe["text"] for probe in card["probes"])]
        scores = [score for probe in card["probes"] for score in probe["scores"].values()]
    except (AttributeError, KeyError, TypeError):
        return False
    return bool(scores) and all(isinstance(text, str) for text in texts) and all(isinstance(s, float) for s in scores)


def _score(model: ThemeClassifier, texts: Sequence[str]) -> list[dict[str, float]]:
    """Score probe texts, to six digits."""
    names, scores = [*model.classes_.tolist(), NONE], model.score_texts(texts)
    rows = np.column_stack((scores.themes, scores.none)).round(6).tolist()
    return [dict(zip(names, row, strict=True)) for row in rows]


def _check_probes(model: ThemeClassifier, card: dict[str, Any], path: Path) -> None:
    texts = [probe["text"] for probe in card["probes"]]
    pairs = zip(_score(model, texts), card["probes"], strict=True)
    far = [score - probe["scores"].get(name, np.nan) for scores, probe in pairs for name, score in scores.items()]
    worst = np.abs(far).max()
    if not worst <= _TOLERANCE:
        made = ", ".join(f"{name} {number}" for name, number in card["versions"].items())
        raise ModelError(
            f"{path}: the probe texts get other scores than when it was trained (by up to {worst:.4f}). "
            f"It was made with {made}. Install these, or train again: make train"
        )


def _staged(path: Path) -> Path:
    return path.with_name(path.name + ".new")
