import gzip
import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.article import Article
from pipeline.corpus import Inputs, corpus_hash, find_files, read_records, read_stdin
from pipeline.errors import DataError

from .conftest import write_jsonl

ROW = {"id": "1", "title": "عنوان", "text": "نص الخبر، وبقيته", "themes": ["sea", "sky"]}


def test_every_format_gives_the_same_record(tmp_path: Path) -> None:
    jsonl = write_jsonl(tmp_path / "a.jsonl", [ROW])
    packed = tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(jsonl.read_bytes()))
    table = tmp_path / "c.csv"
    table.write_text('id,title,text,themes\n1,عنوان,"نص الخبر، وبقيته",sea | sky\n', encoding="utf-8-sig")
    parquet = tmp_path / "d.parquet"
    pq.write_table(pa.Table.from_pylist([ROW]), parquet)
    for path in (jsonl, packed, table, parquet):
        (record,) = read_records(path)
        assert record.fields == ROW
        assert record.problem == ""
    assert [record.source for record in read_records(jsonl)] == [f"{jsonl}:1"]
    assert [record.source for record in read_records(table)] == [f"{table}:2"]


def test_bad_lines_are_reported_and_the_others_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = '{"text": "نص"}\n'.encode()
    path.write_bytes(good + b"{not json\n" + b"\n" + b'{"text": "\xff"}\n' + b"[1]\n" + good)
    records = list(read_records(path))
    assert [record.source.rpartition(":")[2] for record in records] == ["1", "2", "4", "5", "6"]
    assert [bool(record.problem) for record in records] == [False, True, True, True, False]
    assert "not JSON" in records[1].problem
    assert "not UTF-8" in records[2].problem
    assert "a JSON list, not an object" in records[3].problem


def test_deep_nesting_is_a_bad_line_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("[" * 200_000 + "\n", encoding="utf-8")
    assert "not JSON" in next(read_records(path)).problem


def test_bad_rows_of_a_table_are_reported_and_the_others_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("id,text\n1,نص\n2,نص,زائد\n3\n4,".encode() + b"\xff\n" + "5,نص\n".encode())
    records = list(read_records(path))
    assert [record.problem[:9] for record in records] == ["", "not 2 cel", "not 2 cel", "not UTF-8", ""]


def test_an_odd_quote_costs_its_own_row_only(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('id,text\n1,نص\n2,"قال "نعم" ثم"\n3,نص\n4,"سطر\nثان"\n5,"لا يغلق\n6,نص\n', encoding="utf-8")
    records = list(read_records(path))
    assert [record.source.removeprefix(f"{path}:") for record in records] == ["2", "3", "4", "5", "7 to 8"]
    assert [bool(record.problem) for record in records] == [False, True, False, False, True]
    assert "not CSV (',' expected" in records[1].problem
    assert "not CSV (unexpected end" in records[4].problem


def test_an_odd_quote_in_the_first_line_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('"id" x,text\n1,نص\n', encoding="utf-8")
    assert [record.source for record in read_records(path)] == [f"{path}:1"]


def test_columns_nobody_asks_for_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    far = pa.array([10**12], pa.timestamp("s"))  # a year Python has no date for
    pq.write_table(pa.table({"text": ["نص"], "crawled": far}), path)
    assert [record.fields for record in read_records(path)] == [{"text": "نص"}]


def test_a_table_without_a_text_column_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,body\n1,نص\n", encoding="utf-8")
    assert "no column 'text' among id, body" in next(read_records(path)).problem


def test_a_cell_longer_than_the_csv_module_likes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,text\n1," + "ن" * 300_000 + "\n", encoding="utf-8")
    assert len(next(read_records(path)).fields["text"]) == 300_000


def test_plain_text_is_one_article_named_after_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("عنوان\nنص", encoding="utf-8")
    (record,) = read_records(path)
    assert record.fields == {"id": str(path), "text": "عنوان\nنص"}


@pytest.mark.parametrize(
    ("content", "count"),
    [
        ('\ufeff{"text": "أ"}\n{"text": "ب"}\n', 2),
        ("\n" * 200 + ' {"text": "أ"}\n{"text": "ب"}\n', 2),
        ("سطر\n{وسطر}\n", 1),
        ("\n\nسطر", 1),
        ("", 1),
    ],
)
def test_standard_input_is_json_lines_or_one_text(monkeypatch: pytest.MonkeyPatch, content: str, count: int) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    records = list(read_stdin())
    assert len(records) == count
    assert not any(record.problem for record in records)


def test_a_folder_stands_for_its_files_in_order(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "deep/c.csv", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    assert [path.name for path in find_files([tmp_path])] == ["a.jsonl", "b.jsonl", "c.csv"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("no.jsonl", "no such file"), ("empty", "no article files"), ("a.docx", "cannot read files of this")],
)
def test_unreadable_paths_are_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.docx").touch()
    with pytest.raises(DataError, match=message):
        find_files([tmp_path / name])


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.parquet"])
def test_a_damaged_archive_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(DataError, match="cannot read"):
        list(read_records(path))


def test_the_hash_is_of_the_content_not_of_the_files() -> None:
    one = Article("1", "", "نص", ("sea",), source="a.jsonl:1", note="x")
    assert corpus_hash([one]) == corpus_hash([Article("1", "", "نص", ("sea",), source="b.csv:9")])
    assert corpus_hash([one]) != corpus_hash([Article("1", "", "نص", ("sky",))])
    assert corpus_hash([one]) != corpus_hash([Article("1", "", "نصّ", ("sea",))])


def test_a_number_of_thousands_of_digits_is_a_bad_line_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": ' + "1" * 5000 + '}\n{"text": "نص"}\n', encoding="utf-8")
    assert [bool(record.problem) for record in read_records(path)] == [True, False]


def test_flipped_bits_in_an_archive_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    packed = bytearray(gzip.compress(b'{"text": "x"}\n' * 5000))
    packed[12:40] = b"\xff" * 28
    path.write_bytes(packed)
    with pytest.raises(DataError, match="cannot read"):
        list(read_records(path))


def test_an_odd_quote_does_not_take_the_rest_of_a_large_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.corpus._LONGEST_CELL", 1000)
    path = tmp_path / "a.csv"
    path.write_text('id,text\n1,"لا يغلق\n' + "2,نص\n" * 1000, encoding="utf-8")
    records = list(read_records(path))
    assert "field larger than field limit" in records[0].problem
    assert sum(not record.problem for record in records) > 700


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.parquet"])
def test_inputs_know_about_how_many_records_there_are(tmp_path: Path, name: str) -> None:
    path, rows = tmp_path / name, [{"text": f"نص الخبر {i}"} for i in range(5000)]
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif name.endswith(".csv"):
        path.write_text("text\n" + "".join(row["text"] + "\n" for row in rows), encoding="utf-8")
    else:
        path.write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)
    inputs = Inputs([str(path)])
    assert inputs.expected is None
    expected = [inputs.expected for _ in inputs]
    assert inputs.records == 5000
    assert expected[-1] == pytest.approx(5000, rel=0.01)
    if not name.endswith(".gz"):  # so small an archive is read at once
        assert expected[2500] == pytest.approx(5000, rel=0.4)
