from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.themes import Taxonomy, read_taxonomy

from .conftest import ROOT

NAMES = (
    "terrorism", "espionage", "organized_crime", "irregular_migration", "cybersecurity", "event_security",
    "security_cooperation", "armed_conflict", "law_enforcement",
)  # fmt: skip


def test_the_nine_themes_in_their_order() -> None:
    taxonomy = read_taxonomy(ROOT / "data/themes.toml")
    assert taxonomy.names == NAMES
    by_name = {theme.name: theme for theme in taxonomy.themes}
    assert by_name["terrorism"].iptc == ("medtop:20000103", "medtop:20000053")
    assert by_name["event_security"].iptc == ()
    assert by_name["law_enforcement"].un_thesaurus == "إنفاذ القانون"
    assert all(theme.keywords and theme.fr and theme.definition for theme in taxonomy.themes)


def test_label_matrix_and_back(toy_taxonomy: Taxonomy) -> None:
    matrix = toy_taxonomy.label_matrix([["sky", "sea"], [], ["sky"]])
    assert matrix.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert [toy_taxonomy.names_of(row) for row in matrix] == [("sea", "sky"), (), ("sky",)]


def test_label_matrix_of_nothing_keeps_its_columns(toy_taxonomy: Taxonomy) -> None:
    assert toy_taxonomy.label_matrix([]).shape == (0, 2)
    assert toy_taxonomy.label_matrix([]).dtype == np.int8


def test_a_bare_string_is_refused(toy_taxonomy: Taxonomy) -> None:
    with pytest.raises(TypeError, match=r"write \['sea'\]"):
        toy_taxonomy.label_matrix(["sea"])


def test_an_unknown_theme_is_refused(toy_taxonomy: Taxonomy) -> None:
    with pytest.raises(DataError, match=r"unknown theme 'land'\. Known themes: sea, sky"):
        toy_taxonomy.label_matrix([["land"]])


THEME = '[[theme]]\nname = "{}"\nar = "أ"\nen = "A"\nfr = "A"\ndefinition = "d"\n'


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("", "no themes"),
        ("theme = [1]", "no themes"),
        ("[[theme", "cannot read"),
        (THEME.format("a") * 2, "'a' stands twice"),
        (THEME.format("none"), "stands for an article without any theme"),
        (THEME.format("A B"), "lower-case"),
        (THEME.format("a") + 'iptc = "medtop:1"', "must be a list of texts"),
        (THEME.format("a") + "color = 1", "unknown key 'color'. Known keys: name"),
        ('[[theme]]\nname = "a"', "'ar' must be a text"),
    ],
)
def test_a_faulty_file_is_refused_with_the_reason(tmp_path: Path, toml: str, message: str) -> None:
    path = tmp_path / "themes.toml"
    path.write_text(toml, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_taxonomy(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.toml: cannot read"):
        read_taxonomy(tmp_path / "no.toml")
