"""What a model answered, article by article, kept with its run: what runs are compared by, long after."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .article import Article
from .artifact import write_text
from .corpus import text_hashes
from .errors import DataError
from .themes import Taxonomy

ANSWERS = "answers.jsonl"


@dataclass(frozen=True)
class AnswerSheet:
    """Articles with what their labels say and what a model that had not learned from them said.

    Attributes
    ----------
    ids, texts, parts : ndarray of str, shape (n,)
        Id; a hash of the normalized text; which part it belongs to, such as ``test``.
    folds, groups : ndarray of int, shape (n,)
        Fold it was answered in; near-duplicates have one group.
    labels, predictions : ndarray of 0 and 1, shape (n, n_themes)
    probabilities : ndarray of float64, shape (n, n_themes)
        Rounded to six digits.
    """

    ids: NDArray[np.str_]
    texts: NDArray[np.str_]
    parts: NDArray[np.str_]
    folds: NDArray[np.int32]
    groups: NDArray[np.int32]
    labels: NDArray[np.int8]
    predictions: NDArray[np.int8]
    probabilities: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        part: str,
        articles: Sequence[Article],
        labels: NDArray[np.int8],
        predictions: NDArray[np.int8],
        probabilities: NDArray[np.float64],
        groups: NDArray[np.int32],
        folds: NDArray[np.int32] | None = None,
    ) -> Self:
        """Lay down the answers to the articles of one part."""
        n = len(articles)
        return cls(
            np.array([article.id for article in articles], dtype=np.str_),
            np.array(text_hashes(articles), dtype=np.str_),
            np.array([part] * n, dtype=np.str_),
            np.zeros(n, dtype=np.int32) if folds is None else folds,
            groups, labels, predictions, probabilities,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, chosen: NDArray[Any]) -> Self:
        return type(self)(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    def __add__(self, other: Self) -> Self:
        pairs = {field.name: (getattr(self, field.name), getattr(other, field.name)) for field in fields(self)}
        return type(self)(**{name: np.concatenate(pair) for name, pair in pairs.items()})


def write_answers(sheet: AnswerSheet, taxonomy: Taxonomy, path: Path) -> None:
    """Write answers as JSON Lines, an article a line, ordered by id."""
    names = taxonomy.names
    lines = [
        json.dumps(
            {
                "id": str(sheet.ids[i]),
                "text": str(sheet.texts[i]),
                "part": str(sheet.parts[i]),
                "fold": int(sheet.folds[i]),
                "group": int(sheet.groups[i]),
                "themes": taxonomy.names_of(sheet.labels[i]),
                "said": taxonomy.names_of(sheet.predictions[i]),
                "scores": dict(zip(names, sheet.probabilities[i].round(6).tolist(), strict=True)),
            },
            ensure_ascii=False,
        )
        for i in np.argsort(sheet.ids).tolist()
    ]
    write_text(path, "".join(line + "\n" for line in lines))


def read_answers(path: Path, taxonomy: Taxonomy) -> AnswerSheet:
    """Read what `write_answers` wrote.

    Raises
    ------
    DataError
        If the file is missing, damaged, or of another taxonomy.
    """
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        scores = [[row["scores"][name] for name in taxonomy.names] for row in rows]
        return AnswerSheet(
            _column(rows, "id", np.str_), _column(rows, "text", np.str_), _column(rows, "part", np.str_),
            _column(rows, "fold", np.int32), _column(rows, "group", np.int32),
            taxonomy.label_matrix(row["themes"] for row in rows),
            taxonomy.label_matrix(row["said"] for row in rows),
            np.array(scores, dtype=np.float64).reshape(-1, len(taxonomy)),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, DataError) as error:
        raise DataError(f"{path}: cannot read the answers: {error}") from error


def _column(rows: Iterable[dict[str, Any]], key: str, kind: Any) -> NDArray[Any]:
    return np.array([row[key] for row in rows], dtype=kind)
