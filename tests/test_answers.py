import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pipeline.answers import AnswerSheet, read_answers, write_answers
from pipeline.article import Article
from pipeline.errors import DataError
from pipeline.themes import Taxonomy


@pytest.fixture
def sheet() -> AnswerSheet:
    articles = [Article("b", "", "سفينة في الميناء"), Article("a", "عنوان", "طائرة في المطار")]
    labels = np.array([[1, 0], [0, 1]], dtype=np.int8)
    probabilities = np.array([[0.75, 0.25], [0.5, 0.0625]])
    return AnswerSheet.of("test", articles, labels, labels[::-1], probabilities, np.array([0, 1], dtype=np.int32))


def test_what_is_written_is_read(sheet: AnswerSheet, toy_taxonomy: Taxonomy, tmp_path: Path) -> None:
    write_answers(sheet, toy_taxonomy, tmp_path / "answers.jsonl")
    read = read_answers(tmp_path / "answers.jsonl", toy_taxonomy)
    assert read.ids.tolist() == ["a", "b"]  # whatever their order was
    for field in dataclasses.fields(AnswerSheet):
        assert (getattr(read, field.name) == getattr(sheet, field.name)[::-1]).all(), field.name


def test_parts_are_put_together_and_taken_apart(sheet: AnswerSheet) -> None:
    crossed = dataclasses.replace(sheet, parts=np.array(["cross_validation"] * 2))
    both = crossed + sheet
    assert len(both) == 4
    assert both[both.parts == "test"].ids.tolist() == ["b", "a"]


@pytest.mark.parametrize("line", ["{", '{"id": "a"}', '{"id": "a", "scores": {"land": 1}}', "[]"])
def test_damage_is_one_clear_error(line: str, toy_taxonomy: Taxonomy, tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"answers\.jsonl: cannot read the answers"):
        read_answers(tmp_path / "answers.jsonl", toy_taxonomy)
