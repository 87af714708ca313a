"""Options that several commands share."""

import argparse
from collections.abc import Callable
from pathlib import Path

MODEL = Path("models/security-themes.joblib")
Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def option_config(added: argparse.ArgumentParser) -> None:
    """``--config``."""
    added.add_argument("--config", type=Path, metavar="FILE", help="TOML with the settings to change")


def option_model(added: argparse.ArgumentParser) -> None:
    """``--model``."""
    added.add_argument(
        "--model", type=Path, default=MODEL, metavar="FILE", help="or models:/NAME@ALIAS; default: %(default)s"
    )


def option_no_tracking(added: argparse.ArgumentParser) -> None:
    """``--no-tracking``."""
    added.add_argument("--no-tracking", action="store_true", help="do not log the run to MLflow")


def option_output(added: argparse.ArgumentParser, default: str) -> None:
    """``--output``, a folder."""
    added.add_argument("--output", type=Path, default=Path(default), metavar="DIR", help="default: %(default)s")


def option_also(added: argparse.ArgumentParser) -> None:
    """``--articles``, beside those of the configuration."""
    added.add_argument("--articles", nargs="+", metavar="PATH", help="labeled articles to measure on as well")


def option_paths(added: argparse.ArgumentParser) -> None:
    """Articles to read."""
    added.add_argument(
        "paths",
        nargs="*",
        default=["-"],
        metavar="PATH",
        help=".txt .jsonl .csv .parquet, folders, or - for standard input (the default)",
    )
