"""Nothing that is read, however broken or large, ends in anything but an answer or a message."""

import gzip
import os
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import classify, corpus
from pipeline.classifier import ThemeClassifier, build_model
from pipeline.config import Config
from pipeline.corpus import Inputs, read_records
from pipeline.errors import DataError
from pipeline.explain import explain
from pipeline.normalize import ArabicNormalizer
from pipeline.themes import MAX_THEMES, Taxonomy, read_taxonomy

from ..conftest import make_toy_articles
from ..fuzz import SUFFIXES, check_normalizer, check_reader

# Pieces that set the rules off, among any characters at all: of those alone hardly any would.
_MARKUP = "< > </a> <script> <!-- --> &#1571; &lt; & function( ); } .push( www. @ #_ https:// 😀 \U0001ee00 İ Ⓐ"
_SIGNS = "\x00 \ud800 \udc00 \u200d \u0651 \u0653 \u0654 \u0655 \u06e5 ا و ي ه ە ى ﷺ ﻻ ﹱ ـ اااا هههه"
PIECES = st.sampled_from([*_MARKUP.split(), *_SIGNS.split(), " ", "\n", "بحر ميناء سفينة", "طائرة مطار"])
ANY = st.characters(codec=None, exclude_categories=())
TEXT = st.builds(
    lambda parts, times: "".join(part * times for part in parts),
    st.lists(PIECES | ANY, max_size=25),
    st.sampled_from([1, 1, 1, 3, 40]),
)
BYTES = [
    *(b"\n", b"\r", b",", b'"', b"id,text,themes\n", b"text", b'{"text": "', b'"}\n', b"[[", b"\xff", b"\x00", b"|"),
    *(b"\xef\xbb\xbf", b"1e999", b"null", b'{"id": {}, "text": 5}\n', b"PAR1", "نص".encode(), b"\\ud800"),
]
FILES = st.binary(max_size=200) | st.lists(st.sampled_from(BYTES), max_size=20).map(b"".join)


@pytest.fixture(scope="module")
def model(config: Config, toy_taxonomy: Taxonomy) -> ThemeClassifier:
    rows = make_toy_articles(80)
    labels = toy_taxonomy.label_matrix(row["themes"] for row in rows)
    return build_model(config, toy_taxonomy).fit([row["text"] for row in rows], labels)


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXT, max_size=4))
def test_the_normalizer_keeps_its_promises_of_any_text(texts: list[str]) -> None:
    """Idempotent, a batch is its texts one by one, words by single spaces, and no Arabic letter lost or made."""
    check_normalizer(texts)


def test_the_normalizer_keeps_its_promises_of_each_character() -> None:
    normalizer = ArabicNormalizer()
    once = normalizer.transform([f"x{chr(code)}ه" for code in range(0x20000)])  # beyond lie rare signs of Chinese
    assert normalizer.transform(once) == once


@pytest.mark.parametrize("letter", ["ر", "ࢠ", "\U0001ee00", "é"])
def test_an_address_ends_before_a_letter_that_is_not_ascii(letter: str) -> None:
    assert letter in ArabicNormalizer(unicode_forms=False).normalize(f"https://example.org/a{letter}")


def test_marks_without_end_are_quick() -> None:
    """Unicode's order of marks takes the square of their number: an hour here; a hang is the failure looked for."""
    assert ArabicNormalizer().normalize("ا" + "\u0651\u0654" * 500_000) == "ا"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILES, st.sampled_from(SUFFIXES), st.booleans())
def test_any_bytes_under_any_name_are_records_or_one_message(
    tmp_path: Path, content: bytes, suffix: str, packed: bool
) -> None:
    check_reader(gzip.compress(content) if packed and suffix.endswith(".gz") else content, tmp_path / f"a{suffix}")


@settings(max_examples=150, deadline=None)
@given(TEXT)
def test_any_text_gets_scores_and_reasons_that_add_up(model: ThemeClassifier, text: str) -> None:
    (prediction,) = classify(model, [text])
    scores = {**prediction.scores, "none": prediction.none}
    assert all(0 <= score <= 1 for score in scores.values())
    for explained in explain(model, text):
        assert 1 / (1 + np.exp(-explained.log_odds)) == pytest.approx(scores[explained.theme], abs=1e-5)
        by_words = sum(weight for _, weight in (*explained.words, *explained.unplaced))
        assert explained.bias + by_words == pytest.approx(explained.log_odds, abs=1e-4)


def test_a_word_of_a_million_letters(model: ThemeClassifier) -> None:
    (prediction,) = classify(model, ["بحرميناء" * 125_000])
    assert all(0 <= score <= 1 for score in prediction.scores.values())


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.txt.gz"])
def test_a_small_archive_that_unpacks_to_much_does_not_fill_the_memory(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "_LONGEST_LINE", 100_000)
    (tmp_path / name).write_bytes(gzip.compress(b'{"text": "' + b" " * 50_000_000 + b'"}\n', 1))
    tracemalloc.start()
    try:
        (record,) = read_records(tmp_path / name)
        assert "longer than 100000 bytes" in record.problem
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


def test_after_a_line_that_is_too_long_the_next_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "_LONGEST_LINE", 20)
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "' + b"x" * 55 + b'"}\n{"text": "1234567"}\n' + b"x" * 21)
    assert [bool(record.problem) for record in read_records(tmp_path / "a.jsonl")] == [True, False, True]


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=(b'{"text": "x"}\n' * 3,), daemon=True).start()
    assert [record.problem for record in Inputs([str(path)])] == ["", "", ""]


def test_a_file_that_shrinks_while_it_is_read_ends_early(tmp_path: Path) -> None:
    for name, row in (("a.jsonl", b'{"text": "x"}\n'), ("a.csv", b"x\n")):
        (tmp_path / name).write_bytes(b"text\n" * (name == "a.csv") + row * 1_000_000)
        inputs = Inputs([str(tmp_path / name)])
        for number, _ in enumerate(inputs):
            if number == 10:
                os.truncate(tmp_path / name, 100)
        assert 10 < inputs.records < 1_000_000


@pytest.mark.parametrize(
    "values", [[1, 2], [b"\xff", b"x"], [[1], [2]], [{"a": 1}, {"a": 2}], [True, None], [1.5, 2.5]]
)
def test_columns_of_wrong_types_are_reported(tmp_path: Path, values: list[object], model: ThemeClassifier) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": values}), path)
    found = [corpus.to_article(record) for record in read_records(path)]
    assert len(found) == 2
    assert all(isinstance(item, corpus.Record) and item.problem for item in found)


def test_a_taxonomy_of_too_many_themes_is_refused(tmp_path: Path) -> None:
    path, theme = tmp_path / "themes.toml", '[[theme]]\nname = "t{}"\nar = "أ"\nen = "a"\nfr = "a"\ndefinition = "a"\n'
    path.write_text("".join(map(theme.format, range(MAX_THEMES))), encoding="utf-8")
    assert len(read_taxonomy(path)) == MAX_THEMES
    path.write_text("".join(map(theme.format, range(5 * MAX_THEMES))), encoding="utf-8")
    with pytest.raises(DataError, match="5000 themes; 1000 are allowed"):
        read_taxonomy(path)
