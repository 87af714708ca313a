"""Commands for reviewers: compare runs, see why, decide which model goes to production."""

import argparse
from pathlib import Path

from .options import (
    MODEL,
    Command,
    option_model,
    option_paths,
)

_RUN = "an id or a name, or their beginning; or champion, previous, latest"


def add(command: Command) -> None:
    """Add these commands to the parser."""
    log = command("log", _log, "log a saved model to MLflow, when training could not")
    log.add_argument("model", nargs="?", type=Path, default=MODEL, metavar="FILE", help="default: %(default)s")

    compare = command("compare", _compare, "compare runs with the first: what is better, what is worse, beyond chance")
    compare.add_argument("runs", nargs="+", metavar="RUN", help=_RUN)
    _option_on(compare)

    promote = command("promote", _promote, "make a run's model the champion, if it may be")
    promote.add_argument("name", nargs="?", metavar="RUN", help=_RUN)
    promote.add_argument("--override", default="", metavar="WHY", help="promote it whatever speaks against it")
    promote.add_argument("--rollback", action="store_true", help="make the previous champion the champion again")
    _option_on(promote)

    ui = command("ui", _ui, "open MLflow's pages on 127.0.0.1, on a free port")
    ui.add_argument("--port", type=int, default=0, help="default: a free one, from 5000 up")

    explain = command("explain", _explain, "say which words spoke for and against the themes of articles")
    option_model(explain)
    explain.add_argument("--html", type=Path, metavar="PAGE", help="write a page with the words highlighted instead")
    option_paths(explain)


def _option_on(added: argparse.ArgumentParser) -> None:
    added.add_argument(
        "--articles",
        nargs="+",
        default=[],
        metavar="PATH",
        help="labeled articles to compare on; default: the runs' own",
    )


def _log(options: argparse.Namespace) -> int:
    from ..progress import step
    from ..tracking import log_run

    with step("logging the run to MLflow"):
        run = log_run(options.model.with_suffix(".joblib"))
    print(f"run {run}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from ..errors import DataError
    from ..progress import step
    from ..registry import compare_runs
    from ..report import format_verdict

    if len(options.runs) < 2:
        raise DataError("name two runs or more: the first is what the others are compared with")
    with step("comparing"):
        found = compare_runs(options.runs, options.articles)
    print("\n\n".join(format_verdict(*each) for each in found))
    return 0


def _promote(options: argparse.Namespace) -> int:
    from ..errors import DataError
    from ..progress import step
    from ..registry import promote, roll_back

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
    from ..tracking import serve_pages

    return serve_pages(options.port)


def _explain(options: argparse.Namespace) -> int:
    from ..artifact import load_model, write_text
    from ..corpus import Inputs, Record, to_article
    from ..explain import explain
    from ..page import format_page
    from ..progress import say
    from ..report import format_explanations

    model = load_model(options.model)
    names = model.features_.get_feature_names_out()
    explained, unread = [], 0
    for item in map(to_article, Inputs(options.paths)):
        if isinstance(item, Record):
            say(f"{item.source}: {item.problem}")
            unread += 1
        elif options.html:
            explained.append((item, explain(model, item, names=names)))
        else:
            print(format_explanations(item, explain(model, item, names=names), model.taxonomy))
    if options.html:
        write_text(options.html, format_page(explained, model.taxonomy))
        print(f"page {options.html}")
    return 2 if unread else 0
