from pathlib import Path

import pytest

from pipeline import cli
from pipeline.article import Article
from pipeline.config import Config
from pipeline.datacard import describe_agreement, describe_articles, replace_figures, write_figures
from pipeline.duplicates import Pair
from pipeline.errors import DataError
from pipeline.themes import Taxonomy, read_taxonomy
from pipeline.validate import Corpus, load_corpus

from .conftest import ROOT, make_toy_articles, write_jsonl

ARTICLES = (
    Article("1", "", "سفينة في البحر", ("sea",), date="2011-01-01", country="MA", genre="brief"),
    Article("2", "عنوان", "طائرة وسفينة وُصِلَتا", ("sea", "sky"), date="2020-01-01", country="EG", genre="brief"),
    Article("3", "عنوان", "بحر من الناس و٣ كتب", (), note="a sea of people", country="MA", genre="news"),
    Article("4", "عنوان", "كتاب عن WhatsApp #كتب", (), country="MA", genre="news"),
)


def test_composition_and_dirt_counted_by_hand(toy_taxonomy: Taxonomy) -> None:
    text = describe_articles(Corpus(ARTICLES, (Pair(0, 1, 0.8),)), toy_taxonomy)
    for line in (
        "| sea | 2 | 1 |",
        "| sky | 1 | 0 |",
        "| (none) | 2 | 1 of them hard negatives |",
        "| (several) | 1 (25%) |  |",
        "| sea + sky | 1 |",
        "**genre** (2): brief 2, news 2",
        "**country** (2): MA 3, EG 1",
        "| no title | 1 (25%) |",
        "| a vowelled word | 1 (25%) |",
        "| Arabic-Indic digits | 1 (25%) |",
        "| Latin words | 1 (25%) |",
        "| hashtags | 1 (25%) |",
        "**years** 2011 to 2020",
        "Near-duplicate pairs: 1.",
    ):
        assert line in text


def test_other_articles_stand_beside(toy_taxonomy: Taxonomy) -> None:
    text = describe_articles(Corpus(ARTICLES, ()), toy_taxonomy, ["كتاب كتاب كتاب كتاب كتاب"])
    assert "| other articles | 1 | 5 | 1 | 1 | 50.0% |" in text  # two runs of four words, equal


def test_agreement_worked_by_hand(toy_taxonomy: Taxonomy, tmp_path: Path) -> None:
    rows = [
        {"id": "1", "first": ["sea"], "second": ["sea"]},
        {"id": "2", "first": ["sea"], "second": ["sea", "sky"]},
        {"id": "3", "first": [], "second": ["sea"]},
        {"id": "4", "first": [], "second": []},
    ]
    text = describe_agreement(ARTICLES, toy_taxonomy, write_jsonl(tmp_path / "readings.jsonl", rows))
    # sea: 3 of 4 agree; by chance 2/4 * 3/4 + 2/4 * 1/4 = 1/2; kappa (3/4 - 1/2) / (1 - 1/2) = 1/2
    assert "| sea | 2 | 3 | 2 | 1 | 0.50 |" in text
    assert "| (none) | 2 | 1 | 2 | 1 | 0.50 |" in text
    assert "4 of 4 articles were read twice: the same set of themes in 50.0%, micro-F1" in text
    assert "0.667" in text  # two decisions shared, two and four made: 2 * 2 / (2 + 4)


@pytest.mark.parametrize(
    "row",
    [
        {"id": "9", "first": [], "second": []},
        {"id": "1", "first": []},
        {"id": "1", "first": "sea", "second": []},
    ],
)
def test_a_faulty_reading_is_refused_with_its_place(
    toy_taxonomy: Taxonomy, tmp_path: Path, row: dict[str, object]
) -> None:
    path = write_jsonl(tmp_path / "readings.jsonl", [row])
    with pytest.raises(DataError, match=f"{path}:1: needs the id of an article"):
        describe_agreement(ARTICLES, toy_taxonomy, path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no readings"),
        ([{"id": "1", "first": ["moon"], "second": []}], ":1: unknown theme 'moon'. Known themes: sea, "),
        ([{"id": "1", "first": [], "second": [[]]}], r":1: unknown theme \[\]"),
        ([{"id": "1", "first": [], "second": []}] * 2, ":2: '1' was read before"),
    ],
)
def test_readings_that_cannot_be_compared_are_refused(
    toy_taxonomy: Taxonomy, tmp_path: Path, rows: list[dict[str, object]], message: str
) -> None:
    path = write_jsonl(tmp_path / "readings.jsonl", rows)
    with pytest.raises(DataError, match=message):
        describe_agreement(ARTICLES, toy_taxonomy, path)


@pytest.mark.parametrize("content", [None, b"", b"\xff"])
def test_a_page_that_cannot_take_the_figures_stays_as_it_was(tmp_path: Path, content: bytes | None) -> None:
    page = tmp_path / "page.md"
    if content is not None:
        page.write_bytes(content)
    with pytest.raises(DataError, match="page"):
        write_figures(page, "new")
    assert content == (page.read_bytes() if page.exists() else None)


@pytest.mark.parametrize("page", ["", "<!-- figures -->", "<!-- /figures --> <!-- figures -->"])
def test_a_page_without_marks_is_refused(page: str) -> None:
    with pytest.raises(DataError, match="the page needs"):
        replace_figures(page, "new")


def test_the_command_prints_or_writes(toy_project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick, page = str(toy_project / "quick.toml"), toy_project / "page.md"
    other = write_jsonl(toy_project / "other.jsonl", make_toy_articles(20, seed=4))
    assert cli.main(["describe", "--config", quick, "--against", str(other)]) == 0
    assert "| other articles | 20 |" in capsys.readouterr().out
    page.write_text("# قبل\n<!-- figures -->\n<!-- /figures -->\nبعد\n", encoding="utf-8")
    assert cli.main(["describe", "--config", quick, "--write", str(page)]) == 0
    assert "| sea | 40 | 20 |" in page.read_text(encoding="utf-8")
    assert page.read_text(encoding="utf-8").endswith("بعد\n")


def test_the_figures_of_the_data_card_are_those_of_the_articles(config: Config) -> None:
    """They are written by: python -m pipeline describe --readings data/readings.jsonl --write data/README.md."""
    taxonomy = read_taxonomy(Path(config.data.themes))
    corpus = load_corpus(config.data.articles, taxonomy, config.validation)
    figures = describe_articles(corpus, taxonomy)
    figures += "\n\n" + describe_agreement(corpus.articles, taxonomy, ROOT / "data/readings.jsonl")
    page = (ROOT / "data/README.md").read_text(encoding="utf-8")
    assert replace_figures(page, figures) == page
