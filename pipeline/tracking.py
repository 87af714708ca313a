"""Logging runs to MLflow, so that each tells its story: what changed, on what data, how good it is, at what cost."""

import hashlib
import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .answers import ANSWERS, AnswerSheet, read_answers, write_answers
from .artifact import card_path, file_hash, finish_replacing, read_card
from .compare import Comparison
from .config import Config, read_config
from .errors import DataError, ModelError, PipelineError, TrackingError
from .evaluate import OVERALL, PER_THEME, evaluate
from .flavor import as_logged
from .modelcard import describe_model
from .report import report_of
from .themes import Taxonomy, taxonomy_from_tables
from .train import COSTS

if TYPE_CHECKING:
    from .search import Found

DEFAULT_URI = "sqlite:///mlflow.db"
MODEL, CARD = "model", "card"  # of the run: the logged model, the folder of its card
WHOLE = "logged_whole"  # a tag: "no" until all of a run is there
_FOLD_METRICS = ("f1_micro", "f1_macro", "f1_none")
_NAME_LENGTH = 100
_VIEW = "reviewers"  # what MLflow's pages call a shared view: which columns to show, and in which order
_COLUMNS = {
    "selectedColumns": [
        *(f"metrics.`{name}`" for name in (
            "f1_macro", "f1_macro.low", "f1_macro.high", "f1_micro", "f1_none", "test.f1_macro", "calibration_error",
            "seconds.all", "p50_ms.one_article", "megabytes",
        )),
        *(f"tags.`{name}`" for name in ("git_dirty", "corpus_sha256")),
    ],
    "searchFilter": f"tags.{WHOLE} = 'yes'",  # not the folds, nor the trials of a search
    "orderByKey": "metrics.`f1_macro`",
    "orderByAsc": False,
}  # fmt: skip
_GUIDE = """\
A run is one training. `f1_macro`, `f1_micro`, `f1_none`, `f1.<theme>` are of the cross-validation. After `test.`
come those of the held-out articles, after another name those of a set measured later. `.low` and `.high` end a 95 %
interval. Artifacts: `report/` holds pictures, `errors.json` every mistake with the words that decided.

Compare: `python -m pipeline compare RUN RUN`. Promote: `python -m pipeline promote RUN`.
"""


def tracking_uri() -> str:
    """Say where runs are logged: ``MLFLOW_TRACKING_URI``, or ``mlflow.db`` in the working folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


def connect(experiment: str = "") -> Any:
    """Import MLflow, quietly, and point it to the place of the runs; and to an experiment, where one is named."""
    # A server that is down should be reported in seconds, not after MLflow's default of several minutes, and a
    # training run should tell nobody that it took place.
    for name, value in {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }.items():
        os.environ.setdefault(name, value)
    import mlflow  # takes seconds
    import mlflow.pyfunc

    for noisy in ("alembic", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    mlflow.set_tracking_uri(tracking_uri())
    if experiment:
        mlflow.set_experiment(experiment)
    return mlflow


@contextmanager
def reaching(what_then: str = "") -> Iterator[None]:
    """Turn whatever MLflow, its database or the network raise into one message.

    Raises
    ------
    TrackingError
    """
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:  # any of MLflow's, requests' or SQLAlchemy's
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TrackingError(f"MLflow at {tracking_uri()}: {reason[:300]}" + (what_then and f"\n{what_then}")) from error


def log_run(model_path: Path) -> str:
    """Log a saved model as one MLflow run: settings, data, metrics with intervals, report, and the model itself.

    Everything is read from the card and the files beside it, so a run can be logged long after it was trained. What is
    left of an earlier attempt that broke off is removed.

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
    later = f"The model is saved: {model_path}. Log it later with: python -m pipeline log {card_path(model_path)}"
    with reaching(later):
        mlflow = connect(card["config"]["tracking"]["experiment"])
        mlflow.set_experiment_tags(
            {"mlflow.note.content": _GUIDE, f"mlflow.sharedViewState.{_VIEW}": json.dumps(_COLUMNS)}
        )
        for run in _runs_of(mlflow, card, whole="no"):
            mlflow.delete_run(run.info.run_id)
        with mlflow.start_run(run_name=run_name(card), description=describe_model(card), tags=_tags(card)) as run:
            _log_data(mlflow, card)
            mlflow.log_params(_flatten(card["config"]))
            mlflow.log_metrics(_metrics(card))
            mlflow.log_artifact(str(card_path(model_path)), CARD)
            _log_model(mlflow, model_path, card)
            if report := report_of(model_path, card["sha256"]):
                _log_report(mlflow, report, taxonomy_from_tables(card["themes"]))
            mlflow.set_tag(WHOLE, "yes")
            return str(run.info.run_id)


