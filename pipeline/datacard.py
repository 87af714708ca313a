"""The figures of the data card, from the articles themselves: composition, dirt, variety, agreement of the readings."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import cohen_kappa_score, f1_score

from .article import Article
from .artifact import write_text
from .corpus import read_records
from .errors import DataError
from .normalize import ArabicNormalizer
from .report import format_markdown
from .themes import Taxonomy
from .validate import Corpus

_GRAM = 4  # words
_SAMPLE = 50_000  # running words over which vocabularies are compared

# What of the dirt of real text an article carries: a name, and how it is recognized.
_DIRT: dict[str, Callable[[Article], object]] = {
    "no title": lambda article: not article.title.strip(),
    "a vowelled word": lambda article: re.search(r"[\u064b-\u0652]\w+[\u064b-\u0652]", article.full_text),
    "kashida": lambda article: "\u0640" in article.full_text,
    "a word without its hamza": lambda article: re.search(
        r"\b(?:ال)?(?:امن|امنية|امني|اعلن|اعلنت|اكد|اكدت|اوقفت|افاد|افادت|الى|ان|او|اي|احد|اول)\b", article.full_text
    ),
    "Arabic-Indic digits": lambda article: re.search("[٠-٩]", article.full_text),
    "Latin words": lambda article: re.search("[A-Za-z]{2,}", article.full_text),
    "hashtags": lambda article: re.search(r"#\w", article.full_text),
}


def describe_articles(corpus: Corpus, taxonomy: Taxonomy, texts: Sequence[str] = ()) -> str:
    """Lay out the figures of the data card as Markdown.

    Parameters
    ----------
    corpus : Corpus
    taxonomy : Taxonomy
    texts : sequence of str
        Other articles to compare the variety of words with, such as real news; may be empty.
    """
    articles = corpus.articles
    sections = [
        _themes(articles, taxonomy),
        _combinations(articles),
        *(_shares(articles, field) for field in ("genre", "outlet_style", "country")),
        _spans(articles),
        format_markdown(
            ["dirt", "articles"], [[name, _share(map(bool, map(found, articles)))] for name, found in _DIRT.items()]
        ),
        _variety(corpus, texts),
    ]
    return "\n\n".join(sections)


def describe_agreement(articles: Sequence[Article], taxonomy: Taxonomy, path: Path) -> str:
    """Lay out how far two readings of the same articles agree, as Markdown.

    Parameters
    ----------
    articles : sequence of Article
    taxonomy : Taxonomy
    path : Path
        JSON Lines with ``id``, and the theme names of each reading under ``first`` and ``second``.

    Raises
    ------
    DataError
        If the file is empty, or a line of it is no such object, names no article or theme, or an article again.
    """
    readings: dict[str, dict[str, Any]] = {}
    known = {article.id: article for article in articles}
    for record in read_records(path):
        fields = record.fields
        themes: list[Any] = [fields.get(reading) for reading in ("first", "second")]
        if record.problem or not all(isinstance(each, list) for each in themes) or fields.get("id") not in known:
            reason = record.problem or "needs the id of an article, and lists of themes under first and second"
            raise DataError(f"{record.source}: {reason}")
        if fields["id"] in readings:
            raise DataError(f"{record.source}: {fields['id']!r} was read before; leave one line of it")
        if unknown := [name for name in chain.from_iterable(themes) if name not in taxonomy.names]:
            allowed = ", ".join(taxonomy.names)
            raise DataError(f"{record.source}: unknown theme {unknown[0]!r}. Known themes: {allowed}")
        readings[fields["id"]] = fields
    if not readings:
        raise DataError(f"{path}: no readings")
    first, second, final = (
        taxonomy.label_matrix(themes)
        for themes in (
            [fields["first"] for fields in readings.values()],
            [fields["second"] for fields in readings.values()],
            [known[name].themes for name in readings],
        )
    )
    rows = []
    with_none = [np.column_stack((matrix, ~matrix.any(axis=1))) for matrix in (first, second, final)]
    columns = zip((*taxonomy.names, "(none)"), *(matrix.T for matrix in with_none), strict=True)
    for name, one, other, agreed in columns:
        differ = int((one != other).sum())
        kappa = f"{cohen_kappa_score(one, other):.2f}"
        rows.append([name, *(str(int(column.sum())) for column in (one, other, agreed)), str(differ), kappa])
    table = format_markdown(["theme", "first", "second", "final", "differ", "Cohen's kappa"], rows)
    same = (first == second).all(axis=1).mean()
    micro = f1_score(first, second, average="micro")
    return (
        f"{table}\n\n{len(readings)} of {len(articles)} articles were read twice: "
        f"the same set of themes in {same:.1%}, micro-F1 of one reading against the other {micro:.3f}."
    )


def _themes(articles: Sequence[Article], taxonomy: Taxonomy) -> str:
    rows = []
    for name in taxonomy.names:
        having = [article for article in articles if name in article.themes]
        rows.append([name, str(len(having)), str(sum(len(article.themes) == 1 for article in having))])
    none = [article for article in articles if not article.themes]
    rows.append(["(none)", str(len(none)), f"{sum(bool(article.note) for article in none)} of them hard negatives"])
    rows.append(["(several)", _share(len(article.themes) > 1 for article in articles), ""])
    rows.append(["all", str(len(articles)), ""])
    return format_markdown(["theme", "articles", "alone"], rows)


def _combinations(articles: Sequence[Article], most: int = 12) -> str:
    counts = Counter(" + ".join(article.themes) for article in articles if len(article.themes) > 1)
    rows = [[name, str(count)] for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    return format_markdown([f"commonest of {len(counts)} combinations", "articles"], rows[:most])


def _shares(articles: Sequence[Article], field: str) -> str:
    counts = Counter(getattr(article, field) or "(not given)" for article in articles)
    parts = [f"{name} {count}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    return f"**{field}** ({len(counts)}): {', '.join(parts)}"


def _spans(articles: Sequence[Article]) -> str:
    words = [len(article.full_text.split()) for article in articles]
    low, middle, high = np.percentile(words, [5, 50, 95])
    years = sorted(article.date[:4] for article in articles if article.date)
    return (
        f"**words**: {sum(words)}, an article {min(words)} to {max(words)}, median {middle:.0f}, "
        f"nine in ten from {low:.0f} to {high:.0f}"
        + (f"; **years** {years[0]} to {years[-1]}, half of them up to {years[len(years) // 2]}" if years else "")
    )


def _variety(corpus: Corpus, texts: Sequence[str]) -> str:
    parts = {"these articles": [article.full_text for article in corpus.articles]}
    if texts:
        parts["other articles"] = list(texts)
    rows = []
    for name, raw in parts.items():
        # Every eleventh, again and again, so that the sample is not the work of one desk.
        normalized = ArabicNormalizer().transform([raw[i] for start in range(11) for i in range(start, len(raw), 11)])
        words: list[str] = []
        grams: list[tuple[str, ...]] = []
        used = 0
        for text in normalized:
            if len(words) >= _SAMPLE:
                break
            some = text.split()
            words += some
            grams += zip(*(some[i:] for i in range(_GRAM)), strict=False)
            used += 1
        rows.append(
            [
                name,
                str(used),
                str(len(words)),
                str(len(set(words[: _SAMPLE // 2]))),
                str(len(set(words))),
                f"{len(set(grams)) / len(grams):.1%}",
            ]
        )
    header = [
        "sample",
        "articles",
        "words",
        "vocabulary of half the words",
        "vocabulary",
        f"distinct runs of {_GRAM} words",
    ]
    return f"{format_markdown(header, rows)}\n\nNear-duplicate pairs: {len(corpus.pairs)}."


def _share(flags: Iterable[bool]) -> str:
    values = list(flags)
    return f"{sum(values)} ({sum(values) / len(values):.0%})"


def write_figures(path: Path, figures: str) -> None:
    """Put figures between the marks of a page on disk.

    Raises
    ------
    DataError
        If the page cannot be read or lacks the marks; it stays as it was.
    """
    try:
        page = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot read the page: {getattr(error, 'strerror', None) or error}") from error
    write_text(path, replace_figures(page, figures))


def replace_figures(page: str, figures: str) -> str:
    r"""Put figures between the marks of a page.

    Raises
    ------
    DataError
        If the marks are not there, once each and in order.

    >>> replace_figures("<!-- figures -->\nold\n<!-- /figures -->", "new")
    '<!-- figures -->\nnew\n<!-- /figures -->'
    """
    opening, closing = "<!-- figures -->", "<!-- /figures -->"
    before, _, rest = page.partition(opening)
    _, mark, after = rest.partition(closing)
    if not mark or opening in rest:
        raise DataError(f"the page needs {opening} and {closing} once each, on lines of their own")
    return f"{before}{opening}\n{figures}\n{closing}{after}"
