import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import cli, peers, quality
from pipeline.config import Config
from pipeline.errors import DataError
from pipeline.quality import measure_quality
from pipeline.themes import Taxonomy

from .conftest import make_toy_articles, write_jsonl

NAMES = ("ours, words and pairs, one fit", "scikit-learn tuned, words and pairs")


def test_contenders_are_measured_on_the_same_articles(
    tmp_path: Path, toy_config: Config, toy_taxonomy: Taxonomy
) -> None:
    path = str(write_jsonl(tmp_path / "a.jsonl", make_toy_articles(60)))
    table = measure_quality(toy_config, toy_taxonomy, [path], 0, 3, tmp_path, NAMES)
    assert [line.split(" | ")[0].strip("| ") for line in table.splitlines()[2:]] == list(NAMES)
    written = json.loads((tmp_path / "quality.json").read_text(encoding="utf-8"))
    assert (written["articles"], written["folds"]) == (60, 3)
    for figures in written["contenders"].values():
        low, high = figures["f1_micro_interval"]
        assert 0.5 < low <= figures["f1_micro"] <= high <= 1


def test_no_article_is_judged_by_who_has_seen_it_or_a_copy_of_it(
    tmp_path: Path, toy_config: Config, toy_taxonomy: Taxonomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = make_toy_articles(30)
    rows += [row | {"id": f"copy of {row['id']}"} for row in rows[:15]]
    asked = []

    class Watched:
        def __init__(self, task: object) -> None: ...

        def fit(self, texts: list[str], labels: np.ndarray) -> "Watched":
            self.seen, self.width = set(texts), labels.shape[1]
            return self

        def prepare(self, texts: list[str]) -> list[str]:
            return texts

        def predict(self, texts: list[str]) -> np.ndarray:
            asked.extend(texts)
            assert not self.seen & set(texts)
            return np.zeros((len(texts), self.width), dtype=np.int8)

    monkeypatch.setitem(peers.CONTENDERS, "watched", Watched)
    monkeypatch.setattr(quality, "in_a_process", lambda function, *arguments: function(*arguments))
    path = str(write_jsonl(tmp_path / "a.jsonl", rows))
    measure_quality(toy_config, toy_taxonomy, [path], 0, 3, tmp_path, ["watched"])
    assert len(asked) == 45


def test_fewer_than_two_folds_or_more_than_articles_are_refused(
    tmp_path: Path, toy_config: Config, toy_taxonomy: Taxonomy
) -> None:
    path = str(write_jsonl(tmp_path / "a.jsonl", make_toy_articles(6)))
    with pytest.raises(DataError, match="--folds: cannot deal"):
        measure_quality(toy_config, toy_taxonomy, [path], 0, 50, tmp_path, NAMES)
    for folds in (1, 0, -3):
        with pytest.raises(DataError, match=f"--folds must be 2 or more, found {folds}"):
            measure_quality(toy_config, toy_taxonomy, ["nowhere"], 0, folds, tmp_path, NAMES)


def test_folds_and_growth_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["benchmark", "--folds", "3", "--growth"])
    assert stop.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(quality, "CONTENDERS", {name: peers.CONTENDERS[name] for name in NAMES})
    rows = [
        {"id": row["id"], "text": row["text"], "category": str("sea" in row["themes"])} for row in make_toy_articles(60)
    ]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    assert cli.main(["benchmark", "--folds", "3", "--articles", str(path), "--output", str(tmp_path)]) == 0
    assert NAMES[1] in capsys.readouterr().out
