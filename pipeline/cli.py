"""The commands. Exit code 0: done; 1: failed; 2: wrong usage or data; 130: interrupted."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__
from .errors import PipelineError

if TYPE_CHECKING:
    from .article import Article
    from .predict import Prediction

_MODEL = Path("models/security-themes.joblib")
_CHAMPION = "models:/security-themes@champion"
_RUN = "an id or a name, or their beginning; or champion, previous, latest"
_BATCH = 256  # articles read, classified and printed at a time


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    # Closed streams (>&-) would be None, and their numbers would go to the next files opened.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # Arabic whatever the locale; half characters as escapes, which JSON reads back.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(
            "interrupted; the model on disk is whole: the old one, or the new one if it was already saved",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:  # the reader, such as head, has seen enough
        _silence()
        return 0
    except ModuleNotFoundError as error:
        extra = "search" if error.name == "optuna" else "train"
        print(f"error: this command needs {error.name}: pip install 'security-themes[{extra}]'", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, a folder without the right to write
        print(f"error: {error}", file=sys.stderr)
        return 1


def _silence() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline", description="Security themes of Arabic news articles.", epilog=__doc__
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Any, summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary)
        added.set_defaults(run=run)
        return added

    def option_config(added: argparse.ArgumentParser) -> None:
        added.add_argument("--config", type=Path, metavar="FILE", help="TOML with the settings to change")

    def option_model(added: argparse.ArgumentParser) -> None:
        added.add_argument(
            "--model", type=Path, default=_MODEL, metavar="FILE", help="or models:/NAME@ALIAS; default: %(default)s"
        )

    def option_on(added: argparse.ArgumentParser) -> None:
        added.add_argument(
            "--articles",
            nargs="+",
            default=[],
            metavar="PATH",
            help="labeled articles to compare on; default: the runs' own",
        )

    validate = command("validate", _validate, "check articles: all problems at once, each with its place and remedy")
    validate.add_argument(
        "paths", nargs="*", metavar="PATH", help=".jsonl .csv .parquet or folders; default: the config's"
    )
    option_config(validate)

    train = command("train", _train, "check, measure, train, save and log a model")
    option_config(train)
    train.add_argument(
        "--set", nargs="+", default=[], metavar="SECTION.KEY=VALUE", help="settings to change: --set classifier.C=0.5"
    )
    train.add_argument("--articles", nargs="+", metavar="PATH", help="default: the config's")
    train.add_argument("--output", type=Path, default=_MODEL.parent, metavar="DIR", help="default: %(default)s")
    train.add_argument("--no-tracking", action="store_true", help="do not log the run to MLflow")

    evaluate = command("evaluate", _evaluate, "measure a model on labeled articles, beside the keyword baseline")
    option_model(evaluate)
    evaluate.add_argument("--articles", nargs="+", required=True, metavar="PATH")
    evaluate.add_argument(
        "--baselines",
        action="store_true",
        help="fit the textbook baseline too, on the articles the model was trained on",
    )
    evaluate.add_argument("--log", metavar="NAME", help="add the figures to the model's MLflow run, under this name")
    evaluate.add_argument("--format", choices=("table", "json"), default="table")

    classify = command("classify", _classify, "say what articles are about")
    option_model(classify)
    classify.add_argument("--format", choices=("table", "jsonl"), default="table")
    classify.add_argument(
        "paths",
        nargs="*",
        default=["-"],
        metavar="PATH",
        help=".txt .jsonl .csv .parquet, folders, or - for standard input (the default)",
    )

    log = command("log", _log, "log a saved model to MLflow, when training could not")
    log.add_argument("model", nargs="?", type=Path, default=_MODEL, metavar="FILE", help="default: %(default)s")

    compare = command("compare", _compare, "compare runs with the first: what is better, what is worse, beyond chance")
    compare.add_argument("runs", nargs="+", metavar="RUN", help=_RUN)
    option_on(compare)

    promote = command("promote", _promote, "make a run's model the champion, if it may be")
    promote.add_argument("name", nargs="?", metavar="RUN", help=_RUN)
    promote.add_argument("--override", default="", metavar="WHY", help="promote it whatever speaks against it")
    promote.add_argument("--rollback", action="store_true", help="make the previous champion the champion again")
    option_on(promote)

    ui = command("ui", _ui, "open MLflow's pages on 127.0.0.1, on a free port")
    ui.add_argument("--port", type=int, default=0, help="default: a free one, from 5000 up")

    curve = command("curve", _curve, "draw the learning curve: what more articles would be worth")
    option_config(curve)
    curve.add_argument("--articles", nargs="+", metavar="PATH", help="labeled articles to measure on as well")
    curve.add_argument("--output", type=Path, default=Path("models/report/learning-curve.png"), metavar="FILE")

    describe = command("describe", _describe, "print the figures of the data card: composition, variety, agreement")
    option_config(describe)
    describe.add_argument("--against", nargs="+", metavar="PATH", help="articles to compare the variety of words with")
    describe.add_argument("--readings", type=Path, metavar="FILE", help="JSON Lines: id, first, second")
    describe.add_argument("--write", type=Path, metavar="PAGE", help="put them between the marks of this page instead")

    benchmark = command("benchmark", _benchmark, "measure speed, size and quality beside scikit-learn and fastText")
    option_config(benchmark)
    benchmark.add_argument(
        "--articles", nargs="+", metavar="PATH", help="with themes or category; default: the config's"
    )
    benchmark.add_argument("--most", type=int, default=0, metavar="N", help="articles to take at random; default: all")
    benchmark.add_argument(
        "--output", type=Path, default=Path("models/benchmark"), metavar="DIR", help="default: %(default)s"
    )

    ablate = command("ablate", _ablate, "measure what each choice is worth: learners, features, normalizer rules")
    option_config(ablate)
    ablate.add_argument("--articles", nargs="+", metavar="PATH", help="labeled articles to measure on as well")

    explain = command("explain", _explain, "say which words spoke for and against the themes of articles")
    option_model(explain)
    explain.add_argument("--html", type=Path, metavar="PAGE", help="write a page with the words highlighted instead")
    explain.add_argument(
        "paths",
        nargs="*",
        default=["-"],
        metavar="PATH",
        help=".txt .jsonl .csv .parquet, folders, or - for standard input (the default)",
    )

    search = command("search", _search, "search for better settings by cross-validation; killed, it goes on")
    option_config(search)
    search.add_argument("--trials", type=int, default=30, metavar="N", help="to be done in all; default: %(default)s")
    search.add_argument(
        "--output", type=Path, default=Path("models/search"), metavar="DIR", help="default: %(default)s"
    )
    search.add_argument("--no-tracking", action="store_true", help="do not log the trials to MLflow")

    inspect = command("inspect", _inspect, "tell what is in a model file without loading it; 1 if anything is amiss")
    inspect.add_argument("path", type=Path, nargs="?", default=_MODEL, metavar="FILE", help="default: %(default)s")
    inspect.add_argument("--format", choices=("table", "json"), default="table")

    export = command("export", _export, "copy a model and its card, or write it as skops, which is safe to load")
    option_model(export)
    export.add_argument("--output", type=Path, required=True, metavar="DIR")
    export.add_argument("--format", choices=("joblib", "skops"), default="joblib")

    serve = command("serve", _serve, "put the champion behind HTTP on 127.0.0.1, with MLflow's own server")
    serve.add_argument(
        "--model", default=_CHAMPION, metavar="MODEL", help="or the folder of a logged model; default: %(default)s"
    )
    serve.add_argument("--port", type=int, default=0, help="default: a free one, from 5000 up")
    return parser


def _validate(options: argparse.Namespace) -> int:
    from .config import read_config
    from .progress import step
    from .report import format_table
    from .themes import read_taxonomy
    from .train import describe
    from .validate import load_corpus

    config = read_config(options.config)
    taxonomy = read_taxonomy(Path(config.data.themes))
    with step("checking the articles"):
        corpus = load_corpus(options.paths or config.data.articles, taxonomy, config.validation)
    counts = describe(corpus, taxonomy)
    rows = [[name, str(count)] for name, count in counts["themes"].items()]
    totals = [
        ["(none)", str(counts["none"])],
        ["(several)", str(counts["several_themes"])],
        ["all", str(counts["articles"])],
    ]
    print(format_table(["theme", "articles"], rows + totals))
    return 0


def _train(options: argparse.Namespace) -> int:
    import dataclasses

    from .config import change, read_config, read_settings
    from .progress import step
    from .report import format_comparison
    from .train import train

    config = change(read_config(options.config), read_settings(options.set))
    if options.articles:
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, articles=tuple(options.articles)))
    trained = train(config, options.output)
    lines = [
        f"cross-validation, {trained.cross_validation.evaluations['model'].n} articles\n",
        format_comparison(trained.cross_validation),
        f"\nheld-out test, {trained.test.evaluations['model'].n} articles\n",
        format_comparison(trained.test),
        f"\nmodel    {trained.path}  ({trained.card['bytes'] / 1e6:.1f} MB, sha256 {trained.card['sha256'][:12]}…)",
        f"mistakes {trained.path.parent / 'report' / 'errors.jsonl'}",
    ]
    try:
        print("\n".join(lines), flush=True)
    except BrokenPipeError:  # the run is still to be logged
        _silence()
    if not options.no_tracking:
        from .tracking import log_run, tracking_uri

        with step("logging the run to MLflow"):
            run = log_run(trained.path)
        where = tracking_uri()
        see = f"mlflow ui --backend-store-uri {where}" if where.startswith("sqlite") else where
        print(f"run      {run}; see it with: {see}")
    print("next     make classify ARTICLES=FILE")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from .artifact import load_model, read_card
    from .baselines import predict_by_keywords
    from .compare import KEYWORDS, MODEL, Answers, answer, ask_baselines, compare
    from .config import config_from_dict
    from .corpus import corpus_hash
    from .errors import DataError
    from .measure import read_labeled
    from .progress import step
    from .report import format_comparison
    from .train import answer_sheet, label
    from .validate import load_corpus

    model, card = load_model(options.model), read_card(options.model)
    config, taxonomy = config_from_dict(card.get("config"), str(options.model)), model.taxonomy
    with step("reading and checking the articles"):
        measured = read_labeled(card, options.articles)
    texts = measured.labeled.texts
    if measured.known:
        print(
            f"warning: the model was trained on {measured.known} of these {len(texts)} articles and repeats what it "
            "was told of them; leave them out to learn how it does on others",
            file=sys.stderr,
        )
    with step(f"classifying {len(texts)} articles"):
        answers = {MODEL: answer(model, texts)}
    if options.baselines:
        with step("fitting the textbook baseline"):
            corpus = load_corpus(config.data.articles, taxonomy, config.validation)
            if corpus_hash(corpus.articles) != card["corpus"]["sha256"]:
                raise DataError(
                    f"{', '.join(config.data.articles)}: not the articles the model was trained on; "
                    "train it again, or leave out --baselines"
                )
            answers |= ask_baselines(taxonomy, label(corpus, taxonomy), texts)
    else:
        answers[KEYWORDS] = Answers(predict_by_keywords(taxonomy, texts), None)
    with step("intervals"):
        comparison = compare(taxonomy, measured.labeled, answers, config.evaluation, model.thresholds_)
    if options.format == "json":
        print(json.dumps(comparison.to_dict(), ensure_ascii=False, indent=2))
    else:
        print(format_comparison(comparison))
    if options.log:
        from .tracking import log_evaluation

        sheet = answer_sheet(options.log, measured.articles, measured.labeled, answers[MODEL])
        with step("logging to MLflow"):
            log_evaluation(card, options.log, comparison, sheet)
    return 0


def _classify(options: argparse.Namespace) -> int:
    from .artifact import load_model
    from .corpus import STDIN, find_files, read_records, read_stdin
    from .predict import classify

    model = load_model(options.model)
    arabic = {theme.name: theme.ar for theme in model.taxonomy.themes}
    streams: list[tuple[str, Iterator[Any]]] = []
    for path in dict.fromkeys(options.paths):
        if path == STDIN:
            streams.append(("stdin", read_stdin()))
        else:
            streams += [(str(file), read_records(file)) for file in find_files([path])]
    sound = True
    for name, records in streams:
        empty = True
        readable = _until_broken(records)
        while batch := list(islice(readable, _BATCH)):
            empty = False
            found = list(_texts(batch))
            sound &= len(found) == len(batch)
            for article, prediction in zip(found, classify(model, found), strict=True):
                if options.format == "jsonl":
                    print(json.dumps(_to_json(article, prediction), ensure_ascii=False))
                else:
                    print(_to_lines(article, prediction, arabic))
        if empty:
            print(f"{name}: warning: no articles", file=sys.stderr)
    return 0 if sound else 2


def _until_broken(records: Iterator[Any]) -> Iterator[Any]:
    """Give the records of a file; where the file as a whole fails, a last one that says so, and other files go on."""
    from .corpus import Record
    from .errors import DataError

    try:
        yield from records
    except DataError as error:
        yield Record("error", {}, str(error))


def _texts(records: list[Any]) -> Iterator["Article"]:
    """Give the readable records as articles; say on standard error what is wrong with the others."""
    from .article import Article, text_problem

    for record in records:
        title, text = (record.fields.get(key) or "" for key in ("title", "text"))
        problem = record.problem
        if not problem and not (isinstance(title, str) and isinstance(text, str)):
            problem = "'title' and 'text' must be texts; write them in quotation marks"
        if not problem and "text" not in record.fields and not title:
            problem = 'no field "text"; write {"text": …}'
        if problem:
            print(f"{record.source}: {problem}", file=sys.stderr)
            continue
        name = record.fields.get("id")
        article = Article(record.source if name is None else str(name), title, text)
        if doubt := text_problem(article.full_text):
            print(f"{record.source}: warning: {doubt}", file=sys.stderr)
        yield article


def _to_json(article: "Article", prediction: "Prediction") -> dict[str, Any]:
    scores = {theme: round(score, 4) for theme, score in prediction.scores.items()}
    return {"id": article.id, "themes": list(prediction.themes), "primary": prediction.primary, "scores": scores}


def _to_lines(article: "Article", prediction: "Prediction", arabic: dict[str, str]) -> str:
    head = " ".join(article.full_text.partition("\n")[0].split())[:80]
    lines = [f"{article.id}  {head}"]
    lines += [f"    {theme:<22}{prediction.scores[theme]:.2f}  {arabic[theme]}" for theme in prediction.themes]
    if not prediction.themes:
        nearest = max(prediction.scores, key=prediction.scores.__getitem__)
        lines.append(f"    {prediction.primary:<22}      nearest: {nearest} {prediction.scores[nearest]:.2f}")
    return "\n".join(lines)


def _log(options: argparse.Namespace) -> int:
    from .progress import step
    from .tracking import log_run

    with step("logging the run to MLflow"):
        run = log_run(options.model.with_suffix(".joblib"))
    print(f"run {run}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from .errors import DataError
    from .progress import step
    from .registry import compare_runs
    from .report import format_verdict

    if len(options.runs) < 2:
        raise DataError("name two runs or more: the first is what the others are compared with")
    with step("comparing"):
        found = compare_runs(options.runs, options.articles)
    print("\n\n".join(format_verdict(*each) for each in found))
    return 0


def _promote(options: argparse.Namespace) -> int:
    from .errors import DataError
    from .progress import step
    from .registry import promote, roll_back

    if (options.name is None) != options.rollback:
        raise DataError("name a run, or --rollback: python -m pipeline promote RUN")
    if options.rollback:
        print(roll_back())
        return 0
    with step("checking, and training once more to see whether the model reproduces"):
        done = promote(options.name, options.articles, options.override)
    print(done)
    return 0


def _ui(options: argparse.Namespace) -> int:
    from .tracking import serve_pages

    return serve_pages(options.port)


def _curve(options: argparse.Namespace) -> int:
    from .config import read_config
    from .curve import learning_curve
    from .pictures import draw_curve
    from .progress import step
    from .report import format_curve

    with step("training on growing parts"):
        curve = learning_curve(read_config(options.config), options.articles or [])
    draw_curve(curve, options.output)
    print(format_curve(curve))
    print(f"\npicture {options.output}")
    return 0


def _describe(options: argparse.Namespace) -> int:
    from .config import read_config
    from .corpus import find_files, read_records
    from .datacard import describe_agreement, describe_articles, write_figures
    from .themes import read_taxonomy
    from .validate import load_corpus

    config = read_config(options.config)
    taxonomy = read_taxonomy(Path(config.data.themes))
    corpus = load_corpus(config.data.articles, taxonomy, config.validation)
    others = [article for file in find_files(options.against or []) for article in _texts(list(read_records(file)))]
    figures = describe_articles(corpus, taxonomy, [article.full_text for article in others])
    if options.readings:
        figures += "\n\n" + describe_agreement(corpus.articles, taxonomy, options.readings)
    if options.write:
        write_figures(options.write, figures)
    else:
        print(figures)
    return 0


def _ablate(options: argparse.Namespace) -> int:
    from .ablate import ablate
    from .config import read_config

    print(ablate(read_config(options.config), options.articles or []))
    return 0


def _benchmark(options: argparse.Namespace) -> int:
    from .benchmark import benchmark
    from .config import read_config
    from .themes import read_taxonomy

    config = read_config(options.config)
    taxonomy = read_taxonomy(Path(config.data.themes))
    print(benchmark(config, taxonomy, options.articles or config.data.articles, options.most, options.output))
    return 0


def _explain(options: argparse.Namespace) -> int:
    from .artifact import load_model, write_text
    from .corpus import STDIN, find_files, read_records, read_stdin
    from .explain import explain
    from .page import format_page
    from .report import format_explanations

    model = load_model(options.model)
    streams: list[tuple[str, Iterator[Any]]] = []
    for path in dict.fromkeys(options.paths):
        if path == STDIN:
            streams.append(("stdin", read_stdin()))
        else:
            streams += [(str(file), read_records(file)) for file in find_files([path])]
    sound, explained = True, []
    for name, records in streams:
        empty = True
        for record in _until_broken(records):
            empty = False
            found = list(_texts([record]))
            sound &= bool(found)
            for article in found:
                if options.html:
                    explained.append((article, explain(model, article)))
                else:
                    print(format_explanations(article, explain(model, article), model.taxonomy))
        if empty:
            print(f"{name}: warning: no articles", file=sys.stderr)
    if options.html:
        write_text(options.html, format_page(explained, model.taxonomy))
        print(f"page {options.html}")
    return 0 if sound else 2


def _search(options: argparse.Namespace) -> int:
    from joblib import parallel_config

    from .config import read_config
    from .progress import step
    from .search import format_found, search

    config = read_config(options.config)
    with parallel_config(n_jobs=-1):  # all processors, or all workers of another backend that is active
        found = search(config, options.output, options.trials)
    print(format_found(found))
    print(f"\nsettings {found.path}")
    if not options.no_tracking:
        from .tracking import log_search

        with step("logging the trials to MLflow"):
            log_search(found, config)
    print(f"next     python -m pipeline train --config {found.path}")
    return 0


def _inspect(options: argparse.Namespace) -> int:
    from .inspection import inspect_model
    from .report import format_inspection

    found = inspect_model(options.path)
    print(json.dumps(found, ensure_ascii=False, indent=2) if options.format == "json" else format_inspection(found))
    return 1 if found["problems"] else 0


def _export(options: argparse.Namespace) -> int:
    from .artifact import read_card
    from .export import export_model

    path = export_model(options.model, options.output, options.format)
    print(f"{path}  sha256 {read_card(path)['sha256']}")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from .serve import serve_model

    return serve_model(options.model, options.port)
