import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import benchmark as module
from pipeline import cli
from pipeline.benchmark import benchmark, format_benchmark, read_sample
from pipeline.config import Config
from pipeline.errors import DataError
from pipeline.peers import CONTENDERS, PyArabicChain, Task
from pipeline.themes import Taxonomy

from .conftest import make_toy_articles, write_jsonl


def test_themes_or_categories_are_labels(tmp_path: Path, config: Config, toy_taxonomy: Taxonomy) -> None:
    rows = make_toy_articles(60)
    themed = read_sample(config, toy_taxonomy, [str(write_jsonl(tmp_path / "a.jsonl", rows))], most=0)
    assert not themed.task.single
    assert themed.task.taxonomy == toy_taxonomy
    assert len(themed.train) + len(themed.test) == 60
    assert not set(themed.train) & set(themed.test)

    filed = [
        {"id": row["id"], "text": row["text"], "category": "بحر" if "sea" in row["themes"] else "غيره"} for row in rows
    ]
    filed += [{"id": "x", "text": "وحيد", "category": "نادر"}]
    sample = read_sample(config, toy_taxonomy, [str(write_jsonl(tmp_path / "b.jsonl", filed))], most=40)
    assert sample.task.single
    assert set(sample.task.taxonomy.names) <= {"بحر", "غيره"}
    assert len(sample.train) + len(sample.test) == 40
    assert (np.concatenate((sample.train_labels, sample.test_labels)).sum(axis=1) == 1).all()


def test_articles_without_labels_are_refused(tmp_path: Path, config: Config, toy_taxonomy: Taxonomy) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"id": "1", "text": "نص"}])
    with pytest.raises(DataError, match="no article with 'themes' or 'category'"):
        read_sample(config, toy_taxonomy, [str(path)], most=0)


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("name", list(CONTENDERS))
def test_every_contender_learns_saves_and_loads(
    name: str, single: bool, tmp_path: Path, toy_config: Config, toy_taxonomy: Taxonomy
) -> None:
    many = 120
    if name.startswith("fastText"):
        pytest.importorskip("fasttext")
        many = 1200  # it learns by small steps
    rows = [row for row in make_toy_articles(many) if not single or len(row["themes"]) == 1]
    texts, labels = [row["text"] for row in rows], toy_taxonomy.label_matrix(row["themes"] for row in rows)
    task = Task(toy_taxonomy, single, toy_config)
    contender = CONTENDERS[name](task).fit(texts, labels)
    prepared = contender.prepare(texts)
    assert (contender.predict(prepared) == labels).mean() > 0.9
    file = tmp_path / f"model{contender.suffix}"
    contender.save(file)
    again = CONTENDERS[name](task).load(file)
    np.testing.assert_array_equal(again.predict(prepared), contender.predict(prepared))


def test_the_chain_of_tutorials() -> None:
    assert PyArabicChain().fit_transform(["الشُّرطة أمــس"]) == ["الشرطه امس"]


def test_ratios_worked_by_hand() -> None:
    row = {
        "train_seconds": 2.0, "train_lowest": 1.5, "train_highest": 2.5,
        "batch_per_second": 300.0, "batch_lowest": 290.0, "batch_highest": 310.0,
        "single_p50_us": 100.0, "single_p99_us": 200.0, "between_p50_us": 110.0, "between_p99_us": 250.0,
        "cold_seconds": 1.0, "file_mb": 2.0, "peak_memory_mb": 50.0, "f1_micro": 0.8, "f1_macro": 0.7,
    }  # fmt: skip
    slow = row | {"train_seconds": 3.0, "batch_per_second": 100.0}
    *_, first, second = format_benchmark({"ours": row, "theirs": slow}).splitlines()
    assert first.startswith(
        "| ours | 2.0 | 1.5 to 2.5 | 300 | 290 to 310 | 100 | 200 | 110 | 250 | 1.00 | 2.0 | 50 | 0.800 | 0.700 |"
    )
    # a half longer to learn; a third as many articles in the same time
    assert second.startswith("| theirs | 3.0 (×1.50) | 1.5 to 2.5 | 100 (×3.00) | 290 to 310 | 100 (×1.00) |")


def test_a_whole_run(
    toy_project: Path, toy_config: Config, toy_taxonomy: Taxonomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rounds in ("_LEARNINGS", "_MOST", "_ROUNDS", "_STARTS", "_PASSES"):
        monkeypatch.setattr(module, rounds, 2)
    output = toy_project / "benchmark"
    names = ["ours, as shipped", "textbook, words and pairs"]
    table = benchmark(toy_config, toy_taxonomy, toy_config.data.articles, 0, output, names)
    assert [line.split(" | ")[0] for line in table.splitlines()[2:]] == [f"| {name}" for name in names]
    written = json.loads((output / "benchmark.json").read_text(encoding="utf-8"))
    assert list(written["contenders"]) == names
    assert written["articles"]["labels"] == ["sea", "sky"]
    for row in written["contenders"].values():
        assert 0 < row["train_lowest"] <= row["train_seconds"] <= row["train_highest"]
        assert row["batch_lowest"] <= row["batch_per_second"] <= row["batch_highest"]
        assert row["single_p50_us"] <= row["single_p99_us"]
        assert row["between_p50_us"] <= row["between_p99_us"]
        assert row["f1_macro"] > 0.8
    assert (output / "benchmark.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_wants_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"id": "1", "text": "نص"}])
    assert cli.main(["benchmark", "--articles", str(path)]) == 2
    assert "no article with 'themes' or 'category'" in capsys.readouterr().err


def test_contenders_have_their_turns_in_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PASSES", 2)
    heard: list[str] = []

    class Listener:
        def predict(self, texts: list[str]) -> None:
            heard.extend(texts)

    loaded, texts = {"a": Listener(), "b": Listener()}, {name: [f"{name}{i}" for i in range(5)] for name in "ab"}
    times = module._time_singles(loaded, texts, 3, np.random.default_rng(0))
    assert {name: len(some) for name, some in times.items()} == {"a": 10, "b": 10}
    # before each loop the article before it, whose time does not count
    loops = [["a4", "a0", "a1", "a2"], ["b4", "b0", "b1", "b2"]]
    assert sorted([heard[:4], heard[4:8]]) == loops
    assert sorted([heard[8:11], heard[11:14]]) == [["a2", "a3", "a4"], ["b2", "b3", "b4"]]
    assert sorted([heard[14:18], heard[18:22]]) == loops
