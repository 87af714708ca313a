"""Search for better settings: trials of a configuration with other values, each a cross-validation of its own.

The articles that training holds out take no part in it, so `pipeline.train` can measure with them what was found.
"""

import dataclasses
import fcntl
import hashlib
import json
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from .artifact import write_text
from .classifier import build_model
from .compare import LabeledTexts
from .config import Config, change, read_config
from .corpus import corpus_hash
from .errors import DataError
from .evaluate import evaluate
from .progress import step
from .report import format_table
from .split import fold_numbers
from .themes import Taxonomy, read_taxonomy
from .train import hold_out, label, trainable
from .validate import Corpus, load_corpus
from .workers import fresh_workers

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

DEFAULT_OUTPUT = Path("models/search")
BEST = "best.toml"
_JOURNAL = "trials.log"
_STARTUP = 5  # trials that are carried through before any is pruned
_SHOWN = 5  # trials in the table
_DONE = ("complete", "pruned")
_FREE = ("data", "evaluation", "tracking")  # sections of the configuration that no score depends on


@dataclasses.dataclass(frozen=True)
class Trial:
    """One set of values that was, or is being, tried.

    Attributes
    ----------
    number : int
        From 0, in the order in which trials began.
    state : str
        ``complete``, ``pruned`` (given up after some folds), ``fail`` (killed; it was begun again under another
        number), ``running`` or ``waiting``.
    settings : dict
        ``section.key`` of the configuration to value.
    score : float or None
        F1 macro of all answers out of fold; None unless complete.
    scores : tuple of float
        F1 macro over the articles of the first fold, of the first two, and so on.
    seconds : float or None
        None unless complete or pruned.
    """

    number: int
    state: str
    settings: dict[str, Any]
    score: float | None
    scores: tuple[float, ...]
    seconds: float | None


@dataclasses.dataclass(frozen=True)
class Found:
    """All trials of a search, that of the configuration as it stands, the best one, and the file with its settings."""

    trials: list[Trial]
    standing: Trial
    best: Trial
    path: Path


def search(config: Config, output: Path = DEFAULT_OUTPUT, n_trials: int = 30) -> Found:
    """Try other values of the settings that matter, until `n_trials` trials are done; save the best ones.

    The first trial is the configuration as it stands; the others are chosen by a tree-structured Parzen estimator
    (Bergstra et al., "Algorithms for hyper-parameter optimization", NIPS 2011). A trial that after some folds is behind
    the median of the others is pruned, and counts as done. The score is F1 macro of all answers out of fold together:
    what `train` reports as that of the cross-validation; a mean over folds would weigh rare themes by chance (Forman,
    Scholz, "Apples-to-apples in cross-validation studies", SIGKDD Explorations 2010).

    Trials run as tasks of the active ``joblib.parallel_config``, one at a time if there is none. They share a journal
    in `output`, which workers on other machines must see under the same path. A search that was killed goes on where
    it was, if called again with the same `output`.

    One at a time, trials are the same in each run, and in one that was killed and went on. With several workers,
    what a trial knows of the others depends on which was quicker.

    Parameters
    ----------
    config : Config
        The configuration to depart from.
    output : Path
        Folder for the journal of the trials and for ``best.toml``.
    n_trials : int
        Trials done in all, those of earlier calls included.

    Raises
    ------
    InvalidCorpusError
        If anything is wrong with the articles.
    DataError
        If the articles cannot be split, or `output` holds a search of other articles, themes or settings, or one that
        is running.
    """
    if n_trials < 1:
        raise DataError(f"--trials must be 1 or more, found {n_trials}")
    taxonomy = read_taxonomy(Path(config.data.themes))
    with step("reading and checking the articles"):
        corpus = load_corpus(config.data.articles, taxonomy, config.validation)
    labeled = label(corpus, taxonomy)[~hold_out(corpus, config.split)]
    journal = output.resolve() / _JOURNAL  # workers may have another working folder
    with _alone(journal), trainable():
        folds = fold_numbers(labeled.labels, labeled.groups, config.split.folds, config.split.seed)
        study = _open(journal)
        _check_same(study, _made_for(config, taxonomy, corpus), journal)
        session = _begin(study, config)
        tried = trials(study)
        done = _count(tried, *_DONE)
        with _bar(study, n_trials), fresh_workers():
            # No more trials are handed out than run: a worker that outlives a kill finds no other waiting.
            Parallel(pre_dispatch="n_jobs")(
                delayed(_run_trial)(journal, session, number, config, taxonomy, labeled, folds)
                for number in range(done, max(n_trials, done + _count(tried, "waiting")))
            )
        tried = trials(study)
    complete = [trial for trial in tried if trial.score is not None]
    standing = next(trial for trial in complete if change(config, trial.settings) == config)
    best = max(complete, key=lambda trial: trial.score or 0)
    found = Found(tried, standing, best, output / BEST)
    write_text(found.path, _to_toml(change(config, best.settings), found))
    return found


