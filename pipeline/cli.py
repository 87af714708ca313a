"""The commands. Exit code 0: done; 1: failed; 2: wrong usage or data; 130: interrupted."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from . import __version__
from .commands import data, review, service, training
from .errors import PipelineError
from .progress import silence_output


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
        silence_output()
        return 0
    except ModuleNotFoundError as error:
        extra = "search" if error.name == "optuna" else "train"
        print(f"error: this command needs {error.name}: pip install 'security-themes[{extra}]'", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, a folder without the right to write
        print(f"error: {error}", file=sys.stderr)
        return 1


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

    for module in (data, training, review, service):
        module.add(command)
    return parser
