"""The model as MLflow loads and serves it: a column of texts in; themes, primary and scores out.

MLflow calls `_load_pyfunc` where a logged model names this module as its loader.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .artifact import DEFAULT_MODEL, load_model
from .predict import classify

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from pandas import DataFrame

    from .classifier import ThemeClassifier

TEXT = "text"  # the column of the input
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
            or ``none``; ``scores``, a dict from every theme to its probability.
        """
        from pandas import DataFrame

        predictions = classify(self.model, table[TEXT])
        return DataFrame(
            {
                "themes": [list(prediction.themes) for prediction in predictions],
                "primary": [prediction.primary for prediction in predictions],
                "scores": [prediction.scores for prediction in predictions],
            },
            index=table.index,
        )


def signature() -> "ModelSignature":
    """Describe input and output, so that MLflow refuses other columns and types."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Array, ColSpec, DataType, Map, Schema

    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, TEXT)]),
        outputs=Schema(
            [
                ColSpec(Array(DataType.string), "themes"),
                ColSpec(DataType.string, "primary"),
                ColSpec(Map(DataType.double), "scores"),
            ]
        ),
    )


def _load_pyfunc(path: str) -> ServedModel:
    return ServedModel(load_model(Path(path) / DEFAULT_MODEL.name))
