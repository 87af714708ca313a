"""Reading articles: JSON Lines, CSV, Parquet and plain text, one record after another, and the corpus hash.

Reading never stops at a bad line: the line comes back as a record that says what is wrong with it, so that a command
can report all of them at once, or classify the others.
"""

import csv
import gzip
import hashlib
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from .article import Article
from .errors import DataError
from .normalize import ArabicNormalizer

SUFFIXES = (".jsonl", ".csv", ".parquet", ".txt")
LABELED_SUFFIXES = (".jsonl", ".csv", ".parquet")  # plain text has no place for themes
COLUMNS = ("id", "title", "text", "themes", "date", "outlet_style", "country", "genre", "note")
STDIN = "-"
_LONGEST_CELL = 2**24  # characters; the default of 128 KiB is less than a long article
_LONGEST_LINE = 2**27  # bytes of JSON, or of a text; a small archive may unpack to a line that fills the memory


@dataclass(frozen=True, slots=True)
class Record:
    """One article as it was found, not yet checked.

    Attributes
    ----------
    source : str
        ``file:line``, for messages.
    fields : dict
        Column or key to value; empty where the record could not be read.
    problem : str
        Why it could not be read, with the remedy; empty where it could.
    """

    source: str
    fields: dict[str, Any]
    problem: str = ""


def find_files(paths: Iterable[str | Path], suffixes: tuple[str, ...] = SUFFIXES) -> list[Path]:
    """List the readable files among `paths`; a folder stands for all such files below it, in the order of their names.

    Raises
    ------
    DataError
        If a path does not exist, has another ending, or is a folder with no such file.
    """
    files = []
    for path in map(Path, paths):
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.is_file() and _suffix(file) in suffixes)
            if not found:
                raise DataError(f"{path}: no article files in this folder. Readable: {', '.join(suffixes)}")
            files += found
        elif not path.exists():
            raise DataError(f"{path}: no such file or folder")
        elif _suffix(path) not in suffixes:
            raise DataError(f"{path}: cannot read files of this kind. Readable: {', '.join(suffixes)}, also with .gz")
        else:
            files.append(path)
    return files


def read_records(path: Path, on_bytes: Callable[[int], object] = lambda _: None) -> Iterator[Record]:
    """Read one file, chosen by its ending, a piece at a time however large it is; ``.gz`` is unpacked on the way.

    Parameters
    ----------
    path : Path
    on_bytes : callable, optional
        Told again and again how many more bytes of the file, packed ones for ``.gz``, have been read.

    Raises
    ------
    DataError
        If the file as a whole cannot be read: no permission, a damaged archive, a missing library.
    """
    readers = {".jsonl": lambda file, name: _read_jsonl(_read_lines(file), name), ".csv": _read_csv, ".txt": _read_text}
    suffix = _suffix(path)
    try:
        if suffix == ".parquet":
            yield from _read_parquet(path, on_bytes)
        else:
            with path.open("rb") as packed, gzip.open(packed) if path.suffix == ".gz" else packed as file:
                done = 0
                for record in readers[suffix](file, str(path)):
                    position = packed.tell() if packed.seekable() else 0  # a pipe knows not how far it is
                    on_bytes(position - done)
                    done = position
                    yield record
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot read: {getattr(error, 'strerror', None) or error}") from error


def read_stdin() -> Iterator[Record]:
    """Read standard input: JSON Lines if it starts with ``{``, else the whole of it as one text.

    Raises
    ------
    DataError
        If there is no standard input.
    """
    if sys.stdin is None:
        raise DataError("no standard input; name a file")
    file, lines, line = sys.stdin.buffer, [], b""
    reading = _read_lines(file)
    for line in reading:
        lines.append(line)
        if line.removeprefix(b"\xef\xbb\xbf").strip():  # the first that is not blank says what this is
            break
    if line.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        yield from _read_jsonl(chain(lines, reading), "stdin")
    else:
        yield from _read_text(io.BytesIO(b"".join(lines) + file.read(_LONGEST_LINE)), "stdin")


