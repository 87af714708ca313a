import numpy as np
import pytest

from pipeline.keywords import LEAD, KeywordRates, build_index, count_keywords


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
    assert count_keywords(build_index([["شرطه"]]), [word], 1).tolist() == [found]


@pytest.mark.parametrize(("word", "found"), [("الامن", True), ("وللامن", True), ("امن", False), ("بامن", False)])
def test_a_keyword_with_the_article_is_met_only_with_it(word: str, found: bool) -> None:
    assert count_keywords(build_index([["الامن العام"]]), [word, "العام"], 1).tolist() == [found]


def test_a_phrase_needs_all_its_words_in_order() -> None:
    index = build_index([["وقف اطلاق النار"]])
    assert count_keywords(index, ["وقف", "اطلاق", "النار"], 1) == 1
    assert count_keywords(index, ["النار", "اطلاق", "وقف"], 1) == 0
    assert count_keywords(index, ["وقف", "اطلاق"], 1) == 0  # the text ends within it


def test_one_word_of_two_themes_counts_for_both_and_twice_named_once() -> None:
    index = build_index([["قارب", "قارب"], ["قارب"]])
    assert count_keywords(index, ["قارب", "القارب"], 2).tolist() == [2, 2]


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
