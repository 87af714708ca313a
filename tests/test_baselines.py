import pytest

from pipeline.baselines import predict_by_keywords
from pipeline.themes import Taxonomy, Theme


def theme(*keywords: str) -> Taxonomy:
    return Taxonomy((Theme("a", "أ", "A", "A", "", keywords=keywords),))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("إرهاب في المدينة", True),  # in the first line
        ("خبر\nعن إرهاب", False),  # once, in the body
        ("خبر\nعن إرهاب وعن الإرهاب", True),  # twice
        ("والإِرهَاب", True),  # with prefixes and signs
        ("للإرهاب", True),
        ("إرهابي", False),  # another word
        ("", False),
    ],
)
def test_a_keyword_in_the_first_line_or_two_anywhere(text: str, found: bool) -> None:
    assert predict_by_keywords(theme("إرهاب"), [text]).tolist() == [[int(found)]]


def test_phrases_and_themes_without_keywords() -> None:
    assert predict_by_keywords(theme("وقف إطلاق النار"), ["الجانبان يوقعان وقف إطلاق النار"]).tolist() == [[1]]
    assert predict_by_keywords(theme(), ["الجانبان يوقعان"]).tolist() == [[0]]
