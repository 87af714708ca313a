from html.parser import HTMLParser

import pytest

from pipeline import Article
from pipeline.explain import Explanation, Term
from pipeline.page import format_page
from pipeline.themes import Taxonomy

HOSTILE = "<script>alert(1)</script> \"&amp;' <b>بحر</b>\n\nخبز"


class Reader(HTMLParser):
    """What a browser would make of a page: the tags, and the text inside each element of a class or name."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self.texts: dict[str, str] = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.inside.append(dict(attrs).get("class") or tag)

    def handle_endtag(self, tag: str) -> None:
        self.inside.pop()

    def handle_data(self, data: str) -> None:
        for name in set(self.inside):
            self.texts[name] = self.texts.get(name, "") + data


def explained(text: str, *weights: float, score: float = 0.9, given: bool = True) -> Explanation:
    words = tuple(zip(text.split(), weights, strict=True))
    terms = (Term("lead", "sky", sum(weights)), Term("chars", "ـحر", 0.0))
    return Explanation("sea", score, 0.5, given, -1.0, terms, words, ())


def read(article: Article, taxonomy: Taxonomy, *explanations: Explanation) -> Reader:
    reader = Reader(format_page([(article, explanations)], taxonomy))
    assert not reader.inside  # every element is closed
    return reader


def test_the_text_is_shown_as_it_is_whatever_it_holds(toy_taxonomy: Taxonomy) -> None:
    article = Article("<i>", "<script>", HOSTILE)
    page = read(article, toy_taxonomy, explained(article.full_text, 0, 0, 0, 2, -1))
    assert page.texts["text"] == article.full_text
    assert "<i>" in page.texts["small"]
    assert not {"script", "i", "b"} & {tag for tag, _ in page.tags}
    assert read(article, toy_taxonomy).texts["text"] == article.full_text


def test_words_are_marked_by_side_and_strength(toy_taxonomy: Taxonomy) -> None:
    text = "بحر وقارب خبز غدا"
    page = read(Article("1", "", text), toy_taxonomy, explained(text, 2.0, 0.5, -1.0, 0.001))
    marks = [attributes for tag, attributes in page.tags if tag == "mark"][2:]  # after the legend's
    assert [(mark["class"], mark["style"], mark["title"]) for mark in marks] == [
        ("for", "--strength:1.00", "+2.00"),
        ("for", "--strength:0.25", "+0.50"),
        ("against", "--strength:0.50", "\u22121.00"),
    ]
    assert page.texts["text"] == text


@pytest.mark.parametrize(
    ("score", "given", "answer"),
    [
        (0.9, True, "نعم"),
        (0.3, True, "نعم، فهو أقرب المواضيع وفي النص موضوع"),
        (0.9, False, "لا، فالأرجح أن لا موضوع في النص"),
        (0.3, False, "لا، الدرجة دون العتبة"),
    ],
)
def test_score_threshold_and_names(toy_taxonomy: Taxonomy, score: float, given: bool, answer: str) -> None:
    page = read(Article("1", "", "بحر"), toy_taxonomy, explained("بحر", 1.0, score=score, given=given))
    assert page.texts["h3"] == "ميناء sea"
    assert f"الدرجة {score:.2f}، العتبة 0.50: {answer}\n" in page.texts["section"]
    assert "طائرة" in page.texts["details"]  # the theme whose keywords were found, in Arabic
    assert page.tags[0] == ("html", {"lang": "ar", "dir": "rtl"})


def test_words_without_a_place_are_in_the_table(toy_taxonomy: Taxonomy) -> None:
    lost = Explanation("sea", 0.9, 0.5, True, -1.0, (Term("words", "ضائع", 1.5),), (("بحر", 0.0),), (("ضائع", 1.5),))
    page = read(Article("1", "", "بحر"), toy_taxonomy, lost)
    assert "كلمة لا موضع لها في النص: ضائع+1.50" in page.texts["table"]


def test_nothing_is_fetched_from_elsewhere(toy_taxonomy: Taxonomy) -> None:
    page = format_page([(Article("1", "", "بحر"), [explained("بحر", 1.0)])], toy_taxonomy)
    for trace in ("http:", "https:", "//", "src=", "@import", "url("):
        assert trace not in page


def test_half_characters_do_not_keep_the_page_from_being_written(toy_taxonomy: Taxonomy) -> None:
    page = format_page([(Article("\ud800", "\ud800", "بحر \udfff"), [])], toy_taxonomy)
    assert "بحر ?" in page.encode().decode()


def test_a_page_without_articles_says_so(toy_taxonomy: Taxonomy) -> None:
    assert "لا مقالات" in format_page([], toy_taxonomy)
