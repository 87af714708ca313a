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
from collections.abc import Iterable, Iterator, Sequence
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


def read_records(path: Path) -> Iterator[Record]:
    """Read one file, chosen by its ending; ``.gz`` is unpacked on the way.

    Raises
    ------
    DataError
        If the file as a whole cannot be read: no permission, a damaged archive, a missing library.
    """
    readers = {".jsonl": _read_jsonl, ".csv": _read_csv, ".txt": _read_text}
    suffix = _suffix(path)
    try:
        if suffix == ".parquet":
            yield from _read_parquet(path)
        else:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
                yield from readers[suffix](file, str(path))
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
    file = sys.stdin.buffer
    lines: list[bytes] = []  # blank ones, before the first that says what this is
    while (line := file.readline()) and not line.removeprefix(b"\xef\xbb\xbf").strip():
        lines.append(line)
    is_jsonl = line.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    rest: Any = chain(lines, [line], file)
    yield from _read_jsonl(rest, "stdin") if is_jsonl else _read_text(io.BytesIO(b"".join(rest)), "stdin")


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


def _read_jsonl(file: Any, name: str) -> Iterator[Record]:
    for number, line in enumerate(file, 1):
        source = f"{name}:{number}"
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
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
    csv.field_size_limit(2**31 - 1)  # the default of 128 KiB is less than a long article
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


def _read_parquet(path: Path) -> Iterator[Record]:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(f"{path}: reading .parquet needs pyarrow: pip install 'security-themes[train]'") from error
    try:
        with pyarrow.parquet.ParquetFile(path) as table:
            number = 0
            # Other columns may hold what Python cannot; they are not asked for.
            known = [name for name in table.schema_arrow.names if name in COLUMNS]
            for batch in table.iter_batches(batch_size=1024, columns=known):
                for fields in batch.to_pylist():
                    number += 1
                    yield Record(f"{path}:{number}", {key: value for key, value in fields.items() if value is not None})
    except (pyarrow.ArrowException, ValueError, OverflowError) as error:  # columns that Python cannot hold
        raise DataError(f"{path}: cannot read as Parquet: {error}") from error


def _read_text(file: Any, name: str) -> Iterator[Record]:
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield Record(name, {}, f"not UTF-8 (byte {error.start + 1}); save the file as UTF-8")
    else:
        yield Record(name, {"id": name, "text": text})