def log_evaluation(card: dict[str, Any], name: str, comparison: Comparison, sheet: AnswerSheet) -> None:
    """Add to the runs of a model how it did on other articles: metrics and answers under the name of the set.

    Raises
    ------
    TrackingError
        If there is no run of the model, or the server cannot be reached.
    """
    with _runs_to_add_to(card) as (mlflow, runs), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.jsonl"
        write_answers(sheet, taxonomy_from_tables(card["themes"]), file)
        for run in runs:
            mlflow.log_metrics(_measured(f"{name}.", comparison.to_dict()), run_id=run)
            mlflow.log_artifact(str(file), "answers", run_id=run)


def log_picture(card: dict[str, Any], file: Path) -> None:
    """Add a picture to the report of a model's runs; raises as `log_evaluation` does."""
    with _runs_to_add_to(card) as (mlflow, runs):
        for run in runs:
            mlflow.log_artifact(str(file), "report", run_id=run)


@contextmanager
def _runs_to_add_to(card: dict[str, Any]) -> Iterator[tuple[Any, list[str]]]:
    with reaching():
        mlflow = connect(card["config"]["tracking"]["experiment"])
        runs = [run.info.run_id for run in _runs_of(mlflow, card, whole="yes")]
        if not runs:
            raise TrackingError(f"MLflow at {tracking_uri()} has no run of this model; first: python -m pipeline log")
        yield mlflow, runs


def log_benchmark(folder: Path, config: Config) -> None:
    """Log what `pipeline.benchmark` left in a folder, as one run with a child run a contender.

    Raises
    ------
    TrackingError
        If the server cannot be reached or refuses.
    """
    with reaching(f"The figures are kept in {folder}"):
        mlflow = connect(config.tracking.experiment)
        measured = json.loads((folder / "benchmark.json").read_text(encoding="utf-8"))
        articles, contenders = measured["articles"], measured["contenders"]
        with mlflow.start_run(run_name=f"benchmark · {articles['train']} and {articles['test']} articles"):
            mlflow.log_artifacts(str(folder))
            for name, figures in contenders.items():
                with mlflow.start_run(run_name=name, nested=True):
                    mlflow.log_metrics(figures)


def log_search(found: "Found", config: Config) -> None:
    """Log a search as one run with a child run a trial; it takes the place of what was logged of it before.

    Raises
    ------
    TrackingError
        If the server cannot be reached or refuses.
    """
    with reaching(f"The trials are kept in {found.path.parent}; the same command logs them later"):
        mlflow = connect(config.tracking.experiment)
        identity = _hash([config.to_dict(), str(found.path)])
        for run in mlflow.search_runs(filter_string=f"tags.search = '{identity}'", output_format="list"):
            mlflow.delete_run(run.info.run_id)
        done = [trial for trial in found.trials if trial.seconds is not None]
        with mlflow.start_run(run_name=f"search · {len(done)} trials", tags={"search": identity}):
            mlflow.log_metrics({"f1_macro": found.best.score or 0, "as_configured.f1_macro": found.standing.score or 0})
            for trial in done:
                with mlflow.start_run(run_name=f"trial {trial.number}, {trial.state}", nested=True):
                    mlflow.log_params(trial.settings)
                    for fold, score in enumerate(trial.scores):
                        mlflow.log_metric("f1_macro", score, step=fold)
                    mlflow.log_metric("seconds.all", trial.seconds)