def trials(study: "optuna.Study") -> list[Trial]:
    """List the trials of a study in the order in which they began."""
    listed = []
    for each in study.get_trials(deepcopy=False):
        state = each.state.name.lower()
        score = each.value if state == "complete" else None
        scores = tuple(score for _, score in sorted(each.intermediate_values.items()))
        seconds = each.duration.total_seconds() if each.duration and state in _DONE else None
        listed.append(Trial(each.number, state, dict(each.params), score, scores, seconds))
    return listed


def format_found(found: Found) -> str:
    """Lay out the best trials and the configuration as it stands, and say what their scores are worth."""
    ranked = sorted((trial for trial in found.trials if trial.score is not None), key=lambda t: -(t.score or 0))
    shown = ranked[:_SHOWN] + [found.standing] * (found.standing not in ranked[:_SHOWN])
    names = list(found.standing.settings)
    rows = [
        [
            "as configured" if trial == found.standing else str(trial.number),
            f"{trial.score:.4f}",
            "" if trial == found.standing else f"{(trial.score or 0) - (found.standing.score or 0):+.4f}",
            *(f"{v:.3g}" if isinstance(v, float) else str(v) for v in (trial.settings[name] for name in names)),
        ]
        for trial in shown
    ]
    done = _count(found.trials, *_DONE)
    return (
        format_table(["trial", "F1 macro", "ahead by", *(name.split(".")[1] for name in names)], rows)
        + f"\n\n{done} trials, {done - len(ranked)} of them pruned. F1 macro is that of the cross-validation, and the "
        "best of so many is\npartly luck: expect less. Training measures it on held-out articles, which no trial saw."
    )


def _space(config: Config) -> dict[str, "BaseDistribution"]:
    """Say what is tried of each setting; the standing value always belongs to it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    features, classifier = config.features, config.classifier

    def between(value: float, low: float, high: float, *, log: bool = False) -> FloatDistribution:
        return FloatDistribution(min(low, value), max(high, value), log=log)

    def among(value: Any, *choices: Any) -> CategoricalDistribution:
        return CategoricalDistribution(tuple(dict.fromkeys((*choices, value))))

    return {
        "classifier.C": between(classifier.C, 0.1, 30.0, log=True),
        "classifier.balanced": among(classifier.balanced, True, False),
        "classifier.learner": among(classifier.learner, "svm", "logistic"),
        "features.char_weight": between(features.char_weight, 0.0, 1.5),
        "features.keyword_weight": between(features.keyword_weight, 0.0, 1.0),
        "features.min_df": IntDistribution(1, max(4, features.min_df)),
        "features.max_features": among(features.max_features, 20_000, 80_000, 0),
        "features.sublinear_tf": among(features.sublinear_tf, True, False),
    }


def _run_trial(
    journal: Path,
    session: int,
    number: int,
    config: Config,
    taxonomy: Taxonomy,
    labeled: LabeledTexts,
    folds: NDArray[np.int32],
) -> None:
    """Run the trial that waits longest, or one with new values; in a process of its own, or on another machine."""
    from optuna.trial import TrialState

    study = _open(journal, config.split.seed + number)  # the same seed again would draw the same values again
    if study.user_attrs["session"] != session:
        return  # the search was killed and goes on without this worker
    trial = study.ask(_space(config))
    changed = change(config, trial.params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a learner that does not converge, a theme not learned: the score tells
        for fold, score in enumerate(_cross_validate(changed, taxonomy, labeled, folds)):
            trial.report(score, fold)
            if changed != config and fold + 1 < config.split.folds and trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                return
    study.tell(trial, score)


def _cross_validate(
    config: Config, taxonomy: Taxonomy, labeled: LabeledTexts, folds: NDArray[np.int32]
) -> Iterator[float]:
    """Give F1 macro over the articles of the first fold, of the first two, and so on to all."""
    predictions = np.zeros_like(labeled.labels)
    for fold in range(config.split.folds):
        train, seen = labeled[folds != fold], folds <= fold
        model = build_model(config, taxonomy).fit(train.texts, train.labels, train.groups)
        predictions[folds == fold] = model.predict(labeled[folds == fold].texts)
        # Its interval is not asked for.
        yield evaluate(taxonomy.names, labeled.labels[seen], predictions[seen], resamples=1).f1_macro.value


def _open(journal: Path, seed: int = 0) -> "optuna.Study":
    """Open the study in a journal, or begin one."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # Settings drawn together, for C and the weights hang together; and not beside what others are just trying.
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    try:
        return optuna.create_study(
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(journal))),
            study_name="search",
            direction="maximize",
            load_if_exists=True,
            sampler=sampler,
            # It compares a trial's best report so far: strict after the first fold, mild where later folds are harder.
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP),
        )
    except ValueError as error:
        raise DataError(f"{journal}: damaged ({error}); delete it, or name another --output") from error


