"""The taxonomy: which themes there are, what they are called, how other systems name them.

A taxonomy is data (``data/themes.toml``); another file trains another classifier with no line of code changed.
"""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError

MAX_THEMES = 1000  # each is a classifier of its own, with a weight for every feature
NONE = "none"  # reserved: the answer for an article without any theme, never a theme of its own
NONE_AR = "لا موضوع"


@dataclass(frozen=True)
class Theme:
    """One theme.

    Attributes
    ----------
    name : str
        Identifier, lower case with underscores: ``organized_crime``.
    ar, en, fr : str
        What a reader is shown.
    definition : str
        One line: what counts.
    iptc : tuple of str
        IPTC Media Topics codes, ``medtop:20000103``; empty where there is none.
    un_thesaurus : str
        Preferred Arabic term of the UNBIS thesaurus; empty where there is none.
    keywords : tuple of str
        Words and phrases that speak for the theme: for the keyword baseline, and as features of the model.
    """

    name: str
    ar: str
    en: str
    fr: str
    definition: str
    iptc: tuple[str, ...] = ()
    un_thesaurus: str = ""
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True)
class Taxonomy:
    """Themes in their fixed order: the order of columns in every label and score matrix."""

    themes: tuple[Theme, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Theme names in column order."""
        return tuple(theme.name for theme in self.themes)

    @property
    def arabic(self) -> dict[str, str]:
        """Theme names, and none, to what an Arabic reader is shown."""
        return {theme.name: theme.ar for theme in self.themes} | {NONE: NONE_AR}

    def __len__(self) -> int:
        return len(self.themes)

    def label_matrix(self, themes: Iterable[Sequence[str]]) -> NDArray[np.int8]:
        """Turn lists of theme names into a 0/1 matrix of shape (n_articles, n_themes).

        >>> two = Taxonomy((Theme("a", "أ", "A", "A", ""), Theme("b", "ب", "B", "B", "")))
        >>> two.label_matrix([["b"], [], ["a", "b"]]).tolist()
        [[0, 1], [0, 0], [1, 1]]

        Raises
        ------
        TypeError
            If an article's themes are a bare string, which would be read letter by letter.
        DataError
            If a name is not in the taxonomy.
        """
        column = {name: i for i, name in enumerate(self.names)}
        rows = []
        for names in themes:
            if isinstance(names, str):
                raise TypeError(f"themes must be a list of names, not the string {names!r}: write [{names!r}]")
            if unknown := sorted(set(names) - column.keys()):
                raise DataError(f"unknown theme {unknown[0]!r}. Known themes: {', '.join(self.names)}")
            row = np.zeros(len(self), dtype=np.int8)
            row[[column[name] for name in names]] = 1
            rows.append(row)
        return np.stack(rows) if rows else np.zeros((0, len(self)), dtype=np.int8)

    def names_of(self, row: NDArray[Any]) -> tuple[str, ...]:
        """Names of the columns set in one row of a label matrix.

        >>> Taxonomy((Theme("a", "أ", "A", "A", ""), Theme("b", "ب", "B", "B", ""))).names_of(np.array([0, 1]))
        ('b',)
        """
        return tuple(name for name, on in zip(self.names, row, strict=True) if on)

    def to_dict(self) -> list[dict[str, Any]]:
        """Give the taxonomy as plain lists and dicts, for JSON."""
        return [asdict(theme) for theme in self.themes]


def read_taxonomy(path: Path) -> Taxonomy:
    """Read a taxonomy from a TOML file with one ``[[theme]]`` table a theme.

    Raises
    ------
    DataError
        If the file cannot be read or a theme is incomplete, malformed or named twice.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("theme", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: cannot read the themes: {error}") from error
    return taxonomy_from_tables(tables, str(path))


def taxonomy_from_tables(tables: Any, where: str = "themes") -> Taxonomy:
    """Check plain lists and dicts, as read from TOML or from a card, and make a taxonomy of them.

    Raises
    ------
    DataError
        If a theme is incomplete, malformed or named twice.
    """
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise DataError(f"{where}: no themes. Write one [[theme]] table for each.")
    if len(tables) > MAX_THEMES:
        raise DataError(
            f"{where}: {len(tables)} themes; {MAX_THEMES} are allowed. Merge some, or train several models."
        )
    themes = tuple(_theme(table, f"{where}: theme {i}") for i, table in enumerate(tables, 1))
    names = [theme.name for theme in themes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{where}: theme {twice[0]!r} stands twice; keep one.")
    return Taxonomy(themes)


def _theme(table: dict[str, Any], where: str) -> Theme:
    fields = Theme.__dataclass_fields__
    if unknown := sorted(table.keys() - fields.keys()):
        raise DataError(f"{where}: unknown key {unknown[0]!r}. Known keys: {', '.join(fields)}")
    for key in ("name", "ar", "en", "fr", "definition"):
        if not isinstance(table.get(key), str) or not table[key].strip():
            raise DataError(f"{where}: {key!r} must be a text that is not empty")
    for key in ("iptc", "keywords"):
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise DataError(f"{where}: {key!r} must be a list of texts, found {value!r}")
    if not isinstance(table.get("un_thesaurus", ""), str):
        raise DataError(f"{where}: 'un_thesaurus' must be a text")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", table["name"]) or table["name"] == NONE:
        raise DataError(
            f"{where}: name {table['name']!r} must be lower-case Latin letters, digits and underscores, "
            f"and not {NONE!r}, which stands for an article without any theme"
        )
    fitting: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Theme(**fitting)
