"""What drifted, and only that; from the same distribution, nothing."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import Article, cli
from pipeline.artifact import save_model
from pipeline.classifier import ThemeClassifier, build_model
from pipeline.config import Config
from pipeline.drift import Drift, Sample, compare, format_drift, observe
from pipeline.drift_page import format_drift_page
from pipeline.errors import DataError
from pipeline.themes import Taxonomy

from .conftest import FILLER, make_toy_articles, write_jsonl
from .test_page import Reader

NAMES = ("sea", "sky")
PERSIAN = "پلیس تهران از بازداشت شش نفر در جنوب پایتخت خبر داد"


@pytest.fixture(scope="module")
def model(config: Config, toy_taxonomy: Taxonomy) -> ThemeClassifier:
    rows = make_toy_articles(80)
    labels = toy_taxonomy.label_matrix(row["themes"] for row in rows)
    model = build_model(config, toy_taxonomy).fit([row["text"] for row in rows], labels)
    model.set_params(abstain=0)
    return model


def toys(n: int, seed: int) -> list[dict[str, Any]]:
    return [{**row, "title": ""} for row in make_toy_articles(n, seed)]


def drift_of(model: ThemeClassifier, reference: list[dict[str, Any]], new: list[dict[str, Any]]) -> Drift:
    samples = [
        observe(model, (Article(row["id"], row["title"], row["text"]) for row in rows), "toys")
        for rows in (reference, new)
    ]
    return compare(NAMES, *samples)


def names(drift: Drift) -> list[str]:
    return [shift.name for shift in drift.drifted]


def lengthen(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "text": f"{row['text']} {FILLER.split()[0]}"} for row in rows]


def with_persian(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Replace the articles without a theme by as many words."""
    words = PERSIAN.split() * 2
    none = [row for row in rows if not row["themes"]]
    replaced = {row["id"]: " ".join(words[: len(row["text"].split())]) for row in none}
    return [{**row, "text": replaced.get(row["id"], row["text"])} for row in rows]


def test_halves_of_one_corpus_do_not_differ(model: ThemeClassifier) -> None:
    rows = toys(400, 1)
    random.Random(0).shuffle(rows)
    drift = drift_of(model, rows[:200], rows[200:])
    assert names(drift) == []
    assert format_drift(drift).endswith("no drift")


def test_longer_texts_are_longer_and_nothing_else(model: ThemeClassifier) -> None:
    assert names(drift_of(model, toys(300, 1), lengthen(toys(300, 2)))) == ["length"]


def test_another_mix_of_themes_moves_their_rates_and_scores(model: ThemeClassifier) -> None:
    reference, new = ([row for row in toys(600, seed) if len(row["themes"]) < 2] for seed in (1, 2))  # of one length
    drift = drift_of(model, reference, [row for row in new if row["themes"] != ["sky"] or row["id"] < "toy-200"])
    assert {name.split()[0] for name in names(drift)} == {"sea", "sky"}
    rates = {shift.name: shift for shift in drift.shifts if shift.quantity == "rate"}
    assert rates["sky rate"].new < rates["sky rate"].reference
    assert rates["sky rate"].effect == pytest.approx(rates["sky rate"].new - rates["sky rate"].reference)


def test_texts_in_another_language_are_new_words_and_unsure(model: ThemeClassifier) -> None:
    drift = drift_of(model, toys(300, 1), with_persian(toys(300, 2)))
    assert {"new words", "unsure"} <= set(names(drift))  # what the model makes of such texts is not said
    assert "length" not in names(drift)
    assert drift.shifts[-1].new == 0.25