@contextmanager
def _alone(journal: Path) -> Iterator[None]:
    """Keep other searches out of the folder, and cut half a line that a kill left at the end of the journal."""
    journal.parent.mkdir(parents=True, exist_ok=True)
    with journal.with_name(".lock").open("w") as lock:  # of the process: a kill frees it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(
                f"{journal.parent}: another search is running here; wait for it, or name another --output"
            ) from error
        if journal.exists():
            os.truncate(journal, journal.read_bytes().rfind(b"\n") + 1)
        yield


def _made_for(config: Config, taxonomy: Taxonomy, corpus: Corpus) -> dict[str, str]:
    """List all that a score depends on."""
    themes = json.dumps(taxonomy.to_dict(), sort_keys=True)
    settings = {
        f"[{section}] {key}": str(value)
        for section, values in config.to_dict().items()
        if section not in _FREE
        for key, value in values.items()
    }
    return {
        "articles": corpus_hash(corpus.articles),
        "themes": hashlib.sha256(themes.encode()).hexdigest(),
        **settings,
        "search space": str(_space(config)),
    }


def _check_same(study: "optuna.Study", wanted: dict[str, str], journal: Path) -> None:
    """Note what a new study is made for; refuse one that was made for something else."""
    made_for = study.user_attrs.get("made_for")
    if made_for is None:
        study.set_user_attr("made_for", wanted)
    elif other := [name for name in made_for | wanted if made_for.get(name) != wanted.get(name)]:
        raise DataError(
            f"{journal}: a search begun with other {', '.join(other)}; put back what it was begun with, "
            "or name another --output"
        )


def _begin(study: "optuna.Study", config: Config) -> int:
    """Queue the configuration as it stands, if this is the start, and trials that a kill cut short; number the session.

    Optuna's heartbeat, which would find these trials too, does not work with a journal.
    """
    from optuna.trial import TrialState

    space = _space(config)
    session: int = study.user_attrs.get("session", 0) + 1
    study.set_user_attr("session", session)
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        settings = trial.system_attrs.get("fixed_params", trial.params)
        if settings.keys() == space.keys():
            study.enqueue_trial(settings)
        study.tell(trial.number, state=TrialState.FAIL)
    tables = config.to_dict()
    standing = {name: tables[name.split(".")[0]][name.split(".")[1]] for name in space}
    study.enqueue_trial(standing, skip_if_exists=True)
    return session


def _count(tried: list[Trial], *states: str) -> int:
    return sum(trial.state in states for trial in tried)


@contextmanager
def _bar(study: "optuna.Study", n_trials: int) -> Iterator[None]:
    """Show on a terminal what is done. The journal is asked, for not every backend of joblib tells of single tasks."""
    from tqdm import tqdm

    ended = threading.Event()
    with tqdm(total=n_trials, initial=_count(trials(study), *_DONE), unit="trial", disable=None) as bar:

        def watch() -> None:
            while not bar.disable:
                over = ended.wait(1)
                tried = trials(study)
                bar.n = _count(tried, *_DONE)
                scores = [trial.score for trial in tried if trial.score is not None]
                bar.set_postfix({"best": f"{max(scores):.4f}"} if scores else {})
                if over:
                    break

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


def _to_toml(config: Config, found: Found) -> str:
    """Write what is not as in the default configuration, for ``--config``."""
    lines = [f"# F1 macro {found.best.score:.4f} in cross-validation; {found.standing.score:.4f} as configured before."]
    default = read_config().to_dict()
    for section, values in config.to_dict().items():
        changed = {key: value for key, value in values.items() if value != default[section][key]}
        if changed:
            lines += ["", f"[{section}]"]
            lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in changed.items()]
    return "\n".join(lines) + "\n"
