"""A page for people who read Arabic: articles with the words highlighted that spoke for and against a theme."""

import re
from collections.abc import Iterable, Sequence

from .article import Article
from .explain import Explanation, Term
from .layout import lay_out, safe
from .themes import Taxonomy

_TERMS = 12  # features shown under the words
_KINDS = {
    "words": "كلمات",
    "chars": "حروف داخل كلمة",
    "rate": "كلمات مفتاحية",
    "lead": "كلمات مفتاحية في المقدمة",
}

# By whether it was given, and whether its score reaches the threshold.
_ANSWERS = {
    (True, True): "نعم",
    (True, False): "نعم، فهو أقرب المواضيع وفي النص موضوع",
    (False, True): "لا، فالأرجح أن لا موضوع في النص",
    (False, False): "لا، الدرجة دون العتبة",
}

# The line below a word says the same as the color.
_STYLE = """
.text { white-space: pre-line; overflow-wrap: anywhere; }
mark { color: inherit; background: rgb(var(--side) / calc(var(--strength) * .6)); padding: 0 .1em; border-radius: .2em;
       border-bottom: 2px solid rgb(var(--side) / var(--strength)); print-color-adjust: exact; }
mark.for { --side: var(--blue); }
mark.against { --side: var(--orange); border-bottom-style: dotted; }
"""

_LEGEND = """<p><mark class="for" style="--strength:.7">كلمة ترجّح الموضوع</mark>
<mark class="against" style="--strength:.7">كلمة تُضعفه</mark> كلما اشتد اللون زاد أثر الكلمة.
مجموع الأوزان مع نقطة البداية هو لوغاريتم الأرجحية، ومنه تُحسب الدرجة.</p>"""


def format_page(explained: Iterable[tuple[Article, Sequence[Explanation]]], taxonomy: Taxonomy) -> str:
    """Lay out a page.

    Parameters
    ----------
    explained : iterable of (Article, sequence of Explanation)
        See `pipeline.explain.explain`.
    taxonomy : Taxonomy
        Gives the themes their Arabic names.

    Returns
    -------
    str
        HTML, to be written as UTF-8.
    """
    arabic = taxonomy.arabic
    articles = "\n".join(_article(article, explanations, arabic) for article, explanations in explained)
    body = articles or "<p>لا مقالات.</p>"
    return lay_out("الكلمات وراء كل موضوع", f"{_LEGEND}\n{body}", _STYLE)


def _article(article: Article, explanations: Sequence[Explanation], arabic: dict[str, str]) -> str:
    text = article.full_text
    sections = [_theme(text, explained, arabic) for explained in explanations] or [
        f'<p>لا كلمة معروفة في هذا النص، فلا دليل على أي موضوع.</p>\n<p class="text">{safe(text)}</p>\n'
    ]
    return f"""<article>
<h2>{safe(article.headline)} <small><bdi>{safe(article.id)}</bdi></small></h2>
{"".join(sections)}</article>"""


def _theme(text: str, explained: Explanation, arabic: dict[str, str]) -> str:
    answer = _ANSWERS[explained.given, explained.score >= explained.threshold]
    weights = [weight for _, weight in explained.words]
    sums = [
        (["نقطة البداية، قبل أي كلمة"], explained.bias),
        (["كلمات ترجّح الموضوع"], sum(weight for weight in weights if weight > 0)),
        (["كلمات تُضعفه"], sum(weight for weight in weights if weight < 0)),
        *(
            ([f"كلمة لا موضع لها في النص: {word}"], weight)
            for word, weight in explained.unplaced
            if abs(weight) >= 0.005
        ),
        (["لوغاريتم الأرجحية"], explained.log_odds),
    ]
    terms = [([_name(term, arabic), _KINDS[term.kind]], term.weight) for term in explained.terms[:_TERMS]]
    return f"""<section>
<h3>{safe(arabic[explained.theme])} <code dir="ltr">{safe(explained.theme)}</code></h3>
<p>الدرجة {explained.score:.2f}، العتبة {explained.threshold:.2f}: <strong>{answer}</strong></p>
<p class="text">{_highlight(text, explained.words)}</p>
{_table(sums)}
<details><summary>أقوى السمات</summary>
{_table(terms)}
</details>
</section>
"""


def _highlight(text: str, words: Sequence[tuple[str, float]]) -> str:
    """Mark each word by its weight, beside the strongest; white space stays as it is."""
    strongest = max((abs(weight) for _, weight in words), default=0.0)
    left = iter(words)
    return "".join(piece if not piece.strip() else _mark(*next(left), strongest) for piece in re.split(r"(\s+)", text))


def _mark(word: str, weight: float, strongest: float) -> str:
    strength = abs(weight) / strongest if strongest else 0.0
    if strength < 0.01:
        return safe(word)
    side = "for" if weight > 0 else "against"
    return f'<mark class="{side}" style="--strength:{strength:.2f}" title="{_signed(weight)}">{safe(word)}</mark>'


def _name(term: Term, arabic: dict[str, str]) -> str:
    return arabic[term.text] if term.kind in ("rate", "lead") else term.text


def _table(rows: Iterable[tuple[Sequence[str], float]]) -> str:
    lines = [
        f'<tr>{"".join(f"<td>{safe(cell)}</td>" for cell in cells)}<td dir="ltr">{_signed(weight)}</td></tr>'
        for cells, weight in rows
    ]
    return "\n".join(["<table>", *lines, "</table>"])


def _signed(weight: float) -> str:
    return f"{weight:+.2f}".replace("-", "\u2212")
