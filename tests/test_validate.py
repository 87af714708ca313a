from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Config, ValidationConfig
from pipeline.corpus import Record
from pipeline.themes import Taxonomy, read_taxonomy
from pipeline.validate import InvalidCorpusError, check_record, load_corpus, load_labeled

from .conftest import ROOT, make_toy_articles, write_jsonl

GOOD = {"id": "1", "title": "", "text": "نص", "themes": ["sea"]}
RULES = ValidationConfig(min_articles=10, near_duplicate=0.7, near_duplicates="reject")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"themes": "sea"}, "'themes' is the bare text 'sea'; write a list: ['sea']"),
        ({"themes": ["see"]}, "unknown theme 'see'. Known themes: sea, sky"),
        ({"themes": ["sea", "sea"]}, "a theme stands twice"),
        ({"themes": None}, "'themes' is null"),
        ({"themes": [1]}, "a list with something other than texts in it"),
        ({"text": ""}, "'text' is empty"),
        ({"text": "only English"}, "no Arabic letters"),
        ({"text": 7}, "'text' is a number, not a text"),
        ({"title": None}, "'title' is null, not a text"),
        ({"id": " "}, "'id' is empty"),
        ({"id": 7}, "'id' is a number"),
        ({"note": ["x"]}, "'note' is a list"),
        ({"text": "نص \ud800"}, "a lone surrogate"),
    ],
)
def test_each_fault_of_a_line_has_its_message(toy_taxonomy: Taxonomy, change: dict[str, Any], message: str) -> None:
    problems = check_record(Record("a.jsonl:17", GOOD | change), toy_taxonomy)
    assert [str(problem)[:12] for problem in problems] == ["a.jsonl:17: "]
    assert message in problems[0].message


@pytest.mark.parametrize("field", ["id", "title", "text", "themes"])
def test_a_missing_field_is_named(toy_taxonomy: Taxonomy, field: str) -> None:
    fields = {key: value for key, value in GOOD.items() if key != field}
    (problem,) = check_record(Record("a.jsonl:1", fields), toy_taxonomy)
    assert f"no field '{field}'" in problem.message


def test_unknown_fields_and_dates_of_any_form_are_let_through(toy_taxonomy: Taxonomy) -> None:
    assert check_record(Record("a.jsonl:1", GOOD | {"outlet": "x", "date": "5 مايو"}), toy_taxonomy) == []


def test_all_problems_in_one_pass(toy_taxonomy: Taxonomy, tmp_path: Path) -> None:
    rows: list[Any] = make_toy_articles(80)
    rows[3]["id"] = rows[2]["id"]
    rows[5]["themes"] = "sea"
    rows[7]["text"] = rows[8]["text"]
    rows[7]["title"], rows[7]["themes"] = rows[8]["title"], rows[8]["themes"]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    with path.open("a", encoding="utf-8") as file:
        file.write("{\n")
    with pytest.raises(InvalidCorpusError) as raised:
        load_corpus([path], toy_taxonomy, RULES)
    message = str(raised.value)
    for part in (
        f"{path}:81: not JSON",
        f"{path}:6: 'themes' is the bare text",
        f"{path}:4: id 'toy-002' is also at {path}:3; rename one",
        f"{path}:9: the same text as {path}:8; delete one",
        "4 problems in the articles; nothing was trained",
    ):
        assert part in message


def near_copies() -> list[dict[str, Any]]:
    rows: list[Any] = make_toy_articles(80)
    rows[4] |= {"title": rows[0]["title"], "text": rows[0]["text"] + " زيادة"}
    return rows


def test_near_duplicates_are_refused_or_grouped(toy_taxonomy: Taxonomy, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", near_copies())
    with pytest.raises(
        InvalidCorpusError, match=rf"{path}:5: 9\d% the text of {path}:1; delete or rewrite one, or set"
    ):
        load_corpus([path], toy_taxonomy, RULES)
    corpus = load_corpus([path], toy_taxonomy, ValidationConfig(10, 0.7, "group"))
    assert [(pair.first, pair.second) for pair in corpus.pairs] == [(0, 4)]


def test_near_duplicates_with_other_themes_are_never_let_through(toy_taxonomy: Taxonomy, tmp_path: Path) -> None:
    rows = near_copies()
    rows[4]["themes"] = ["sky"]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    with pytest.raises(InvalidCorpusError, match="with other themes; give both the same"):
        load_corpus([path], toy_taxonomy, ValidationConfig(10, 0.7, "group"))


def test_themes_with_too_few_articles(toy_taxonomy: Taxonomy, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [row for row in make_toy_articles(80) if row["themes"] != ["sky"]][:15])
    with pytest.raises(InvalidCorpusError) as raised:
        load_corpus([path], toy_taxonomy, RULES)
    assert "corpus: 5 articles with theme sky, 10 needed" in str(raised.value)
    assert "corpus: 5 articles with theme (none), 10 needed" in str(raised.value)


def test_a_vocalized_copy_is_the_same_text(toy_taxonomy: Taxonomy, tmp_path: Path) -> None:
    rows: list[Any] = make_toy_articles(80)
    rows[4] |= {"title": rows[0]["title"], "text": rows[0]["text"].replace("ا", "اَ")}
    with pytest.raises(InvalidCorpusError, match="the same text as"):
        load_corpus([write_jsonl(tmp_path / "a.jsonl", rows)], toy_taxonomy, RULES)


@pytest.mark.parametrize("name", ["empty.jsonl", "empty.csv"])
def test_an_empty_file_is_a_problem(toy_taxonomy: Taxonomy, tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    for load in (load_labeled, load_corpus):
        with pytest.raises(InvalidCorpusError, match="no articles in this file"):
            load([tmp_path], toy_taxonomy, RULES)


def test_articles_to_measure_on_may_be_few_and_alike(toy_taxonomy: Taxonomy, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [GOOD, GOOD | {"id": "2", "themes": ["sky", "sea"]}])
    loaded = load_labeled([path], toy_taxonomy, RULES)
    assert [article.themes for article in loaded.articles] == [("sea",), ("sea", "sky")]
    assert [(pair.first, pair.second) for pair in loaded.pairs] == [(0, 1)]  # to be drawn together by the bootstrap


def test_articles_to_measure_on_have_ids_of_their_own(toy_taxonomy: Taxonomy, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [GOOD, GOOD | {"text": "نص آخر"}])
    with pytest.raises(InvalidCorpusError, match="id '1' is also at"):
        load_labeled([path], toy_taxonomy, RULES)


def test_the_projects_own_articles(config: Config) -> None:
    """What the first corpus was asked to hold; the limits of its files are in data/README.md."""
    taxonomy = read_taxonomy(Path(config.data.themes))
    articles = load_corpus(config.data.articles, taxonomy, config.validation).articles
    assert len(articles) >= 300
    assert sum(not article.themes for article in articles) >= 60
    assert sum(len(article.themes) > 1 for article in articles) >= 800
    for name in taxonomy.names:
        assert sum(name in article.themes for article in articles) >= 25
    for article in articles:
        assert len(article.date) == 10
        assert "2005" <= article.date[:4] <= "2026"
        assert len(article.country) == 2
        assert article.id.split("-")[0] == Path(article.source.rpartition(":")[0]).stem


def test_samples_are_not_among_the_articles(config: Config) -> None:
    taxonomy = read_taxonomy(Path(config.data.themes))
    texts = "\n".join(
        article.text for article in load_corpus(config.data.articles, taxonomy, config.validation).articles
    )
    for sample in (ROOT / "data/samples").glob("*.txt"):
        for line in sample.read_text(encoding="utf-8").splitlines():
            assert line not in texts
