"""Answers in files: JSON Lines, CSV or Parquet; whole or not there, and gone on with after a kill.

Until it is complete, ``FILE`` is ``FILE.part``. Beside it ``FILE.part.json``, the checkpoint, says how many records of
the input are done with and how many bytes hold their answers; it is replaced only when these bytes are on the disk.
What follows them was left by a kill: a resumed run removes it and goes on from there.

* ``.gz`` is one gzip member from each checkpoint to the next, which readers take for one file.
* Parquet cannot be appended to: its ``.part`` is JSON Lines, turned into Parquet at the end.
"""

import csv
import fcntl
import gzip
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, Self

from .article import Article, text_problem
from .artifact import write_text, writing
from .classifier import ThemeClassifier
from .corpus import Inputs, Record, to_article
from .errors import DataError, PipelineError
from .predict import Prediction
from .progress import article_bar, say
from .stream import Answer, classify_records
from .words import batched

SUFFIXES = (".jsonl", ".csv", ".parquet", ".jsonl.gz", ".csv.gz")
_STRIDE = 4096  # records between checkpoints: about a second of work, and a megabyte of answers
_ROW_GROUP = 1 << 14  # rows of a Parquet file that are in memory at a time


def to_dict(article: Article, prediction: Prediction) -> dict[str, Any]:
    """Give an answer as a JSON object: id, themes, primary, scores to 4 digits, that of none, reasons to be unsure."""
    scores = {theme: round(score, 4) for theme, score in prediction.scores.items()}
    answer = {"id": article.id, "themes": list(prediction.themes), "primary": prediction.primary, "scores": scores}
    return {**answer, "none": round(prediction.none, 4), "unsure": list(prediction.unsure)}


def to_jsonl(answers: Iterable[Answer]) -> str:
    """Give answers as lines of JSON."""
    return _to_lines(to_dict(*answer) for answer in answers)


def to_csv(answers: Iterable[Answer]) -> str:
    """Give answers as rows of CSV; several themes, or reasons to be unsure, are parted by ``|``."""
    return _to_rows(_to_row(to_dict(*answer)) for answer in answers)


class PartFile:
    """A file that is called ``NAME.part`` until it is complete; packed if its name ends in ``.gz``.

    Parameters
    ----------
    path : Path
        Its folder is made if need be.
    size : int, default=0
        Bytes to keep of those that are there.

    Raises
    ------
    DataError
        If another process is writing to it, or it has fewer bytes than are to be kept.
    """

    def __init__(self, path: Path, size: int = 0) -> None:
        self.path, self.size = path, size
        path.parent.mkdir(parents=True, exist_ok=True)
        self._part = _part_path(path)
        self._file = self._part.open("ab")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # of the process: a kill frees it
            if (found := self._part.stat().st_size) < size:
                raise DataError(
                    f"{self._part}: {found} bytes, but {size} were written; it was cut short or removed since. "
                    "To begin anew, delete it and the .part.json"
                )
        except BaseException as error:
            self._file.close()
            if isinstance(error, BlockingIOError):
                raise DataError(f"{self._part}: another run is writing here; give each its own file") from error
            raise
        self._file.truncate(size)

    def write(self, content: bytes) -> None:
        """Append bytes, and see to it that they survive a loss of power."""
        if self.path.suffix == ".gz":
            content = gzip.compress(content, compresslevel=6, mtime=0)
        try:
            self._file.write(content)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise PipelineError(
                f"{self._part}: cannot write: {error.strerror}; make room, then go on with --resume"
            ) from error
        self.size += len(content)

    def finish(self, move: Callable[[Path, Path], object] = os.replace) -> None:
        """Give it its name."""
        move(self._part, self.path)
        self.close()

    def close(self) -> None:
        """Leave it as it is."""
        self._file.close()


@dataclass(frozen=True)
class Checkpoint:
    """What ``FILE.part.json`` holds.

    Attributes
    ----------
    run : dict
        What must be the same for the run to be gone on with.
    records, unread : int
        Records of the input that are done with, and how many of them could not be read.
    sizes : sequence of int
        Bytes of the file of answers, and of the one of problems, that belong to these records.
    complete : bool
        Whether the input is at its end, so that only the names are to be changed.
    """

    run: dict[str, Any]
    records: int = 0
    unread: int = 0
    sizes: Sequence[int] = (0, 0)
    complete: bool = False