class Inputs:
    """Files, and standard input, read one after the other as one; it knows how far it is.

    A file that cannot be read as a whole gives a last record that says so, and the others are read.

    Parameters
    ----------
    paths : iterable of str
        Files and folders as in `find_files`; ``-`` is standard input. A path named twice counts once.

    Attributes
    ----------
    files : list of Path or None
        None stands for standard input.
    records : int
        How many were read so far.

    Raises
    ------
    DataError
        As `find_files` does; and, when read, if there is no standard input.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.files: list[Path | None] = []
        for path in dict.fromkeys(paths):
            self.files += [None] if path == STDIN else find_files([path])
        self._sizes = [file.stat().st_size if file else 0 for file in self.files]
        self._bytes = self.records = 0

    def __iter__(self) -> Iterator[Record]:
        for file in self.files:
            before = self.records
            for record in self._read(file):
                self.records += 1
                yield record
            if self.records == before:
                print(f"{file or 'stdin'}: warning: no articles", file=sys.stderr)

    def describe(self) -> list[str]:
        """Name the files with their sizes: another list is other inputs."""
        return [f"{file or STDIN} ({size} bytes)" for file, size in zip(self.files, self._sizes, strict=True)]

    @property
    def expected(self) -> int | None:
        """About how many records there are in all, after what was read; None where that is unknown."""
        known = self._bytes and None not in self.files
        return round(self.records * sum(self._sizes) / self._bytes) if known else None

    def _read(self, file: Path | None) -> Iterator[Record]:
        if file is None:
            yield from read_stdin()
            return
        try:
            yield from read_records(file, self._count)
        except DataError as error:
            yield Record(f"error: {file}", {}, str(error).removeprefix(f"{file}: "))

    def _count(self, more: int) -> None:
        self._bytes += more


def to_article(record: Record) -> Article | Record:
    """Make an article of a record, or give the record with its problem where that cannot be."""
    title, text = (record.fields.get(key) or "" for key in ("title", "text"))
    problem = record.problem
    if not problem and not (isinstance(title, str) and isinstance(text, str)):
        problem = "'title' and 'text' must be texts; write them in quotation marks"
    if not problem and "text" not in record.fields and not title:
        problem = 'no field "text"; write {"text": …}'
    if problem:
        return Record(record.source, record.fields, problem)
    name = record.fields.get("id")
    return Article(record.source if name is None else str(name), title, text, source=record.source)


def corpus_hash(articles: Iterable[Article]) -> str:
    """Hash what a model learns from: ids, titles, texts and themes, whatever the files and their order.

    Returns
    -------
    str
        SHA-256 in hexadecimal.

    >>> a, b = Article("1", "", "نص"), Article("2", "", "نص آخر")
    >>> corpus_hash([a, b]) == corpus_hash([b, a]) != corpus_hash([a])
    True
    """
    digest = hashlib.sha256()
    for article in sorted(articles, key=lambda article: article.id):
        content = [article.id, article.title, article.text, list(article.themes)]
        digest.update(json.dumps(content, ensure_ascii=True).encode() + b"\n")
    return digest.hexdigest()


def text_hashes(articles: Sequence[Article]) -> list[str]:
    """Hash each normalized text shortly, to tell later whether a model was trained on it.

    >>> text_hashes([Article("1", "", "أعلنت الشرطة")]) == text_hashes([Article("2", "", "اعلنت  الشّرطة")])
    True
    """
    texts = ArabicNormalizer().transform([article.full_text for article in articles])
    return [hashlib.sha256(text.encode()).hexdigest()[:8] for text in texts]


def _suffix(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()


def _read_lines(file: Any) -> Iterator[bytes]:
    """Read lines; of one that is longer than `_LONGEST_LINE` one byte more than that."""
    while line := file.readline(_LONGEST_LINE + 1):
        rest = line
        while len(rest) > _LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(_LONGEST_LINE + 1)
        yield line


def _read_jsonl(lines: Iterable[bytes], name: str) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        source = f"{name}:{number}"
        if len(line) > _LONGEST_LINE:
            yield Record(source, {}, f"longer than {_LONGEST_LINE} bytes; write one article a line")
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line or line.isspace():
            continue
        try:
            fields = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            yield Record(source, {}, f"not UTF-8 (byte {error.start + 1} of the line); save the file as UTF-8")
        except (ValueError, RecursionError) as error:  # also whole numbers of thousands of digits
            yield Record(source, {}, f"not JSON ({error}); write one object a line")
        else:
            if isinstance(fields, dict):
                yield Record(source, fields)
            else:
                yield Record(source, {}, f'a JSON {type(fields).__name__}, not an object; write {{"text": …}}')


def _read_csv(file: Any, name: str) -> Iterator[Record]:
    csv.field_size_limit(_LONGEST_CELL)  # so that an odd quotation mark does not take the rest of a large file with it
    # Bytes that are no UTF-8 come through as lone surrogates; their own line is reported, the others are read.
    with io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        reader = csv.DictReader(text, strict=True)
        try:
            columns = reader.fieldnames
        except csv.Error as error:
            yield Record(f"{name}:1", {}, f"not CSV ({error}); mend the quotation marks of the first line")
            return
        if columns is None:
            return
        if "text" not in columns:
            yield Record(f"{name}:1", {}, f"no column 'text' among {', '.join(columns)}; name it in the first line")
            return
        while True:
            begin = reader.reader.line_num + 1  # cells may hold line breaks
            source = f"{name}:{begin}"
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                end = reader.reader.line_num
                lines = f"{name}:{begin} to {end}" if end > begin else source
                yield Record(lines, {}, f'not CSV ({error}); close each cell, and write "" for a quotation mark in it')
                continue
            yield _csv_row(source, fields, len(columns))


def _csv_row(source: str, fields: dict[Any, Any], cells: int) -> Record:
    if None in fields or None in fields.values():
        return Record(source, {}, f"not {cells} cells as in the first line; quote cells that hold commas")
    if any("\udc80" <= sign <= "\udcff" for cell in fields.values() for sign in cell):
        return Record(source, {}, "not UTF-8; save the file as UTF-8")
    if "themes" in fields:
        fields["themes"] = [name.strip() for name in fields["themes"].split("|") if name.strip()]
    return Record(source, fields)


def _read_parquet(path: Path, on_bytes: Callable[[int], object]) -> Iterator[Record]:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(f"{path}: reading .parquet needs pyarrow: pip install 'security-themes[train]'") from error
    try:
        # Read page by page: as a rule, a row group is read as a whole, and it may be the whole file.
        with pyarrow.parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as table:
            number, size = 0, path.stat().st_size
            # Other columns may hold what Python cannot; they are not asked for.
            known = [name for name in table.schema_arrow.names if name in COLUMNS]
            for batch in table.iter_batches(batch_size=1024, columns=known):
                on_bytes(size * len(batch) // table.metadata.num_rows)
                for fields in batch.to_pylist():
                    number += 1
                    yield Record(f"{path}:{number}", {key: value for key, value in fields.items() if value is not None})
    except (pyarrow.ArrowException, ValueError, OverflowError) as error:  # columns that Python cannot hold
        raise DataError(f"{path}: cannot read as Parquet: {error}") from error


def _read_text(file: Any, name: str) -> Iterator[Record]:
    try:
        content = file.read(_LONGEST_LINE + 1)
        if len(content) > _LONGEST_LINE:
            yield Record(name, {}, f"longer than {_LONGEST_LINE} bytes; cut it into articles")
            return
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield Record(name, {}, f"not UTF-8 (byte {error.start + 1}); save the file as UTF-8")
    else:
        yield Record(name, {"id": name, "text": text})
