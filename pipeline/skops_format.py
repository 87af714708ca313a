"""A model as a skops file: slower to load than a joblib file and safe to, whoever wrote it.

A joblib file is a pickle, which may call anything. A skops file (https://skops.readthedocs.io) is a zip of arrays and a
JSON description; it is loaded only if every class it names is known to be harmless, or stands in `TRUSTED`. Somebody
who can change the file can still make the model give other answers, or fill the memory; nobody's code is run.
"""

import io
import json
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from .classifier import ThemeClassifier
from .errors import ModelError

TRUSTED = (
    "pipeline.classifier.ThemeClassifier",
    "pipeline.features.TextFeatures",
    "pipeline.keywords.KeywordRates",
    "pipeline.normalize.ArabicNormalizer",
    "pipeline.tfidf.NgramTfidf",
    "pipeline.themes.Taxonomy",
    "pipeline.themes.Theme",
)


def dump(model: ThemeClassifier) -> bytes:
    """Give the bytes of a skops file; the same for a model loaded from the same file.

    Raises
    ------
    ModelError
        If skops is not installed, or the model holds a class that `load` would not trust.
    """
    content = _settle(_skops().dumps(model))
    if unknown := sorted(set(untrusted_types(content)) - set(TRUSTED)):
        raise ModelError(
            f"the model holds {', '.join(unknown)}, which a skops file could not be loaded with; use joblib"
        )
    return content


def load(content: bytes) -> Any:
    """Rebuild what a skops file holds.

    Raises
    ------
    ModelError
        If skops is not installed.
    skops.io.exceptions.UntrustedTypesFoundException
        If it names a class that is not trusted; nothing is built or imported then.
    """
    return _skops().loads(content, trusted=TRUSTED)


def untrusted_types(content: bytes) -> list[str]:
    """List the classes that a skops file names and skops does not know to be harmless, those of `TRUSTED` included."""
    names: list[str] = _skops().get_untrusted_types(data=content)
    return names


def _skops() -> Any:
    try:
        import skops.io
    except ModuleNotFoundError as error:
        raise ModelError("a skops file needs skops: pip install 'security-themes[skops]'") from error
    return skops.io


def _settle(content: bytes) -> bytes:
    """Replace what differs from run to run: clock times, and the addresses in memory that objects are numbered by."""
    numbers: dict[int, int] = {}
    names: dict[str, str] = {}

    def settle(node: Any) -> Any:
        if isinstance(node, list):
            return [settle(child) for child in node]
        if not isinstance(node, dict):
            return node
        node = {key: settle(child) for key, child in node.items()}
        if isinstance(number := node.get("__id__"), int):
            node["__id__"] = numbers.setdefault(number, len(numbers) + 1)
        if isinstance(name := node.get("file"), str):
            node["file"] = names.setdefault(name, f"{len(names) + 1}{Path(name).suffix}")
        return node

    file = io.BytesIO()
    with ZipFile(io.BytesIO(content)) as given, ZipFile(file, "w") as settled:
        schema = settle(json.loads(given.read("schema.json")))
        for name, new_name in names.items():
            settled.writestr(ZipInfo(new_name), given.read(name), ZIP_DEFLATED)  # ZipInfo is dated 1980
        settled.writestr(ZipInfo("schema.json"), json.dumps(schema), ZIP_DEFLATED)
    return file.getvalue()
