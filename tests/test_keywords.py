import numpy as np
import pytest

from pipeline.keywords import LEAD, KeywordIndex, KeywordRates, count_keywords
from pipeline.words import Words


def count(keywords: list[list[str]], *texts: str) -> list[list[float]]:
    words = Words.of(texts)
    counts: list[list[float]] = count_keywords(words, KeywordIndex(keywords).find(words))[:, : len(keywords)].tolist()
    return counts


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("شرطه", True),
        ("الشرطه", True),
        ("وبالشرطه", True),
        ("للشرطه", True),
        ("فلشرطه", True),
        ("شرطهم", False),
        ("اشرطه", False),
    ],
)
def test_a_keyword_is_met_with_every_prefix(word: str, found: bool) -> None:
    assert count([["شرطه"]], word) == [[found]]


@pytest.mark.parametrize(("word", "found"), [("الامن", True), ("وللامن", True), ("امن", False), ("بامن", False)])
def test_a_keyword_with_the_article_is_met_only_with_it(word: str, found: bool) -> None:
    assert count([["الامن العام"]], f"{word} العام") == [[found]]


def test_a_phrase_needs_all_its_words_in_order() -> None:
    # The third text ends within it, and what it lacks opens the next.
    texts = "وقف اطلاق النار", "النار اطلاق وقف", "وقف اطلاق", "النار"
    assert count([["وقف اطلاق النار"]], *texts) == [[1], [0], [0], [0]]


def test_one_word_of_two_themes_counts_for_both_and_twice_named_once() -> None:
    assert count([["قارب", "قارب"], ["قارب"]], "قارب القارب") == [[2, 2]]


def test_a_theme_without_keywords_and_a_text_without_words() -> None:
    assert count([[], ["قارب"]], "", "قارب") == [[0, 0], [0, 1]]
    assert count([[]], "قارب") == [[0]]


def test_a_phrase_counts_for_the_lead_only_if_it_ends_there() -> None:
    before = " ".join(["كلمه"] * (LEAD - 2))
    words = Words.of([f"{before} وقف اطلاق", f"{before} كلمه وقف اطلاق"])
    counts = count_keywords(words, KeywordIndex([["وقف اطلاق"]]).find(words))
    assert counts.tolist() == [[1, 1], [1, 0]]


def test_rates_of_the_whole_and_of_the_lead() -> None:
    text = " ".join(["كلمه"] * (2 * LEAD - 1) + ["قارب"])  # 60 words, the keyword after the lead
    (row,) = KeywordRates((("قارب",), ())).fit_transform([text]).toarray()
    np.testing.assert_allclose(row, [np.log1p(100 / 60) / 2, 0, 0, 0], rtol=1e-6)
    (row,) = KeywordRates((("قارب",), ())).fit_transform(["قارب"]).toarray()
    np.testing.assert_allclose(row, [np.log1p(100 / 20) / 2, 0, np.log(2), 0], rtol=1e-6)


def test_columns_have_names() -> None:
    assert KeywordRates((("قارب",), ())).fit([]).get_feature_names_out().tolist() == [
        "rate0",
        "rate1",
        "lead0",
        "lead1",
    ]
