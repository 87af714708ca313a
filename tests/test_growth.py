import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import cli
from pipeline.benchmark import in_a_process, read_collection
from pipeline.config import Config
from pipeline.errors import DataError, PipelineError
from pipeline.growth import Growth, add_noise, draw, find_exponent, format_growth, measure_growth
from pipeline.progress import peak_memory
from pipeline.themes import Taxonomy

from .conftest import make_toy_articles, write_jsonl


def test_exponents_worked_by_hand() -> None:
    # Four times the articles take 4, 16 and 2 times as long; then 4, 4 and 8 times.
    growth = Growth(
        [100, 400, 1600],
        {"features": [1.0, 4.0, 16.0], "planes": [0.5, 8.0, 32.0], "classification": [0.5, 1.0, 8.0]},
        [200.0, 240.0, 400.0],
    )
    assert growth.exponents["features"] == pytest.approx((1, 1))
    assert growth.exponents["planes"] == pytest.approx((1.5, 1))
    assert growth.exponents["classification"] == pytest.approx((1, 1.5))
    assert growth.kb_per_article == pytest.approx([2000, 600, 250])
    *_, last_size, overall, last_pair = format_growth(growth).splitlines()
    assert last_size == "| 1,600 | 16.00 | 32.00 | 8.00 | 400 | 250 |"
    assert overall == "| exponent | 1.00 | 1.50 | 1.00 |  |  |"
    assert last_pair == "| exponent, last two sizes | 1.00 | 1.00 | 1.50 |  |  |"


def test_an_exponent_weighs_all_sizes() -> None:
    # In units of a doubling, sizes 0, 1, 3 and seconds 0, 2, 2: the means are 4/3, the slope is (8/3) / (14/3).
    assert find_exponent([1, 2, 8], [1, 4, 4]) == pytest.approx((4 / 7, 0))


def test_noise_is_repeatable_and_changes_a_tenth_of_the_words() -> None:
    text = "العنوان\n" + " ".join(f"كلمة{i}" for i in range(199))
    noised = add_noise(text, ["غيرها"], random.Random(1))
    assert noised == add_noise(text, ["غيرها"], random.Random(1))
    assert noised != add_noise(text, ["غيرها"], random.Random(2))
    assert noised.split().count("غيرها") == 20
    assert sum(old != new for old, new in zip(text.split(), noised.split(), strict=True)) == 20
    assert noised.count("\n") == 1


def test_more_articles_than_there_are(tmp_path: Path, config: Config, toy_taxonomy: Taxonomy) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", make_toy_articles(30))
    read = read_collection(config, toy_taxonomy, [str(path)], most=0)
    texts, labels = draw(read, 75, seed=3)
    assert sorted(texts[:30]) == sorted(read.texts)
    assert draw(read, 45, seed=3)[0] == texts[:45]
    assert not set(texts[30:60]) & set(texts[:30])
    assert not set(texts[60:]) & set(texts[30:60])
    np.testing.assert_array_equal(labels[30:60], labels[:30])
    for repeated, original in zip(texts[30:60], texts, strict=False):
        assert 0 < sum(a != b for a, b in zip(repeated.split(), original.split(), strict=True)) <= 3  # of 21 or 29
    by_text = dict(zip(read.texts, read.labels.tolist(), strict=True))
    assert labels[:30].tolist() == [by_text[text] for text in texts[:30]]


def test_a_whole_run(toy_project: Path, toy_config: Config, toy_taxonomy: Taxonomy) -> None:
    paths = [str(write_jsonl(toy_project / "few.jsonl", make_toy_articles(60)))]
    table = measure_growth(toy_config, toy_taxonomy, paths, 0, [80, 40], toy_project / "out")
    assert [line.split(" | ")[0] for line in table.splitlines()[2:4]] == ["| 40", "| 80"]
    written = json.loads((toy_project / "out" / "growth.json").read_text(encoding="utf-8"))
    assert written["articles"] == [40, 80]
    assert written["drawn_from"] == 60
    assert list(written["seconds"]) == list(written["exponents"]) == ["features", "planes", "classification"]
    figures = [*written["seconds"].values(), written["peak_memory_mb"], written["kb_per_article"]]
    assert all(len(each) == 2 and min(each) > 0 for each in figures)
    for exponent in written["exponents"].values():
        assert exponent["overall"] == pytest.approx(exponent["last_pair"])  # there is but one pair
    assert (toy_project / "out" / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_figures_end_where_memory_does_not_suffice(
    toy_project: Path,
    toy_config: Config,
    toy_taxonomy: Taxonomy,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def measure(function: Any, task: Any, texts: list[str], labels: Any) -> tuple[dict[str, float], float]:
        if len(texts) > most:
            raise PipelineError("no memory")
        return dict.fromkeys(("features", "planes", "classification"), float(len(texts))), 100.0

    monkeypatch.setattr("pipeline.growth.in_a_process", measure)
    arguments = (toy_config, toy_taxonomy, toy_config.data.articles, 0, [20, 40, 80], toy_project / "out")
    most = 40
    assert "| exponent | 1.00 | 1.00 | 1.00 |" in measure_growth(*arguments)
    assert json.loads((toy_project / "out" / "growth.json").read_text(encoding="utf-8"))["articles"] == [20, 40]
    assert "80 articles: no memory. The figures end before" in capsys.readouterr().err
    most = 20
    with pytest.raises(PipelineError, match="no memory"):
        measure_growth(*arguments)


def test_memory_is_that_of_the_process_alone() -> None:
    ballast = bytearray(os.urandom(1)) * 500_000_000
    assert peak_memory() > 500
    assert in_a_process(peak_memory) < 400
    del ballast


def test_a_process_that_was_killed_is_told_of() -> None:
    with pytest.raises(PipelineError, match="lack of memory"):
        in_a_process(os._exit, 9)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (["40", "40"], "two or more different numbers of articles from 1 up, found 40 40"),
        (["0", "40"], "two or more different numbers of articles from 1 up, found 0 40"),
        (["1", "40"], "--sizes 1: no article with"),
    ],
)
def test_bad_sizes_are_refused(
    sizes: list[str], message: str, toy_project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--config", str(toy_project / "quick.toml"), "--output", str(toy_project / "out")]
    assert cli.main(["benchmark", "--growth", *arguments, "--sizes", *sizes]) == 2
    assert message in capsys.readouterr().err
    assert not (toy_project / "out").exists()


def test_articles_without_a_common_feature(toy_project: Path, toy_config: Config, toy_taxonomy: Taxonomy) -> None:
    rows = [{"id": word, "text": word, "themes": themes} for word, themes in (("بحر", ["sea"]), ("سما", ["sky"]))]
    paths = [str(write_jsonl(toy_project / "few.jsonl", rows))]
    with pytest.raises(DataError, match="no feature occurs in 2 texts"):
        measure_growth(toy_config, toy_taxonomy, paths, 0, [2, 4], toy_project / "out")
