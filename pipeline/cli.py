"""The commands. Exit code 0: done; 1: failed; 2: wrong usage or data; 130: interrupted."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__
from .errors import PipelineError

if TYPE_CHECKING:
    from .article import Article
    from .predict import Prediction

_MODEL = Path("models/security-themes.joblib")


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
        print(f"error: this command needs {error.name}: pip install 'security-themes[train]'", file=sys.stderr)
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
        added.add_argument("--model", type=Path, default=_MODEL, metavar="FILE", help="default: %(default)s")

    validate = command("validate", _validate, "check articles: all problems at once, each with its place and remedy")
    validate.add_argument(
        "paths", nargs="*", metavar="PATH", help=".jsonl .csv .parquet or folders; default: the config's"
    )
    option_config(validate)

    train = command("train", _train, "check, measure, train, save and log a model")
    option_config(train)
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
    evaluate.add_argument("--format", choices=("table", "json"), default="table")

    classify = command("classify", _classify, "say what articles are about")
    option_model(classify)
    classify.add_argument("--format", choices=("table", "jsonl"), default="table", help="of what is printed")
    classify.add_argument("--output", type=Path, metavar="FILE", help=".jsonl .csv .parquet .jsonl.gz .csv.gz")
    classify.add_argument("--resume", action="store_true", help="go on with an --output that was not completed")
    classify.add_argument(
        "--on-error",
        choices=("report", "skip", "fail"),
        default="report",
        help="a record that cannot be read: say so and exit with 2 at the end (default), count it, or stop",
    )
    classify.add_argument("--errors", type=Path, metavar="FILE", help="JSON Lines of the records that cannot be read")
    classify.add_argument("--jobs", type=_positive, default=1, metavar="N", help="processes; default: %(default)s")
    classify.add_argument(
        "paths",
        nargs="*",
        default=["-"],
        metavar="PATH",
        help=".txt .jsonl .csv .parquet, folders, or - for standard input (the default)",
    )

    log = command("log", _log, "log a saved model to MLflow, when training could not")
    option_model(log)

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
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


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

    from .config import read_config
    from .progress import step
    from .report import format_comparison
    from .train import train

    config = read_config(options.config)
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
    from .corpus import corpus_hash, text_hashes
    from .errors import DataError
    from .progress import step
    from .report import format_comparison
    from .train import label
    from .validate import load_corpus, load_labeled

    model, card = load_model(options.model), read_card(options.model)
    config, taxonomy = config_from_dict(card.get("config"), str(options.model)), model.taxonomy
    with step("reading and checking the articles"):
        measured = load_labeled(options.articles, taxonomy, config.validation)
        labeled = label(measured, taxonomy)
    texts = labeled.texts
    trained_on = card.get("corpus", {}).get("texts", "").split()  # models of earlier versions do not tell
    if known := len(set(text_hashes(measured.articles)) & set(trained_on)):
        print(
            f"warning: the model was trained on {known} of these {len(texts)} articles and repeats what it was told "
            "of them; leave them out to learn how it does on others",
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
        comparison = compare(taxonomy, labeled, answers, config.evaluation, model.thresholds_)
    if options.format == "json":
        print(json.dumps(comparison.to_dict(), ensure_ascii=False, indent=2))
    else:
        print(format_comparison(comparison))
    return 0


def _classify(options: argparse.Namespace) -> int:
    from .artifact import load_model, read_card
    from .corpus import Inputs
    from .errors import DataError
    from .outputs import AnswerFile, AnswerPrinter, answer_inputs, to_json

    model = load_model(options.model)
    inputs = Inputs(options.paths)
    target: AnswerFile | AnswerPrinter
    if options.output:
        if options.output.resolve() in [file.resolve() for file in inputs.files if file]:
            raise DataError(f"{options.output}: this is one of the inputs; name another file for the answers")
        if options.resume and None in inputs.files:
            raise DataError("standard input cannot be read again; --resume needs files")
        run = {"model": read_card(options.model)["sha256"], "list of inputs": inputs.describe()}
        target = AnswerFile(options.output, model.taxonomy.names, run, options.errors, options.resume)
    elif options.resume:
        raise DataError("--resume needs --output FILE: what was printed cannot be gone on with")
    elif options.format == "jsonl":
        target = AnswerPrinter(to_json, options.errors)
    else:
        arabic = {theme.name: theme.ar for theme in model.taxonomy.themes}
        target = AnswerPrinter(partial(_to_lines, arabic=arabic), options.errors)
    show_bar = bool(options.output) or not sys.stdout.isatty()
    with target:
        answer_inputs(model, inputs, target, options.on_error, options.jobs, show_bar)
    if target.unread and (options.on_error == "skip" or options.output):
        print(f"{target.unread} of {target.records} records could not be read", file=sys.stderr)
    return 2 if target.unread and options.on_error == "report" else 0


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
        run = log_run(options.model)
    print(f"run {run}")
    return 0


def _curve(options: argparse.Namespace) -> int:
    from .config import read_config
    from .curve import learning_curve
    from .progress import step
    from .report import draw_curve, format_curve

    with step("training on growing parts"):
        curve = learning_curve(read_config(options.config), options.articles or [])
    draw_curve(curve, options.output)
    print(format_curve(curve))
    print(f"\npicture {options.output}")
    return 0


def _describe(options: argparse.Namespace) -> int:
    from .article import Article
    from .config import read_config
    from .corpus import Record, find_files, read_records, to_article
    from .datacard import describe_agreement, describe_articles, write_figures
    from .themes import read_taxonomy
    from .validate import load_corpus

    config = read_config(options.config)
    taxonomy = read_taxonomy(Path(config.data.themes))
    corpus = load_corpus(config.data.articles, taxonomy, config.validation)
    records = [to_article(record) for file in find_files(options.against or []) for record in read_records(file)]
    others = [article for article in records if isinstance(article, Article)]
    for record in records:
        if isinstance(record, Record):
            print(f"{record.source}: {record.problem}", file=sys.stderr)
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