def test_what_is_beyond_chance_but_small_is_no_drift() -> None:
    n = 20_000
    zeros, rng = np.zeros((n, 2), dtype=np.float32), np.random.default_rng(0)

    def sample(rate: float, shift: float) -> Sample:
        given = np.stack([np.arange(n) < rate * n] * 2, axis=1)
        lengths = rng.normal(200 + shift, 50, n).astype(np.int32)
        return Sample(given, zeros, zeros[:, 0], lengths, given[:, 0])

    small = compare(NAMES, sample(0.30, 0), sample(0.33, 5))
    assert {shift.quantity for shift in small.shifts if shift.p < 0.001} == {"rate", "length", "unsure"}
    assert names(small) == []
    assert names(compare(NAMES, sample(0.30, 0), sample(0.36, 20))) == ["sea rate", "sky rate", "length", "unsure"]
    assert "sea rate" in names(compare(NAMES, sample(0.01, 0), sample(0.02, 0)))  # twice as many
    assert "sea rate" in names(compare(NAMES, sample(0, 0), sample(0.01, 0)))


@pytest.mark.parametrize("text", ["خبز سوق", ""])
def test_one_article_tells_nothing(model: ThemeClassifier, toy_taxonomy: Taxonomy, text: str) -> None:
    one = [{"id": "1", "title": "", "text": text}]
    for reference, new in ((one, one), (toys(40, 1), one), (one, toys(40, 1))):
        drift = drift_of(model, reference, new)
        assert names(drift) == []
        assert np.isfinite([shift.p for shift in drift.shifts]).all()
        assert "لم يتغيّر شيء" in format_drift_page(drift, toy_taxonomy)


def test_no_article_ever_has_a_theme(model: ThemeClassifier) -> None:
    none = [row for row in toys(400, 1) if not row["themes"]]
    drift = drift_of(model, none[:50], none[50:])
    assert [shift.p for shift in drift.shifts if shift.quantity == "rate"] == [1, 1]
    assert names(drift) == []


def test_no_articles(model: ThemeClassifier) -> None:
    with pytest.raises(DataError, match=r"new\.jsonl: no articles"):
        observe(model, [], "new.jsonl")


def test_batches_change_nothing(model: ThemeClassifier) -> None:
    rows = toys(300, 3)
    articles = [Article(row["id"], "", row["text"]) for row in rows]
    together, parts = observe(model, articles, ""), [observe(model, [article], "") for article in articles]
    for name, column in vars(together).items():
        np.testing.assert_array_equal(column, np.concatenate([getattr(part, name) for part in parts]))


def test_the_command(
    model: ThemeClassifier, toy_taxonomy: Taxonomy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_model(model, {}, tmp_path / "m.joblib")
    old = write_jsonl(tmp_path / "old.jsonl", toys(300, 1))
    new = write_jsonl(tmp_path / "new.jsonl", lengthen(toys(300, 2)))
    new.write_text(new.read_text(encoding="utf-8") + "{oops\n", encoding="utf-8")
    command = ["drift", "--model", str(tmp_path / "m.joblib"), "--reference", str(old), "--articles", str(new)]
    assert cli.main([*command, "--output", str(tmp_path / "a")]) == 0
    captured = capsys.readouterr()
    assert "drifted: length\n" in captured.out
    assert "new.jsonl:301: not JSON" in captured.err
    found = json.loads((tmp_path / "a/drift.json").read_text(encoding="utf-8"))
    assert found["articles"] == {"reference": 300, "new": 300}
    assert found["drifted"] == ["length"]
    assert cli.main([*command, "--output", str(tmp_path / "b")]) == 0
    for name in ("drift.json", "drift.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    text = (tmp_path / "a/drift.html").read_text(encoding="utf-8")
    assert not any(trace in text for trace in ("http:", "https:", "//", "src=", "@import", "url(", str(tmp_path)))
    page = Reader(text)
    assert not page.inside
    assert page.tags[0] == ("html", {"lang": "ar", "dir": "rtl"})
    assert "الطول بالكلمات — تغيّر" in page.texts["drifted"]
    assert all(theme.ar in page.texts["h3"] for theme in toy_taxonomy.themes)
    (tmp_path / "empty.jsonl").touch()
    assert cli.main([*command[:-1], str(tmp_path / "empty.jsonl")]) == 2
    assert "empty.jsonl: no articles" in capsys.readouterr().err
