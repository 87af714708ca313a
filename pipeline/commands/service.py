"""Commands for services: classify, and carry a model to where it is used."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .options import (
    MODEL,
    Command,
    option_model,
    option_output,
    option_paths,
)

if TYPE_CHECKING:
    from ..stream import Answer

_CHAMPION = "models:/security-themes@champion"


def add(command: Command) -> None:
    """Add these commands to the parser."""
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
    option_paths(classify)

    inspect = command("inspect", _inspect, "tell what is in a model file without loading it; 1 if anything is amiss")
    inspect.add_argument("path", type=Path, nargs="?", default=MODEL, metavar="FILE", help="default: %(default)s")
    inspect.add_argument("--format", choices=("table", "json"), default="table")

    export = command("export", _export, "copy a model and its card, or write it as skops, which is safe to load")
    option_model(export)
    export.add_argument("--output", type=Path, required=True, metavar="DIR")
    export.add_argument("--format", choices=("joblib", "skops"), default="joblib")

    drift = command("drift", _drift, "tell whether new articles differ from others: themes, scores, words, length")
    option_model(drift)
    drift.add_argument(
        "--reference", nargs="+", required=True, metavar="PATH", help="others, best such as it never learned from"
    )
    drift.add_argument("--articles", nargs="+", required=True, metavar="PATH", help="the new ones; no labels needed")
    option_output(drift, "models/drift")

    serve = command("serve", _serve, "put the champion behind HTTP on 127.0.0.1, with MLflow's own server")
    serve.add_argument(
        "--model", default=_CHAMPION, metavar="MODEL", help="or the folder of a logged model; default: %(default)s"
    )
    serve.add_argument("--port", type=int, default=0, help="default: a free one, from 5000 up")


def _classify(options: argparse.Namespace) -> int:
    from ..workers import fork_workers

    if options.jobs > 1:
        fork_workers()  # which import while this process does

    from ..artifact import load_model, read_card
    from ..corpus import Inputs
    from ..errors import DataError
    from ..outputs import AnswerFile, AnswerPrinter, answer_inputs, to_jsonl

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
        target = AnswerPrinter(to_jsonl, options.errors)
    else:
        target = AnswerPrinter(partial(_to_table, arabic=model.taxonomy.arabic), options.errors)
    show_bar = bool(options.output) or not sys.stdout.isatty()
    with target:
        answer_inputs(model, inputs, target, options.on_error, options.jobs, show_bar)
    if target.unread and (options.on_error == "skip" or options.output):
        print(f"{target.unread} of {target.records} records could not be read", file=sys.stderr)
    return 2 if target.unread and options.on_error == "report" else 0


def _inspect(options: argparse.Namespace) -> int:
    from ..inspection import inspect_model
    from ..report import format_inspection

    found = inspect_model(options.path)
    print(json.dumps(found, ensure_ascii=False, indent=2) if options.format == "json" else format_inspection(found))
    return 1 if found["problems"] else 0


def _export(options: argparse.Namespace) -> int:
    from ..artifact import read_card
    from ..export import export_model

    path = export_model(options.model, options.output, options.format)
    print(f"{path}  sha256 {read_card(path)['sha256']}")
    return 0


def _to_table(answers: "Iterable[Answer]", arabic: dict[str, str]) -> str:
    lines = []
    for article, prediction in answers:
        lines.append(f"{article.id}  {article.headline}")
        lines += [f"    {theme:<22}{prediction.scores[theme]:.2f}  {arabic[theme]}" for theme in prediction.themes]
        if not prediction.themes:
            nearest = max(prediction.scores, key=prediction.scores.__getitem__)
            nearest = f"nearest: {nearest} {prediction.scores[nearest]:.2f}"
            lines.append(f"    {prediction.primary:<22}{prediction.none:.2f}  {nearest}")
        if prediction.unsure:
            lines.append(f"    unsure: {'; '.join(prediction.unsure)}")
    return "".join(f"{line}\n" for line in lines)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _drift(options: argparse.Namespace) -> int:
    from ..article import Article
    from ..artifact import load_model, model_hash, write_text
    from ..corpus import Inputs, to_article
    from ..drift import compare, format_drift, observe
    from ..drift_page import format_drift_page
    from ..progress import say, step

    def read(paths: list[str]) -> Iterator[Article]:
        for item in map(to_article, Inputs(paths)):
            if isinstance(item, Article):
                yield item
            else:
                say(f"{item.source}: {item.problem}")

    model, samples = load_model(options.model), []
    for paths in (options.reference, options.articles):
        name = ", ".join(paths)
        with step(f"classifying {name}"):
            samples.append(observe(model, read(paths), name))
    drift = compare(model.taxonomy.names, *samples)
    found = {"model": model_hash(model), **drift.to_dict()}
    write_text(options.output / "drift.json", json.dumps(found, ensure_ascii=False, indent=2) + "\n")
    write_text(options.output / "drift.html", format_drift_page(drift, model.taxonomy))
    print(f"{format_drift(drift)}\n\npage {options.output / 'drift.html'}")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from ..serve import serve_model

    return serve_model(options.model, options.port)
