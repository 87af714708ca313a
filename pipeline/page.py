"""A page for people who read Arabic: articles with the words highlighted that spoke for and against a theme.

One file without script, picture or font from elsewhere; it can be mailed, printed and opened without a network.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape

from .article import Article
from .explain import Explanation, Term, headline
from .themes import Taxonomy

_TERMS = 12  # features shown under the words
_KINDS = {
    "words": "كلمات",
    "chars": "حروف داخل كلمة",
    "rate": "كلمات مفتاحية",
    "lead": "كلمات مفتاحية في المقدمة",
}

# Blue and orange of Okabe and Ito, which the color-blind tell apart; the line below says the same without color.
_STYLE = """
:root { color-scheme: light dark; --for: 0 114 178; --against: 213 94 0; }
@media (prefers-color-scheme: dark) { :root { --for: 86 180 233; --against: 230 159 0; } }
body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.9;
       font-family: "Noto Naskh Arabic", "Noto Sans Arabic", "Segoe UI", Tahoma, "DejaVu Sans", sans-serif; }
h1, h2, h3 { line-height: 1.5; }
h2 { margin-top: 3rem; border-top: 1px solid rgb(128 128 128 / .5); padding-top: 1rem; }
h2 small, code { font-size: .8em; font-weight: normal; opacity: .8; }
.text { white-space: pre-line; overflow-wrap: anywhere; }
mark { color: inherit; background: rgb(var(--side) / calc(var(--strength) * .6)); padding: 0 .1em; border-radius: .2em;
       border-bottom: 2px solid rgb(var(--side) / var(--strength)); print-color-adjust: exact; }
mark.for { --side: var(--for); }
mark.against { --side: var(--against); border-bottom-style: dotted; }
table { border-collapse: collapse; margin: .5rem 0; }
td { padding: 0 .6rem; border-bottom: 1px solid rgb(128 128 128 / .3); }
td[dir] { text-align: right; font-variant-numeric: tabular-nums; }
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
    arabic = {theme.name: theme.ar for theme in taxonomy.themes}
    articles = "\n".join(_article(article, explanations, arabic) for article, explanations in explained)
    return f"""<!DOCTYPE html>
<html lang="ar" dir="rtl">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>الكلمات وراء كل موضوع</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>الكلمات وراء كل موضوع</h1>
{_LEGEND}
{articles or "<p>لا مقالات.</p>"}
</body>
</html>
"""


def _article(article: Article, explanations: Sequence[Explanation], arabic: dict[str, str]) -> str:
    text = article.full_text
    sections = [_theme(text, explained, arabic) for explained in explanations] or [
        f'<p>لا كلمة معروفة في هذا النص، فلا دليل على أي موضوع.</p>\n<p class="text">{_safe(text)}</p>\n'
    ]
    return f"""<article>
<h2>{_safe(headline(article))} <small><bdi>{_safe(article.id)}</bdi></small></h2>
{"".join(sections)}</article>"""


def _theme(text: str, explained: Explanation, arabic: dict[str, str]) -> str:
    answer = "نعم، من هذا الموضوع" if explained.given else "لا، الدرجة دون العتبة"
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
<h3>{_safe(arabic[explained.theme])} <code dir="ltr">{_safe(explained.theme)}</code></h3>
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
        return _safe(word)
    side = "for" if weight > 0 else "against"
    return f'<mark class="{side}" style="--strength:{strength:.2f}" title="{_signed(weight)}">{_safe(word)}</mark>'


def _name(term: Term, arabic: dict[str, str]) -> str:
    return arabic[term.text] if term.kind in ("rate", "lead") else term.text


def _table(rows: Iterable[tuple[Sequence[str], float]]) -> str:
    lines = [
        f'<tr>{"".join(f"<td>{_safe(cell)}</td>" for cell in cells)}<td dir="ltr">{_signed(weight)}</td></tr>'
        for cells, weight in rows
    ]
    return "\n".join(["<table>", *lines, "</table>"])


def _signed(weight: float) -> str:
    return f"{weight:+.2f}".replace("-", "\u2212")


def _safe(text: str) -> str:
    """Escape a text for HTML; half characters, which UTF-8 does not have, become question marks."""
    return escape(text.encode("utf-8", "replace").decode())
