"""Checks of a corpus: everything that is wrong with it, in one pass, each with its place and its remedy."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .article import Article, text_problem
from .config import ValidationConfig
from .corpus import LABELED_SUFFIXES, Record, find_files, read_records
from .duplicates import Pair, near_duplicates
from .errors import DataError
from .normalize import ArabicNormalizer
from .themes import Taxonomy

_TEXTS = ("id", "title", "text")
_OPTIONAL = ("date", "outlet_style", "country", "genre", "note")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: where (``file:line``) and what, with the remedy."""

    source: str
    message: str

    def __str__(self) -> str:
        return f"{self.source}: {self.message}"


@dataclass(frozen=True)
class Corpus:
    """Checked articles in the order of their ids, and the pairs of them that are near-duplicates."""

    articles: tuple[Article, ...]
    pairs: tuple[Pair, ...]


class InvalidCorpusError(DataError):
    """A corpus with problems; all of them, a line each, are its message."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        noun = "problem" if len(problems) == 1 else "problems"
        lines = [str(problem) for problem in problems]
        super().__init__(
            "\n".join([*lines, f"{len(problems)} {noun} in the articles; nothing was trained or measured."])
        )


def load_corpus(paths: Iterable[str | Path], taxonomy: Taxonomy, config: ValidationConfig) -> Corpus:
    """Read labeled articles and check them one by one and together.

    Raises
    ------
    InvalidCorpusError
        With every problem found.
    DataError
        If a file as a whole cannot be read.
    """
    articles, problems = read_articles(paths, taxonomy)
    together, pairs = check_together(articles, taxonomy, config)
    if problems := problems + together:
        raise InvalidCorpusError(problems)
    return Corpus(tuple(articles), tuple(pairs))


def load_labeled(paths: Iterable[str | Path], taxonomy: Taxonomy, config: ValidationConfig) -> Corpus:
    """Read labeled articles to measure on: each must be sound and have an id of its own, but they may be few and alike.

    Raises
    ------
    InvalidCorpusError
        With every problem found.
    DataError
        If a file as a whole cannot be read.
    """
    articles, problems = read_articles(paths, taxonomy)
    if problems := problems + _repeated_ids(articles):
        raise InvalidCorpusError(problems)
    return Corpus(tuple(articles), tuple(_alike(articles, config)))


def read_articles(paths: Iterable[str | Path], taxonomy: Taxonomy) -> tuple[list[Article], list[Problem]]:
    """Read labeled articles, in the order of their ids, and what is wrong with each of the others.

    Raises
    ------
    DataError
        If a file as a whole cannot be read.
    """
    articles, problems = [], []
    for file in find_files(paths, LABELED_SUFFIXES):
        empty = True
        for record in read_records(file):
            empty = False
            if found := check_record(record, taxonomy):
                problems += found
            else:
                articles.append(_article(record, taxonomy))
        if empty:
            problems.append(Problem(str(file), "no articles in this file; fill it or leave it out"))
    return sorted(articles, key=lambda article: article.id), problems


def check_record(record: Record, taxonomy: Taxonomy) -> list[Problem]:
    """Check one record: its fields, their types, its themes, that there is Arabic in its text."""
    if record.problem:
        return [Problem(record.source, record.problem)]
    fields = record.fields
    messages = []
    for key in (*_TEXTS, *_OPTIONAL):
        value = fields.get(key, None if key in _TEXTS else "")
        if key not in fields and key in _TEXTS:
            messages.append(f"no field {key!r}; required: {', '.join((*_TEXTS, 'themes'))}")
        elif not isinstance(value, str):
            messages.append(f"{key!r} is {_kind(value)}, not a text; write it in quotation marks")
        elif key == "id" and not value.strip():
            messages.append("'id' is empty; give every article a name of its own")
        elif _has_surrogate(value):
            messages.append(f"{key!r} holds half a character (a lone surrogate); mend or delete it")
    messages += _check_themes(fields, taxonomy)
    text = fields.get("text")
    if isinstance(text, str):
        messages += filter(None, [text_problem(text)])
    return [Problem(record.source, message) for message in messages]


def check_together(
    articles: list[Article], taxonomy: Taxonomy, config: ValidationConfig
) -> tuple[list[Problem], list[Pair]]:
    """Check articles against each other: ids, duplicates, near-duplicates, articles a theme."""
    problems, pairs = _repeated_ids(articles), _alike(articles, config)
    for pair in pairs:
        one, other = articles[pair.first], articles[pair.second]
        if pair.similarity == 1:
            problems.append(Problem(other.source, f"the same text as {one.source}; delete one"))
        elif one.themes != other.themes:
            problems.append(
                Problem(
                    other.source,
                    f"{pair.similarity:.0%} the text of {one.source}, with other themes; "
                    "give both the same or delete one",
                )
            )
        elif config.near_duplicates == "reject":
            problems.append(
                Problem(
                    other.source,
                    f"{pair.similarity:.0%} the text of {one.source}; delete or rewrite one, or "
                    'set near_duplicates = "group" in [validation] to keep both on one side of each split',
                )
            )
    counts = Counter(name for article in articles for name in article.themes)
    counts["(none)"] = sum(not article.themes for article in articles)
    for name in (*taxonomy.names, "(none)"):
        if counts[name] < config.min_articles:
            problems.append(
                Problem(
                    "corpus",
                    f"{counts[name]} articles with theme {name}, {config.min_articles} needed; "
                    "add some, or take the theme out of the taxonomy",
                )
            )
    return problems, pairs


def _repeated_ids(articles: list[Article]) -> list[Problem]:
    problems = []
    first: dict[str, Article] = {}
    for article in articles:
        if (earlier := first.setdefault(article.id, article)) is not article:
            problems.append(Problem(article.source, f"id {article.id!r} is also at {earlier.source}; rename one"))
    return problems


def _alike(articles: list[Article], config: ValidationConfig) -> list[Pair]:
    return near_duplicates(ArabicNormalizer().transform([a.full_text for a in articles]), config.near_duplicate)


def _check_themes(fields: dict[str, Any], taxonomy: Taxonomy) -> list[str]:
    if "themes" not in fields:
        return ["no field 'themes'; write [] for an article without any"]
    themes = fields["themes"]
    if isinstance(themes, str):
        return [f"'themes' is the bare text {themes!r}; write a list: [{themes!r}]"]
    if not isinstance(themes, list) or not all(isinstance(name, str) for name in themes):
        return [f"'themes' is {_kind(themes)}; write a list of theme names"]
    known = ", ".join(taxonomy.names)
    messages = [f"unknown theme {name!r}. Known themes: {known}" for name in themes if name not in taxonomy.names]
    if len(set(themes)) < len(themes):
        messages.append(f"a theme stands twice in {themes}; keep one")
    return messages


def _article(record: Record, taxonomy: Taxonomy) -> Article:
    fields = record.fields
    texts = {key: fields[key] for key in (*_TEXTS, *_OPTIONAL) if key in fields}
    themes = tuple(name for name in taxonomy.names if name in fields["themes"])
    return Article(**texts, themes=themes, source=record.source)


def _kind(value: Any) -> str:
    names = {
        type(None): "null",
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
    }
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        return "a list with something other than texts in it"
    return names.get(type(value), f"of type {type(value).__name__}")


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= sign <= "\udfff" for sign in text)
