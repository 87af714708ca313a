import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifact import load_model
from pipeline.classifier import ThemeClassifier
from pipeline.compare import MODEL, cross_validate
from pipeline.config import Config
from pipeline.errors import DataError
from pipeline.projection import Projection
from pipeline.themes import read_taxonomy
from pipeline.train import label, train
from pipeline.validate import InvalidCorpusError, load_corpus

from .conftest import make_toy_articles, write_jsonl


def test_another_taxonomy_trains_the_same_way(toy_config: Config, tmp_path: Path) -> None:
    trained = train(toy_config, tmp_path / "out")
    model = load_model(trained.path)
    assert model.taxonomy.names == ("sea", "sky")
    card = json.loads(trained.path.with_suffix(".json").read_text(encoding="utf-8"))
    assert card == trained.card
    thresholds = np.array([*model.thresholds_, model.none_threshold_]).round(6).tolist()
    assert card["thresholds"] == dict(zip(("sea", "sky", "none"), thresholds, strict=True))
    assert card["corpus"]["themes"] == {"sea": 40, "sky": 40}
    assert card["corpus"]["none"] == 20
    assert len(card["probes"]) == 3
    for part in ("test", "cross_validation"):
        measured = card["metrics"][part]
        assert set(measured["baselines"]) == {"keywords", "textbook"}
        low, high = measured["f1_micro_interval"]
        assert low <= measured["f1_micro"] <= high
    assert card["metrics"]["test"]["n"] + card["metrics"]["cross_validation"]["n"] == 80
    for name in ("themes.png", "calibration.png", "words.png", "breakdown.png"):
        assert (tmp_path / "out/report" / name).read_bytes().startswith(b"\x89PNG")


def test_nothing_of_the_machine_or_the_day_is_in_the_card(toy_config: Config, tmp_path: Path) -> None:
    trained = train(toy_config, tmp_path / "out")
    card = {key: value for key, value in trained.card.items() if key != "config"}  # which repeats the user's own paths
    assert str(tmp_path) not in json.dumps(card)
    again = train(toy_config, tmp_path / "other")
    assert again.card == trained.card
    assert again.path.read_bytes() == trained.path.read_bytes()


def test_the_order_and_number_of_files_change_nothing(toy_config: Config, toy_project: Path, tmp_path: Path) -> None:
    before = train(toy_config, tmp_path / "before").card["sha256"]
    (toy_project / "articles/toy.jsonl").unlink()
    rows = make_toy_articles(80)
    write_jsonl(toy_project / "articles/b.jsonl", rows[:30][::-1])
    write_jsonl(toy_project / "articles/a.jsonl", rows[30:])
    assert train(toy_config, tmp_path / "after").card["sha256"] == before


def test_a_fault_costs_nothing_that_was_made(toy_config: Config, toy_project: Path, tmp_path: Path) -> None:
    trained = train(toy_config, tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    rows = make_toy_articles(80)
    rows[0]["themes"] = ["land"]
    write_jsonl(toy_project / "articles/toy.jsonl", rows)
    with pytest.raises(InvalidCorpusError, match="unknown theme 'land'"):
        train(toy_config, tmp_path / "out")
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
    load_model(trained.path)


def test_too_many_folds_for_the_articles(toy_config: Config, toy_project: Path, tmp_path: Path) -> None:
    write_jsonl(toy_project / "articles/toy.jsonl", make_toy_articles(20))
    config = dataclasses.replace(
        toy_config,
        split=dataclasses.replace(toy_config.split, folds=20),
        validation=dataclasses.replace(toy_config.validation, min_articles=2),
    )
    with pytest.raises(DataError, match="cannot be split and trained on"):
        train(config, tmp_path / "out")


def test_cross_validation_asks_about_no_article_it_was_fitted_on(
    toy_config: Config, toy_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor on a near-duplicate of it; neither in the outer folds nor in those inside `fit`."""
    rows = make_toy_articles(80)
    for i in range(0, 40, 4):  # ten pairs of near-duplicates
        rows[i + 40] |= {"title": rows[i]["title"], "text": rows[i]["text"] + " زيادة"}
    write_jsonl(toy_project / "articles/toy.jsonl", rows)
    rules = dataclasses.replace(toy_config.validation, near_duplicates="group")
    taxonomy = read_taxonomy(Path(toy_config.data.themes))
    labeled = label(load_corpus(toy_config.data.articles, taxonomy, rules), taxonomy)
    assert len(set(labeled.groups.tolist())) == 70
    group_of = dict(zip(labeled.texts, labeled.groups.tolist(), strict=True))

    learned: list[set[int]] = []  # the groups each features-and-planes was learned from, in order
    asked: list[tuple[set[int], set[int]]] = []  # and the groups that it was then asked about
    learn, project = ThemeClassifier._learn, Projection.__call__

    def spy_learn(self: Any, texts: list[str], labels: Any, **how: Any) -> Any:
        learned.append({group_of[text] for text in texts})
        return learn(self, texts, labels, **how)

    def spy_project(self: Any, texts: list[str]) -> Any:
        asked.append((learned[-1], {group_of[text] for text in texts}))
        return project(self, texts)

    monkeypatch.setattr(ThemeClassifier, "_learn", spy_learn)
    monkeypatch.setattr(Projection, "__call__", spy_project)
    monkeypatch.setattr("os.cpu_count", lambda: 1)  # in this process, where it can be watched
    answers = cross_validate(toy_config, taxonomy, labeled)
    assert len(learned) == 2 * (2 + 1)  # two outer folds, each with two inner ones and its own model
    assert len({id(inside) for inside, _ in asked}) == len(learned)  # each was asked something
    for inside, outside in asked:
        assert not inside & outside
    assert (answers[MODEL].predictions == labeled.labels).mean() > 0.9


def test_mistakes_are_listed(toy_config: Config, toy_project: Path, tmp_path: Path) -> None:
    rows = make_toy_articles(80)
    rows[1]["themes"] = ["sea"]  # an article about the sky
    write_jsonl(toy_project / "articles/toy.jsonl", rows)
    train(toy_config, tmp_path / "out")
    errors = [json.loads(line) for line in (tmp_path / "out/report/errors.jsonl").read_text("utf-8").splitlines()]
    (found,) = [error for error in errors if error["id"] == "toy-001"]
    assert (found["missed"], found["wrongly"]) == (["sea"], ["sky"])