class AnswerFile:
    """A file of answers, and one of problems where it is asked for; a context manager.

    Parameters
    ----------
    path : Path
        Ends in one of `SUFFIXES`.
    themes : sequence of str
        Those that are scored, in the order of the columns.
    run : dict
        What must be the same for the run to be gone on with: what it is, for people, to a string or list of strings.
    problems : Path or None, default=None
        JSON Lines: source and problem of each record that could not be read.
    resume : bool, default=False
        Go on where an earlier run stopped, if one did.

    Attributes
    ----------
    done : Checkpoint
        How far it is, on the disk.
    records, unread : int
        How far it is, what waits to be written included.
    to_text : callable
        From answers to what `write` takes.

    Raises
    ------
    DataError
        If the ending is unknown; an earlier run stopped here and `resume` is false; or it is true, and that run was
        another one.
    """

    def __init__(
        self, path: Path, themes: Sequence[str], run: dict[str, Any], problems: Path | None = None, resume: bool = False
    ) -> None:
        if not path.name.lower().endswith(SUFFIXES):
            raise DataError(f"{path}: cannot write files of this kind. Writable: {', '.join(SUFFIXES)}")
        if path.suffix == ".parquet":
            import pyarrow.parquet  # noqa: F401  # missed now rather than at the end
        self._path, self._themes = path, themes
        self.done = _read_checkpoint(path, run | {"file of problems": str(problems or "")}, resume)
        self.records, self.unread = self.done.records, self.done.unread
        self._files = [
            PartFile(file, size)
            for file, size in zip([path, problems], self.done.sizes, strict=False)
            if file and not (self.done.complete and not _part_path(file).exists())  # it has its name already
        ]
        self._waiting = [bytearray() for _ in self._files]
        is_csv = path.name.lower().endswith((".csv", ".csv.gz"))
        self.to_text = to_csv if is_csv else to_jsonl
        if is_csv and not self.done.sizes[0]:
            header = ["id", "themes", "primary", *(f"score.{theme}" for theme in themes), "none", "unsure"]
            self._waiting[0] += _encode(_to_rows([header]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for file in self._files:
            file.close()
        if kind and self.done.records:
            say(f"{_part_path(self._path)}: {self.done.records} records are done; go on with --resume")

    def write(self, text: str, records: int, unread: Sequence[Record]) -> None:
        """Add the answers to some records, and the problems of those that could not be read."""
        self._waiting[0] += _encode(text)
        if len(self._files) > 1:
            self._waiting[1] += _encode(_to_lines(map(_to_problem, unread)))
        self.records += records
        self.unread += len(unread)
        if self.records - self.done.records >= _STRIDE:
            self.commit()

    def commit(self, complete: bool = False) -> None:
        """Write to the disk what waits, and then the checkpoint."""
        for file, content in zip(self._files, self._waiting, strict=True):
            if content or not file.size:  # an empty archive has bytes too
                file.write(bytes(content))
            content.clear()
        self.done = Checkpoint(self.done.run, self.records, self.unread, [file.size for file in self._files], complete)
        text = json.dumps(asdict(self.done), ensure_ascii=False, indent=2)
        write_text(_checkpoint_path(self._path), text + "\n")

    def finish(self) -> None:
        """Give the files their names. A run killed in between is finished by a resumed one."""
        if not self.done.complete:
            self.commit(complete=True)
        for file in self._files:
            if file.path == self._path and self._path.suffix == ".parquet":
                file.finish(partial(_to_parquet, themes=self._themes))
            else:
                file.finish()
        _checkpoint_path(self._path).unlink()


class AnswerPrinter:
    """Answers on standard output, used as an `AnswerFile` is; problems in a file where it is asked for."""

    def __init__(self, to_text: Callable[[Iterable[Answer]], str], problems: Path | None = None) -> None:
        self.done, self.records, self.unread = Checkpoint({}), 0, 0
        self.to_text = to_text
        self._problems = PartFile(problems) if problems else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._problems:
            self._problems.close()

    def write(self, text: str, records: int, unread: Sequence[Record]) -> None:
        """Print answers; write problems."""
        print(text, end="")
        if self._problems and unread:
            self._problems.write(_encode(_to_lines(map(_to_problem, unread))))
        self.records += records
        self.unread += len(unread)

    def commit(self) -> None:
        """Do nothing: what is printed stays printed."""

    def finish(self) -> None:
        """Give the file of problems its name."""
        if self._problems:
            self._problems.finish()


def answer_inputs(
    model: ThemeClassifier,
    inputs: Inputs,
    target: AnswerFile | AnswerPrinter,
    on_error: str = "report",
    n_jobs: int = 1,
    show_bar: bool = True,
) -> None:
    """Classify what is read, from where `target` stands to the end, and finish it.

    Parameters
    ----------
    model : ThemeClassifier
    inputs : Inputs
    target : AnswerFile or AnswerPrinter
        Entered already.
    on_error : {"report", "skip", "fail"}, default="report"
        What to do about a record that cannot be read: say so on standard error and go on, only go on, or stop.
    n_jobs : int, default=1
        Processes.
    show_bar : bool, default=True
        Whether to show progress, if standard error is a terminal.

    Raises
    ------
    DataError
        If `on_error` is "fail" and a record cannot be read; all before it is written.
    """
    items: Iterable[Article | Record] = map(to_article, islice(inputs, target.records, None))
    stopped: list[Record] = []
    if target.done.complete:
        items = ()
    elif on_error == "fail":
        items = _read_until_unread(items, stopped)
    form = partial(_form, target.to_text)
    with article_bar(target.records, show_bar) as show, closing(classify_records(model, items, form, n_jobs)) as formed:
        for some, (text, problems) in formed:
            doubts = iter(problems)
            for item in some:
                if isinstance(item, Article):
                    if doubt := next(doubts):
                        say(f"{item.source}: warning: {doubt}")
                elif on_error == "report":
                    say(f"{item.source}: {item.problem}")
            target.write(text, len(some), [item for item in some if isinstance(item, Record)])
            show(target.records, inputs.expected)
    if stopped:
        target.commit()
        raise DataError(f"{stopped[0].source.removeprefix('error: ')}: {stopped[0].problem}")
    target.finish()


def _read_until_unread(items: Iterable[Article | Record], stopped: list[Record]) -> Iterator[Article]:
    """Give articles up to the first record that is none, which is put into a list."""
    for item in items:
        if isinstance(item, Record):
            stopped.append(item)
            return
        yield item


def _form(to_text: Callable[[Iterable[Answer]], str], answers: list[Answer]) -> tuple[str, list[str]]:
    """Write answers, and say of each text what keeps it from being judged, or nothing."""
    return to_text(answers), [text_problem(article.full_text) if said.unsure else "" for article, said in answers]


def _part_path(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _checkpoint_path(path: Path) -> Path:
    return path.with_name(path.name + ".part.json")


def _read_checkpoint(path: Path, run: dict[str, Any], resume: bool) -> Checkpoint:
    where = _checkpoint_path(path)
    try:
        saved = Checkpoint(**json.loads(where.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Checkpoint(run)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{where}: not a checkpoint ({error}); to begin anew, delete it") from error
    if not resume:
        raise DataError(
            f"{path}: an earlier run stopped after {saved.records} records; go on with --resume, or delete {where} "
            "to begin anew"
        )
    for name, now in run.items():
        then = saved.run.get(name)
        if then != now:
            pairs = zip_longest(then, now) if isinstance(then, list) and isinstance(now, list) else [(then, now)]
            old, new = next(pair for pair in pairs if pair[0] != pair[1])
            raise DataError(
                f"{where}: begun with another {name}: then {old or 'none'}, now {new or 'none'}. Go on with what it "
                "was begun with, or delete the checkpoint to begin anew"
            )
    return saved


_to_json = json.JSONEncoder(ensure_ascii=False).encode


def _to_lines(objects: Iterable[dict[str, Any]]) -> str:
    return "".join([_to_json(some) + "\n" for some in objects])


def _to_rows(rows: Iterable[list[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")  # half characters as escapes, which JSON reads back


def _to_row(answer: dict[str, Any]) -> list[Any]:
    themes, unsure = ("|".join(answer[name]) for name in ("themes", "unsure"))
    return [answer["id"], themes, answer["primary"], *answer["scores"].values(), answer["none"], unsure]


def _to_problem(record: Record) -> dict[str, Any]:
    return {"source": record.source.removeprefix("error: "), "problem": record.problem}


def _to_parquet(part: Path, path: Path, themes: Sequence[str]) -> None:
    """Turn JSON Lines into Parquet."""
    import pyarrow
    import pyarrow.parquet

    text, number = pyarrow.string(), pyarrow.float64()
    columns = {"id": text, "themes": pyarrow.list_(text), "primary": text, **{f"score.{t}": number for t in themes}}
    columns |= {"none": number, "unsure": pyarrow.list_(text)}
    schema = pyarrow.schema(columns.items())
    staged = path.with_name(path.name + ".new")
    with part.open("rb") as lines, writing(staged) as file, pyarrow.parquet.ParquetWriter(file, schema) as writer:
        for some in batched(map(json.loads, lines), _ROW_GROUP):
            ids = [answer["id"].encode("utf-8", "backslashreplace").decode() for answer in some]
            scores = [[answer["scores"][theme] for answer in some] for theme in themes]
            other = [[answer[name] for answer in some] for name in ("themes", "primary")]
            last = [[answer[name] for answer in some] for name in ("none", "unsure")]
            writer.write_batch(pyarrow.record_batch([ids, *other, *scores, *last], schema=schema))
    os.replace(staged, path)
    part.unlink()
