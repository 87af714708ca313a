from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.config import Config
from pipeline.curve import learning_curve
from pipeline.errors import DataError
from pipeline.pictures import draw_curve
from pipeline.report import format_curve

from .conftest import make_toy_articles, write_jsonl


def test_more_articles_are_learned_from_at_each_point(toy_config: Config, toy_project: Path) -> None:
    write_jsonl(toy_project / "articles" / "toy.jsonl", make_toy_articles(240))
    gold = write_jsonl(toy_project / "gold.jsonl", make_toy_articles(40, seed=4))
    curve = learning_curve(toy_config, [str(gold)], draws=2)
    assert list(curve) == ["own", "other"]
    sizes = [point.articles for point in curve["other"]]
    assert sizes == sorted(sizes)
    assert sizes[0] == pytest.approx(sizes[-1] / 8, rel=0.15)
    assert sizes[-1] < 240  # the held-out articles are never learned from
    last = curve["other"][-1].metrics["f1_micro"]
    assert last.low <= last.value <= last.high
    assert last.value > 0.9
    lines = format_curve(curve).splitlines()
    assert format_curve(learning_curve(toy_config, [str(gold)], draws=2)).splitlines() == lines
    assert len(lines) == 6
    assert "F1 none, other" in lines[0]
    draw_curve(curve, toy_project / "curve.png")
    assert (toy_project / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_draws_and_says_where(toy_project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl(toy_project / "articles" / "toy.jsonl", make_toy_articles(240))
    picture = toy_project / "out" / "curve.png"
    assert cli.main(["curve", "--config", str(toy_project / "quick.toml"), "--output", str(picture)]) == 0
    assert f"picture {picture}" in capsys.readouterr().out
    assert picture.exists()


def test_too_few_articles_to_deal_out(toy_config: Config, toy_project: Path) -> None:
    many_folds = replace(toy_config, classifier=replace(toy_config.classifier, folds=20))
    with pytest.raises(DataError, match="cannot be split and trained on"):
        learning_curve(many_folds, [])
