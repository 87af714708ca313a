"""Commands for data scientists: train, measure, look for better settings."""

import argparse
import json
import sys
from pathlib import Path

from .options import (
    Command,
    option_also,
    option_config,
    option_model,
    option_no_tracking,
    option_output,
)


def add(command: Command) -> None:
    """Add these commands to the parser."""
    train = command("train", _train, "check, measure, train, save and log a model")
    option_config(train)
    train.add_argument(
        "--set", nargs="+", default=[], metavar="SECTION.KEY=VALUE", help="settings to change: --set classifier.C=0.5"
    )
    train.add_argument("--articles", nargs="+", metavar="PATH", help="default: the config's")
    option_output(train, "models")
    option_no_tracking(train)

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

    search = command("search", _search, "search for better settings by cross-validation; killed, it goes on")
    option_config(search)
    search.add_argument("--trials", type=int, default=30, metavar="N", help="to be done in all; default: %(default)s")
    option_output(search, "models/search")
    option_no_tracking(search)

    curve = command("curve", _curve, "draw the learning curve: what more articles would be worth")
    option_config(curve)
    option_also(curve)
    curve.add_argument("--log", type=Path, metavar="MODEL", help="add the picture to this model's MLflow run")
    curve.add_argument("--output", type=Path, default=Path("models/learning-curve.png"), metavar="FILE")

    ablate = command("ablate", _ablate, "measure what each choice is worth: learners, features, normalizer rules")
    option_config(ablate)
    option_also(ablate)

    benchmark = command("benchmark", _benchmark, "measure speed, size and quality beside peers, or how cost grows")
    option_config(benchmark)
    benchmark.add_argument(
        "--articles", nargs="+", metavar="PATH", help="with themes or category; default: the config's"
    )
    benchmark.add_argument("--most", type=int, default=0, metavar="N", help="articles to take at random; default: all")
    instead = benchmark.add_mutually_exclusive_group()
    instead.add_argument(
        "--growth", action="store_true", help="measure seconds and memory as articles grow in number, without peers"
    )
    instead.add_argument("--folds", type=int, metavar="N", help="measure only quality, by cross-validation in N folds")
    sizes = [1000, 4000, 16000, 64000]
    shown = f"with --growth; default: {' '.join(map(str, sizes))}"
    benchmark.add_argument("--sizes", nargs="+", type=int, default=sizes, metavar="N", help=shown)
    option_output(benchmark, "models/benchmark")
    option_no_tracking(benchmark)


def _train(options: argparse.Namespace) -> int:
    import dataclasses

    from ..config import change, read_config, read_settings
    from ..progress import silence_output, step
    from ..report import format_comparison
    from ..train import train

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
        silence_output()
    if not options.no_tracking:
        from ..tracking import log_run, tracking_uri

        with step("logging the run to MLflow"):
            run = log_run(trained.path)
        where = tracking_uri()
        see = f"mlflow ui --backend-store-uri {where}" if where.startswith("sqlite") else where
        print(f"run      {run}; see it with: {see}")
    print("next     make classify ARTICLES=FILE")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from ..artifact import load_model, read_card
    from ..baselines import predict_by_keywords
    from ..compare import KEYWORDS, MODEL, Answers, answer, ask_baselines, compare
    from ..config import config_from_dict
    from ..corpus import corpus_hash
    from ..errors import DataError
    from ..measure import read_labeled
    from ..progress import step
    from ..report import format_comparison
    from ..train import answer_sheet, label
    from ..validate import load_corpus

    model, card = load_model(options.model), read_card(options.model)
    config, taxonomy = config_from_dict(card.get("config"), str(options.model)), model.taxonomy
    with step("reading and checking the articles"):
        measured = read_labeled(card, options.articles)
    texts = measured.labeled.texts
    if known := measured.known_to(card):
        print(
            f"warning: the model was trained on {known} of these {len(texts)} articles and repeats what it "
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
        comparison = compare(taxonomy, measured.labeled, answers, config.evaluation)
    if options.format == "json":
        print(json.dumps(comparison.to_dict(), ensure_ascii=False, indent=2))
    else:
        print(format_comparison(comparison))
    if options.log:
        from ..tracking import log_evaluation

        sheet = answer_sheet(options.log, measured.articles, measured.labeled, answers[MODEL])
        with step("logging to MLflow"):
            log_evaluation(card, options.log, comparison, sheet)
    return 0


def _search(options: argparse.Namespace) -> int:
    from joblib import parallel_config

    from ..config import read_config
    from ..progress import step
    from ..search import format_found, search

    config = read_config(options.config)
    with parallel_config(n_jobs=-1):  # all processors, or all workers of another backend that is active
        found = search(config, options.output, options.trials)
    print(format_found(found))
    print(f"\nsettings {found.path}")
    if not options.no_tracking:
        from ..tracking import log_search

        with step("logging the trials to MLflow"):
            log_search(found, config)
    print(f"next     python -m pipeline train --config {found.path}")
    return 0


def _curve(options: argparse.Namespace) -> int:
    from ..config import read_config
    from ..curve import learning_curve
    from ..pictures import draw_curve
    from ..progress import step
    from ..report import format_curve

    with step("training on growing parts"):
        curve = learning_curve(read_config(options.config), options.articles or [])
    draw_curve(curve, options.output)
    if options.log:
        from ..artifact import read_card
        from ..tracking import log_picture

        log_picture(read_card(options.log), options.output)
    print(format_curve(curve))
    print(f"\npicture {options.output}")
    return 0


def _ablate(options: argparse.Namespace) -> int:
    from ..ablate import ablate
    from ..config import read_config

    print(ablate(read_config(options.config), options.articles or []))
    return 0


def _benchmark(options: argparse.Namespace) -> int:
    from ..benchmark import benchmark
    from ..config import read_config
    from ..growth import measure_growth
    from ..quality import measure_quality
    from ..themes import read_taxonomy

    config = read_config(options.config)
    taxonomy = read_taxonomy(Path(config.data.themes))
    paths = options.articles or config.data.articles
    if options.folds is not None:
        print(measure_quality(config, taxonomy, paths, options.most, options.folds, options.output))
        return 0
    if options.growth:
        print(measure_growth(config, taxonomy, paths, options.most, options.sizes, options.output))
        return 0
    print(benchmark(config, taxonomy, paths, options.most, options.output))
    if not options.no_tracking:
        from ..progress import step
        from ..tracking import log_benchmark

        with step("logging the figures to MLflow"):
            log_benchmark(options.output, config)
    return 0
