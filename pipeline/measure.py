"""Labeled articles to measure a saved model on, and whether it has learned from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .article import Article
from .compare import LabeledTexts
from .config import config_from_dict
from .corpus import text_hashes
from .themes import taxonomy_from_tables
from .train import label
from .validate import load_labeled


@dataclass(frozen=True)
class Measured:
    """Articles with their labels."""

    articles: Sequence[Article]
    labeled: LabeledTexts

    def known_to(self, card: dict[str, Any]) -> int:
        """Count the articles that the model of a card learned from, but for spelling."""
        trained_on = card.get("corpus", {}).get("texts", "").split()  # models of earlier versions do not tell
        return len(set(text_hashes(self.articles)) & set(trained_on))


def read_labeled(card: dict[str, Any], paths: Sequence[str]) -> Measured:
    """Read labeled articles for the model of a card.

    Raises
    ------
    InvalidCorpusError
        If anything is wrong with the articles.
    DataError
        If a file cannot be read.
    """
    config, taxonomy = config_from_dict(card.get("config"), "card"), taxonomy_from_tables(card["themes"])
    corpus = load_labeled(paths, taxonomy, config.validation)
    return Measured(corpus.articles, label(corpus, taxonomy))
