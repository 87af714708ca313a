"""The model as MLflow loads and serves it: a column of texts in; themes, primary, scores, none and unsure out.

MLflow calls `_load_pyfunc` where a logged model names this module as its loader.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .artifact import DEFAULT_MODEL, load_model
from .predict import classify

if TYPE_CHECKING:
    from pandas import DataFrame

    from .classifier import ThemeClassifier

TEXT = "text"  # the column of the input
MAX_TEXTS = 100_000  # in one table: some ten seconds, 200 MB
EXAMPLE = "أوقفت الشرطة القضائية ثلاثة أشخاص يشتبه في انتمائهم إلى شبكة لتهريب المخدرات"


class ServedModel:
    """What ``mlflow.pyfunc.load_model`` wraps."""

    def __init__(self, model: "ThemeClassifier") -> None:
        self.model = model

    def predict(self, table: "DataFrame", params: dict[str, Any] | None = None) -> "DataFrame":
        """Classify texts.

        Parameters
        ----------
        table : DataFrame
            Its column ``text`` holds raw texts, as for `pipeline.classify`.
        params : dict, default=None
            MLflow's; there are none.

        Returns
        -------
        DataFrame
            Of the same length and index: ``themes``, a list of names, the surest first; ``primary``, the first of them
            or ``none``; ``scores``, a dict from every theme to its probability; ``none``, that of none; ``unsure``, a
            list of reasons.

        Raises
        ------
        MlflowException
            If there is no row, or more than `MAX_TEXTS`, or one holds no text; MLflow's server answers 400 with its
            message.
        """
        from mlflow.exceptions import MlflowException
        from pandas import DataFrame

        if not 0 < len(table) <= MAX_TEXTS:
            raise MlflowException.invalid_parameter_value(f"{len(table)} texts; send 1 to {MAX_TEXTS} at a time")
        for row, text in enumerate(table[TEXT]):
            if not isinstance(text, str):
                raise MlflowException.invalid_parameter_value(f"row {row} of {TEXT!r}: {text!r:.50} is no text")
        predictions = classify(self.model, table[TEXT])
        return DataFrame(
            {
                "themes": [list(prediction.themes) for prediction in predictions],
                "primary": [prediction.primary for prediction in predictions],
                "scores": [prediction.scores for prediction in predictions],
                "none": [prediction.none for prediction in predictions],
                "unsure": [list(prediction.unsure) for prediction in predictions],
            },
            index=table.index,
        )


def as_logged(data: Path, versions: dict[str, str]) -> dict[str, Any]:
    """Say how MLflow is to keep a model: what ``mlflow.pyfunc.log_model`` and ``save_model`` are to be called with.

    Parameters
    ----------
    data : Path
        Folder with the joblib file and its card.
    versions : dict of str to str
        Of the packages that it was made with, see `pipeline.artifact.versions`.
    """
    import mlflow
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Array, ColSpec, DataType, Map, Schema

    packages = {name: number for name, number in versions.items() if name != "python"} | {"mlflow": mlflow.__version__}
    themes = ColSpec(Array(DataType.string), "themes")
    primary, scores = ColSpec(DataType.string, "primary"), ColSpec(Map(DataType.double), "scores")
    none, unsure = ColSpec(DataType.double, "none"), ColSpec(Array(DataType.string), "unsure")
    answer = Schema([themes, primary, scores, none, unsure])
    return {
        "loader_module": __name__,
        "data_path": str(data),
        "code_paths": [str(Path(__file__).parent)],
        # With a signature MLflow refuses other columns and types.
        "signature": ModelSignature(Schema([ColSpec(DataType.string, TEXT)]), answer),
        "input_example": pd.DataFrame({TEXT: [EXAMPLE]}),
        "pip_requirements": [f"{name}=={number}" for name, number in packages.items()],
    }


def _load_pyfunc(path: str) -> ServedModel:
    return ServedModel(load_model(Path(path) / DEFAULT_MODEL.name))
