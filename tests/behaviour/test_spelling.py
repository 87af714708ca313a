"""The same article in another spelling gets the same themes."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import classify, load_model
from pipeline.classifier import ThemeClassifier
from pipeline.train import Trained

from ..conftest import ROOT

SAMPLES = sorted((ROOT / "data/samples").glob("*.txt"))


def vocalize(text: str) -> str:
    rng = random.Random(0)
    return "".join(sign + (rng.choice("\u064e\u064f\u0650\u0652") if "ب" <= sign <= "ي" else "") for sign in text)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "vowel signs on every letter": vocalize,
    "hamzas dropped": lambda text: text.translate(str.maketrans("أإآؤئ", "اااوي")),
    "kashida": lambda text: text.replace("ا", "ـــا"),
    "final yeh without dots": lambda text: text.replace("ي ", "ى "),
    "heh for teh marbuta": lambda text: text.replace("ة", "ه"),
    "Persian keyboard": lambda text: text.translate(str.maketrans("كي", "کی")),
    "eastern digits": lambda text: text.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
    "marks of direction": lambda text: "\u202b" + text.replace(" ", " \u200f") + "\u202c",
    "entities": lambda text: text.replace(" ", "&nbsp;"),
    "advertising script": lambda text: text.replace("\n", "\ngoogletag.cmd.push(function() { show('x'); });\n", 1),
}


@pytest.fixture(scope="module")
def model(trained: Trained) -> ThemeClassifier:
    return load_model(trained.path)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_spelling_changes_nothing(model: ThemeClassifier, sample: Path, spelling: str) -> None:
    text = sample.read_text(encoding="utf-8")
    plain, other = classify(model, [text, SPELLINGS[spelling](text)])
    assert other.themes == plain.themes
    assert other.scores == pytest.approx(plain.scores, abs=0.01)