def serve_pages(port: int = 0) -> int:
    """Open MLflow's pages on 127.0.0.1 until interrupted; see `choose_port` for the port.

    Returns
    -------
    int
        Exit code of MLflow's server.
    """
    port = choose_port(port)
    with reaching():
        experiment = connect().get_experiment_by_name(read_config().tracking.experiment)
    if experiment is None:
        raise TrackingError(f"MLflow at {tracking_uri()} has no run yet; make one: make train, or make demo-runs")
    page = f"#/experiments/{experiment.experiment_id}/runs?viewStateShareKey={_VIEW}"
    print(f"http://127.0.0.1:{port}/{page}\nCtrl-C ends it.", flush=True)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", tracking_uri()]
    with suppress(KeyboardInterrupt):
        return subprocess.run(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"], check=False
        ).returncode
    return 0


def choose_port(port: int) -> int:
    """Give the port of 127.0.0.1 that was asked for; for 0 the first free one from 5000 up.

    Raises
    ------
    DataError
        If another program listens there.
    """
    if port and not _is_free(port):
        raise DataError(f"port {port} is taken; name another: --port N, or leave it out: a free one is found")
    return port or next(number for number in range(5000, 6000) if _is_free(number))


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) != 0


def run_name(card: dict[str, Any]) -> str:
    """Name a run after what differs from the default settings, and the number of its articles."""
    standing = read_config().to_dict()
    changes = [
        f"{section}.{key}={_short(value)}"
        for section, values in card["config"].items()
        for key, value in values.items()
        if section not in ("data", "tracking", "validation") and _short(value) != _short(standing[section].get(key))
    ]
    changed = ", ".join(changes) or "default"
    if len(changed) > _NAME_LENGTH:
        changed = changed[: _NAME_LENGTH - 1] + "…"
    return f"{changed} · {card['corpus']['articles']} articles"


def _tags(card: dict[str, Any]) -> dict[str, str]:
    source = card["source"]
    tags = {
        WHOLE: "no",
        "model_sha256": card["sha256"],
        "corpus_sha256": card["corpus"]["sha256"],
        "config_sha256": _hash(card["config"]),
        "themes_sha256": _hash(card["themes"]),
        "git_dirty": {True: "yes", False: "no", None: "unknown"}[source["dirty"]],
        "mlflow.source.name": "python -m pipeline train",
    }
    if source["commit"]:
        tags["mlflow.source.git.commit"] = source["commit"]
    return tags | {f"version.{name}": number for name, number in card["versions"].items()}


def _log_data(mlflow: Any, card: dict[str, Any]) -> None:
    """Say what each part of the articles was for; the articles themselves stay where they are."""
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.data.sources import LocalArtifactDatasetSource

    source = LocalArtifactDatasetSource(", ".join(card["config"]["data"]["articles"]))
    digest = card["corpus"]["sha256"][:32]
    for context, part in {"training": "all", "validation": "cross_validation", "test": "test"}.items():
        size = card["corpus"]["articles"] if part == "all" else card["metrics"][part]["n"]
        mlflow.log_input(MetaDataset(source, name=f"{part} ({size} articles)", digest=digest), context=context)


