"""A saved model, carried to another place: copied as it is, or written in another format."""

from pathlib import Path
from tempfile import TemporaryDirectory

from . import artifact, skops_format
from .errors import ModelError

_DUMP = {"joblib": artifact.dump, "skops": skops_format.dump}


def export_model(path: Path, output: Path, file_format: str) -> Path:
    """Write a model and its card into a folder.

    Parameters
    ----------
    path : Path
        The model, ``.joblib`` or ``.skops``, with its card beside it; or one in MLflow's registry, such as
        ``models:/security-themes@champion``.
    output : Path
        Made if need be.
    file_format : {"joblib", "skops"}
        A file that is in this format already is copied byte by byte; another is loaded, which runs what a joblib file
        holds.

    Returns
    -------
    Path
        Of the new model file; the card beside it tells its hash.

    Raises
    ------
    ModelError
        If the model does not pass the checks of `pipeline.load_model`, cannot be written in the other format, or the
        folder holds the same model in another format, whose card would be lost.
    """
    if str(path).startswith(artifact.REGISTRY):
        from .registry import fetch  # needs MLflow

        with TemporaryDirectory() as folder:
            return export_model(fetch(str(path), Path(folder)), output, file_format)
    card = artifact.read_card(path)
    target = output / f"{path.stem}.{file_format}"
    for other in (target.with_suffix(f".{name}") for name in _DUMP if name != file_format):
        if other.exists():
            raise ModelError(f"{other}: is here already, and one card cannot speak of two files; name another --output")
    if path.suffix == target.suffix:
        content = artifact.read_model(path, card["sha256"])
    else:
        content = _DUMP[file_format](artifact.load_model(path, card["sha256"]))
    artifact.write_model(target, content, card)
    return target
