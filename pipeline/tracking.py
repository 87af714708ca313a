"""Logging runs to MLflow. The only module that imports it."""

import logging
import os
from pathlib import Path
from typing import Any

from .artifact import card_path, file_hash, finish_replacing, read_card
from .errors import ModelError, TrackingError
from .evaluate import OVERALL, PER_THEME
from .report import report_of

DEFAULT_URI = "sqlite:///mlflow.db"


def log_run(model_path: Path) -> str:
    """Log a saved model as one MLflow run: settings, metrics with their intervals, card, report and the model file.

    Everything is read from the card and the files beside it, so a run can be logged long after it was trained.
    ``MLFLOW_TRACKING_URI`` says where; without it, ``mlflow.db`` in the working folder.

    Returns
    -------
    str
        The run's id.

    Raises
    ------
    ModelError
        If there is no readable card, or the joblib file is not the one it describes.
    TrackingError
        If the tracking server or its database cannot be reached or refuses.
    """
    card = read_card(model_path)
    finish_replacing(model_path)  # which a kill may have interrupted
    if not model_path.is_file() or file_hash(model_path) != card["sha256"]:
        raise ModelError(f"{model_path}: not the file its card was made for; train again: make train")
    # A server that is down should be reported in seconds, not after MLflow's default of several minutes, and a
    # training run should tell nobody that it took place.
    for name, value in {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }.items():
        os.environ.setdefault(name, value)
    import mlflow  # takes seconds

    for noisy in ("alembic", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    uri = tracking_uri()
    try:
        mlflow.set_tracking_uri(uri)
        mlflow.set_experiment(card["config"]["tracking"]["experiment"])
        with mlflow.start_run(run_name=card["sha256"][:12]) as run:
            mlflow.set_tags(
                {"model_sha256": card["sha256"], "corpus_sha256": card["corpus"]["sha256"]}
                | {f"version.{name}": number for name, number in card["versions"].items()}
            )
            mlflow.log_params(_flatten(card["config"]))
            mlflow.log_metrics(_metrics(card))
            for file in (model_path, card_path(model_path)):
                mlflow.log_artifact(str(file), "model")
            if report := report_of(model_path, card["sha256"]):
                mlflow.log_artifacts(str(report), "report")
            return str(run.info.run_id)
    except Exception as error:  # any of MLflow's, requests' or SQLAlchemy's
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TrackingError(
            f"MLflow at {uri} did not take the run: {reason[:300]}\n"
            f"The model is saved: {model_path}. Log it later with: python -m pipeline log --model {model_path}"
        ) from error


def tracking_uri() -> str:
    """Say where runs are logged."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


def _metrics(card: dict[str, Any]) -> dict[str, float]:
    """Pick what runs are compared by; all the rest is in the card.

    Overall metrics with their intervals (``test.f1_micro.low``), each theme's metrics with the interval
    of F1 (``test.terrorism.f1``), and the overall metrics of the baselines (``test.keywords.f1_micro``).
    """
    flat: dict[str, float | None] = {}
    for part, measured in card["metrics"].items():
        for metric in OVERALL:
            flat[f"{part}.{metric}"] = measured[metric]
            flat |= _limits(f"{part}.{metric}", measured[f"{metric}_interval"])
            flat |= {f"{part}.{name}.{metric}": scores[metric] for name, scores in measured["baselines"].items()}
        for theme, scores in measured["themes"].items():
            flat |= {f"{part}.{theme}.{metric}": scores[metric] for metric in ("support", *PER_THEME)}
            flat |= _limits(f"{part}.{theme}.f1", scores["f1_interval"])
    return {name: value for name, value in flat.items() if value is not None}


def _limits(name: str, interval: list[float] | None) -> dict[str, float | None]:
    return {f"{name}.low": interval[0], f"{name}.high": interval[1]} if interval else {}


def _flatten(config: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {f"{section}.{key}": str(value) for section, values in config.items() for key, value in values.items()}
