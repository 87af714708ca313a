"""A toy corpus that trains in a second, and one full training on the project's own articles."""

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from pipeline.classifier import ThemeClassifier, build_model
from pipeline.config import Config, config_from_dict, read_config
from pipeline.themes import Taxonomy, Theme
from pipeline.train import Trained, train

ROOT = Path(__file__).parent.parent

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only there workers are forked")

# The same examples on each machine and day. To look for new ones: pytest --hypothesis-profile=default, tests/fuzz.py.
settings.register_profile("repeatable", derandomize=True, database=None)
settings.load_profile("repeatable")

TOY_WORDS = {
    "sea": "ميناء سفينة بحر قارب صياد موج ساحل مرسى بحارة شراع شاطئ مرفأ",
    "sky": "طائرة مطار جناح طيار سحاب رحلة مدرج تحليق مروحية هبوط إقلاع برج",
    "": "خبز سوق كتاب مدرسة حديقة شجرة قمح مطر طريق بيت جسر مدينة",
}

FILLER = "قال أمس اليوم مسؤول كبير في بيان إن العمل مستمر منذ عام وأضاف أن الأمر واضح للجميع"


def make_toy_articles(n: int, seed: int = 0) -> list[dict[str, Any]]:
    """`n` articles of random words: a quarter about the sea, the sky, both, neither."""
    rng = random.Random(seed)
    filler = FILLER.split()
    articles: list[dict[str, Any]] = []
    for i in range(n):
        themes = [["sea"], ["sky"], ["sea", "sky"], []][i % 4]
        words = [rng.choice(TOY_WORDS[name].split()) for name in (themes or [""]) for _ in range(8)]
        words += rng.choices(filler, k=12)
        rng.shuffle(words)
        articles.append({"id": f"toy-{i:03}", "title": words[0], "text": " ".join(words), "themes": themes})
    return articles


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def toy_theme(name: str) -> Theme:
    return Theme(name, TOY_WORDS[name].split()[0], name, name, name, keywords=tuple(TOY_WORDS[name].split()[:4]))


@pytest.fixture(scope="session")
def toy_taxonomy() -> Taxonomy:
    return Taxonomy((toy_theme("sea"), toy_theme("sky")))


def write_toy_project(folder: Path, n_articles: int = 80) -> Path:
    """Write articles, a taxonomy and a quick configuration: what a user would bring. Give the configuration's path."""
    write_jsonl(folder / "articles" / "toy.jsonl", make_toy_articles(n_articles))
    themes = "".join(
        f'[[theme]]\nname = "{name}"\nar = "{words.split()[0]}"\nen = "{name}"\nfr = "{name}"\ndefinition = "{name}"\n'
        f"keywords = {json.dumps(words.split()[:4], ensure_ascii=False)}\n\n"
        for name, words in TOY_WORDS.items()
        if name
    )
    (folder / "themes.toml").write_text(themes, encoding="utf-8")
    quick = folder / "quick.toml"
    quick.write_text(
        f'[data]\narticles = ["{folder}/articles"]\nthemes = "{folder}/themes.toml"\n'
        "[split]\nfolds = 2\n[classifier]\nfolds = 2\n[evaluation]\nresamples = 100\n",
        encoding="utf-8",
    )
    return quick


@pytest.fixture
def toy_project(tmp_path: Path) -> Path:
    """A folder with a toy project."""
    write_toy_project(tmp_path)
    return tmp_path


@pytest.fixture
def toy_config(toy_project: Path) -> Config:
    return read_config(toy_project / "quick.toml")


@pytest.fixture(scope="session")
def config() -> Config:
    """The default configuration, with paths that hold wherever the tests are started."""
    tables = read_config().to_dict()
    tables["data"] = {"articles": [str(ROOT / "data/articles")], "themes": str(ROOT / "data/themes.toml")}
    return config_from_dict(tables)


@pytest.fixture(scope="module")
def model(config: Config, toy_taxonomy: Taxonomy) -> ThemeClassifier:
    """A model of toy articles, anew for each module."""
    rows = make_toy_articles(80)
    labels = toy_taxonomy.label_matrix(row["themes"] for row in rows)
    return build_model(config, toy_taxonomy).fit([row["text"] for row in rows], labels)


@pytest.fixture(scope="session")
def trained(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The project's own model, trained as `make train` trains it."""
    return train(config, tmp_path_factory.mktemp("models"))
