"""Which run is in production: finding runs, comparing them, promoting one, going back.

The registry is MLflow's: a registered model with the aliases ``champion`` and ``previous``.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .answers import ANSWERS, AnswerSheet, read_answers
from .artifact import DEFAULT_MODEL, load_model, model_hash, read_card
from .compare import answer
from .config import config_from_dict
from .corpus import corpus_hash
from .errors import DataError, PipelineError
from .measure import Measured, read_labeled
from .modelcard import describe_model
from .themes import Taxonomy, taxonomy_from_tables
from .tracking import CARD, MODEL, WHOLE, connect, reaching
from .train import answer_sheet, fit, label
from .validate import load_corpus
from .verdict import Verdict, align, judge

REGISTERED = DEFAULT_MODEL.stem
CHAMPION, PREVIOUS, LATEST = "champion", "previous", "latest"


class PromotionRefusedError(PipelineError):
    """A run that may not go to production as it is."""


@dataclass(frozen=True)
class LoggedRun:
    """A run as it stands in MLflow: its id, its name, the card of its model, its metrics."""

    id: str
    name: str
    card: dict[str, Any]
    metrics: dict[str, float]

    @property
    def taxonomy(self) -> Taxonomy:
        """Themes of its model."""
        return taxonomy_from_tables(self.card["themes"])


def find_run(name: str) -> LoggedRun:
    """Find a run by its id or its name, or the beginning of either, or as ``champion``, ``previous``, ``latest``.

    Raises
    ------
    DataError
        If there is no such run, or several.
    TrackingError
        If the server cannot be reached.
    """
    with reaching():
        mlflow = connect()
        run = _find(mlflow, name)
        with tempfile.TemporaryDirectory() as folder:
            file = mlflow.artifacts.download_artifacts(
                run_id=run.info.run_id, artifact_path=f"{CARD}/{DEFAULT_MODEL.stem}.json", dst_path=folder
            )
            card = read_card(Path(file).with_suffix(".joblib"))
        return LoggedRun(run.info.run_id, run.info.run_name, card, dict(run.data.metrics))


def compare_runs(names: Sequence[str], paths: Sequence[str] = ()) -> list[tuple[LoggedRun, LoggedRun, Verdict]]:
    """Compare runs with the first of them, on the same articles for all, and note each verdict with its run.

    Parameters
    ----------
    names : sequence of str
        Two or more, see `find_run`.
    paths : sequence of str
        Labeled articles to ask all the models about. Without them, the answers kept with the runs are compared, each to
        an article that the model had not learned from: held out, or by cross-validation.

    Raises
    ------
    DataError
        If the runs were measured on different data, have different themes, or learned from the articles in `paths`.
    """
    return _compare([find_run(name) for name in names], paths)


def _compare(runs: Sequence[LoggedRun], paths: Sequence[str]) -> list[tuple[LoggedRun, LoggedRun, Verdict]]:
    reference, *candidates = runs
    for run in candidates:
        if run.taxonomy.names != reference.taxonomy.names:
            raise DataError(f"{reference.name} and {run.name} have different themes: they cannot be compared")
    with reaching():
        mlflow = connect()
        if paths:
            measured = read_labeled(reference.card, paths)
            sheets = [_ask(mlflow, run, measured) for run in runs]
        else:
            sheets = [_kept_answers(mlflow, run) for run in runs]
    config = config_from_dict(reference.card["config"], reference.name)
    found = []
    for run, sheet in zip(candidates, sheets[1:], strict=True):
        first, second = align(
            {f"{reference.name} ({reference.id[:8]})": sheets[0], f"{run.name} ({run.id[:8]})": sheet}
        ).values()
        verdict = judge(reference.taxonomy.names, first, second, config.evaluation)
        found.append((reference, run, verdict))
        with reaching(), tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{reference.id}.json"
            file.write_text(json.dumps(verdict.to_dict(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            mlflow.log_artifact(str(file), "compared_with", run_id=run.id)
            client = mlflow.MlflowClient()
            client.set_tag(run.id, f"compared_with.{reference.id[:8]}", verdict.conclusion)
    return found


def promote(name: str, paths: Sequence[str] = (), override: str = "") -> str:
    """Make a run's model the champion, if it may be.

    It may not if it was trained from a tree with changes that no commit holds, if training it again gives other bytes,
    or if it is worse than the champion beyond chance, see `pipeline.verdict.Verdict`. The former champion becomes
    ``previous``.

    Parameters
    ----------
    name : str
        See `find_run`.
    paths : sequence of str
        Labeled articles to compare on; see `compare_runs`.
    override : str
        Why it is to be promoted all the same; kept with the version.

    Returns
    -------
    str
        What was done.

    Raises
    ------
    PromotionRefusedError
        With all the reasons.
    """
    run = find_run(name)
    with reaching():
        mlflow = connect()
        client = mlflow.MlflowClient()
        champion = _alias(client, CHAMPION)
    if champion is not None and champion.run_id == run.id:
        return f"{run.name} ({run.id[:8]}) is the champion already"
    objections = [*_provenance(run)]
    if champion is not None:
        try:
            ((_, _, verdict),) = _compare([find_run(CHAMPION), run], paths)
            if verdict.conclusion == "worse":
                objections.append(f"worse than the champion, {verdict.because}")
        except DataError as error:
            objections.append(f"cannot be compared with the champion: {error}")
    if objections and not override:
        reasons = "\n".join(f"- {objection}" for objection in objections)
        raise PromotionRefusedError(
            f'{run.name} ({run.id[:8]}) is not promoted:\n{reasons}\nAll the same: --override "why"'
        )
    with reaching():
        version = _register(
            mlflow, run, {"override": override, "overridden": "; ".join(objections)} if objections else {}
        )
        if champion is not None:
            client.set_registered_model_alias(REGISTERED, PREVIOUS, champion.version)
        client.set_registered_model_alias(REGISTERED, CHAMPION, version)
    former = f"; version {champion.version} is {PREVIOUS} now" if champion is not None else ""
    return f"{run.name} ({run.id[:8]}) is version {version} of {REGISTERED} and its {CHAMPION}{former}"


def roll_back() -> str:
    """Make the previous champion the champion again, and the champion previous.

    Raises
    ------
    DataError
        If there is no previous champion.
    """
    with reaching():
        client = connect().MlflowClient()
        champion, previous = _alias(client, CHAMPION), _alias(client, PREVIOUS)
        if champion is None or previous is None:
            raise DataError("no previous champion to go back to; promote a run first: python -m pipeline promote RUN")
        client.set_registered_model_alias(REGISTERED, CHAMPION, previous.version)
        client.set_registered_model_alias(REGISTERED, PREVIOUS, champion.version)
    return (
        f"version {previous.version} of {REGISTERED} is its {CHAMPION} again; version {champion.version} is {PREVIOUS}"
    )


def fetch(uri: str, folder: Path) -> Path:
    """Copy model and card of a registered model, such as ``models:/security-themes@champion``, into a folder.

    Raises
    ------
    DataError
        If there is no such model.
    TrackingError
        If the server cannot be reached.
    """
    with reaching():
        return _fetch(connect(), uri, folder)


def _provenance(run: LoggedRun) -> list[str]:
    source = run.card["source"]
    if source["dirty"] or source["commit"] is None:
        found = "a tree with changes that no commit holds" if source["dirty"] else "code whose commit is not known"
        return [f"trained from {found}; commit, and train again"]
    config = config_from_dict(run.card["config"], run.name)
    here = f"the articles in {', '.join(config.data.articles)}"
    try:
        corpus = load_corpus(config.data.articles, run.taxonomy, config.validation)
    except DataError as error:
        return [f"cannot be trained again to see whether it reproduces: {error}"]
    if corpus_hash(corpus.articles) != run.card["corpus"]["sha256"]:
        return [
            f"cannot be trained again: {here} are not those it was trained on; git checkout {source['commit'][:12]}"
        ]
    if (made := model_hash(fit(config, run.taxonomy, label(corpus, run.taxonomy)))) != run.card["sha256"]:
        return [f"does not reproduce: trained again it has sha256 {made[:12]}…, not {run.card['sha256'][:12]}…"]
    return []


def _find(mlflow: Any, name: str) -> Any:
    client = mlflow.MlflowClient()
    if name in (CHAMPION, PREVIOUS):
        version = _alias(client, name)
        if version is None:
            raise DataError(f"no {name} yet; promote a run first: python -m pipeline promote RUN")
        return client.get_run(version.run_id)
    runs = mlflow.search_runs(search_all_experiments=True, filter_string=f"tags.{WHOLE} = 'yes'", output_format="list")
    if name != LATEST:
        runs = [run for run in runs if run.info.run_id.startswith(name) or run.info.run_name.startswith(name)]
        runs = [run for run in runs if name in (run.info.run_id, run.info.run_name)] or runs
    if not runs:
        raise DataError(f"no run {name!r}; name an id or a name, or their beginning; or champion, previous, latest")
    if name != LATEST and len(runs) > 1:
        ids = ", ".join(run.info.run_id[:8] for run in runs[:10])
        raise DataError(f"{len(runs)} runs are called {name!r}; name one by its id: {ids}")
    return runs[0]


def _alias(client: Any, alias: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(REGISTERED, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def _register(mlflow: Any, run: LoggedRun, tags: dict[str, str]) -> str:
    from mlflow.exceptions import MlflowException

    client, description = mlflow.MlflowClient(), describe_model(run.card)
    try:
        client.create_registered_model(REGISTERED, description=description.partition("\n")[0])
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    for version in client.search_model_versions(f"name = '{REGISTERED}' and run_id = '{run.id}'"):
        number = str(version.version)  # it was champion before
        break
    else:
        model_id = client.get_run(run.id).outputs.model_outputs[0].model_id
        made = client.create_model_version(REGISTERED, f"models:/{model_id}", run_id=run.id, model_id=model_id)
        number = str(made.version)
    client.update_model_version(REGISTERED, number, description=description)
    for key, value in {"run": run.name, "model_sha256": run.card["sha256"], **tags}.items():
        client.set_model_version_tag(REGISTERED, number, key, value)
    return number


def _fetch(mlflow: Any, uri: str, folder: Path) -> Path:
    from mlflow.exceptions import MlflowException

    try:
        mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder))
    except MlflowException as error:
        raise DataError(
            f"{uri}: no such model: {error.message}; promote a run first: python -m pipeline promote RUN"
        ) from error
    return find_model(folder, uri)


def find_model(folder: Path, uri: str) -> Path:
    """Find the model file in a logged model, the folder with an ``MLmodel`` in or under the one given.

    Raises
    ------
    DataError
        If it holds none.
    """
    logged = folder.rglob("MLmodel")
    found = sorted(file for marked in logged for file in marked.parent.glob(f"data/**/{DEFAULT_MODEL.name}"))
    if not found:
        raise DataError(f"{uri}: no logged model with a {DEFAULT_MODEL.name} in it; was it logged by another program?")
    return found[0]


def _kept_answers(mlflow: Any, run: LoggedRun) -> AnswerSheet:
    with tempfile.TemporaryDirectory() as folder:
        with reaching():
            file = mlflow.artifacts.download_artifacts(
                run_id=run.id, artifact_path=f"report/{ANSWERS}", dst_path=folder
            )
        return read_answers(Path(file), run.taxonomy)


def _ask(mlflow: Any, run: LoggedRun, measured: Measured) -> AnswerSheet:
    """Ask a run's model about labeled articles that it has not learned from."""
    if known := measured.known_to(run.card):
        raise DataError(f"{run.name} has learned from {known} of these {len(measured.articles)} articles")
    with tempfile.TemporaryDirectory() as folder:
        model = load_model(_fetch(mlflow, f"runs:/{run.id}/{MODEL}", Path(folder)))
    return answer_sheet("articles", measured.articles, measured.labeled, answer(model, measured.labeled.texts))
