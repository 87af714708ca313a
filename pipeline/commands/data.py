"""Commands for those who write and label articles."""

import argparse
import sys
from pathlib import Path

from .options import (
    Command,
    option_config,
)


def add(command: Command) -> None:
    """Add these commands to the parser."""
    validate = command("validate", _validate, "check articles: all problems at once, each with its place and remedy")
    validate.add_argument(
        "paths", nargs="*", metavar="PATH", help=".jsonl .csv .parquet or folders; default: the config's"
    )
    option_config(validate)

    describe = command("describe", _describe, "print the figures of the data card: composition, variety, agreement")
    option_config(describe)
    describe.add_argument("--against", nargs="+", metavar="PATH", help="articles to compare the variety of words with")
    describe.add_argument("--readings", type=Path, metavar="FILE", help="JSON Lines: id, first, second")
    describe.add_argument("--write", type=Path, metavar="PAGE", help="put them between the marks of this page instead")


def _validate(options: argparse.Namespace) -> int:
    from ..config import read_config
    from ..progress import step
    from ..report import format_table
    from ..themes import read_taxonomy
    from ..train import describe
    from ..validate import load_corpus

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


def _describe(options: argparse.Namespace) -> int:
    from ..article import Article
    from ..config import read_config
    from ..corpus import Record, find_files, read_records, to_article
    from ..datacard import describe_agreement, describe_articles, write_figures
    from ..themes import read_taxonomy
    from ..validate import load_corpus

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