def _log_model(mlflow: Any, model_path: Path, card: dict[str, Any]) -> None:
    """Log the very bytes of the model with its card, and the code that reads them."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "model"
        data.mkdir()
        for file in (model_path, card_path(model_path)):
            (data / file.name).write_bytes(file.read_bytes())
        mlflow.pyfunc.log_model(name=MODEL, **as_logged(data, card["versions"]))


def _log_report(mlflow: Any, report: Path, taxonomy: Taxonomy) -> None:
    mlflow.log_artifacts(str(report), "report")
    errors = [json.loads(line) for line in (report / "errors.jsonl").read_text(encoding="utf-8").splitlines()]
    if errors:
        table = {key: [_readable(error[key]) for error in errors] for key in errors[0]}
        mlflow.log_table(table, "errors.json")
    costs = json.loads((report / COSTS).read_text(encoding="utf-8"))
    mlflow.log_metrics({f"{kind}.{stage}": value for stage, cost in costs.items() for kind, value in cost.items()})
    mlflow.log_metric("seconds.all", sum(cost.get("seconds", 0) for cost in costs.values()))
    sheet = read_answers(report / ANSWERS, taxonomy)
    crossed = sheet[sheet.parts == "cross_validation"]
    for fold in np.unique(crossed.folds).tolist():
        part = crossed[crossed.folds == fold]
        measured = evaluate(taxonomy.names, part.labels, part.predictions, groups=part.groups, resamples=100)
        with mlflow.start_run(run_name=f"fold {fold + 1}", nested=True):
            mlflow.log_metrics(
                {metric: round(getattr(measured, metric).value, 4) for metric in _FOLD_METRICS} | {"n": len(part)}
            )


def _runs_of(mlflow: Any, card: dict[str, Any], whole: str) -> list[Any]:
    """Find the runs of a model, the newest first."""
    runs: list[Any] = mlflow.search_runs(
        filter_string=f"tags.model_sha256 = '{card['sha256']}' and tags.{WHOLE} = '{whole}'", output_format="list"
    )
    return runs


def _metrics(card: dict[str, Any]) -> dict[str, float]:
    """Pick what runs are compared by; all the rest is in the card.

    Those of the cross-validation stand under their own names (``f1_micro``, ``f1_micro.low``, ``f1.terrorism``), those
    of the held-out test after ``test.``, those of the baselines after their name (``test.keywords.f1_micro``).
    """
    parts = card["metrics"]
    flat = _measured("", parts["cross_validation"]) | _measured("test.", parts["test"])
    return flat | {"features": card["features"], "megabytes": card["bytes"] / 1e6}


def _measured(prefix: str, measured: dict[str, Any]) -> dict[str, float]:
    flat: dict[str, float | None] = {}  # the first of them is what MLflow's pages compare runs by at first
    for metric in OVERALL:
        flat[f"{prefix}{metric}"] = measured[metric]
        flat |= _limits(f"{prefix}{metric}", measured[f"{metric}_interval"])
        flat |= {f"{prefix}{name}.{metric}": scores[metric] for name, scores in measured["baselines"].items()}
    for theme, scores in measured["themes"].items():
        flat[f"{prefix}support.{theme}"] = scores["support"]
        flat |= {f"{prefix}{metric}.{theme}": scores[metric] for metric in PER_THEME}
        flat |= _limits(f"{prefix}f1.{theme}", scores["f1_interval"])
    flat[f"{prefix}n"] = measured["n"]
    return {name: value for name, value in flat.items() if value is not None}


def _limits(name: str, interval: list[float] | None) -> dict[str, float | None]:
    return {f"{name}.low": interval[0], f"{name}.high": interval[1]} if interval else {}


def _flatten(config: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {f"{section}.{key}": str(value) for section, values in config.items() for key, value in values.items()}


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _short(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _readable(value: Any) -> str:
    """Write a cell of the error table: lists with commas, scores from the highest down, words theme by theme."""
    if isinstance(value, dict) and all(isinstance(item, float) for item in value.values()):
        return ", ".join(f"{name} {score:.2f}" for name, score in sorted(value.items(), key=lambda item: -item[1]))
    if isinstance(value, dict):
        return "\n".join(f"{name}: {words}" for name, words in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
