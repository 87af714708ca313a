import io
import json
import os
import pickle
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io

from pipeline import cli, skops_format
from pipeline.artifact import card_path, file_hash, load_model, read_card, save_model
from pipeline.classifier import ThemeClassifier, build_model
from pipeline.config import Config
from pipeline.errors import ModelError
from pipeline.export import export_model
from pipeline.inspection import inspect_model
from pipeline.themes import Taxonomy

from .conftest import make_toy_articles

TEXTS = [row["text"] for row in make_toy_articles(50, seed=5)]


@pytest.fixture(scope="module")
def model(config: Config, toy_taxonomy: Taxonomy) -> ThemeClassifier:
    rows = make_toy_articles(60)
    labels = toy_taxonomy.label_matrix(row["themes"] for row in rows)
    return build_model(config, toy_taxonomy).fit([row["text"] for row in rows], labels)


@pytest.fixture
def saved(model: ThemeClassifier, tmp_path: Path) -> Path:
    path = tmp_path / "model.joblib"
    save_model(model, {"thresholds": {"sea": 0.5}}, path)
    return path


def test_joblib_is_copied_byte_by_byte(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblib, "load", lambda _: pytest.fail("loaded"))
    copy = export_model(saved, tmp_path / "there", "joblib")
    assert copy.read_bytes() == saved.read_bytes()
    assert card_path(copy).read_bytes() == card_path(saved).read_bytes()
    assert sorted(path.name for path in copy.parent.iterdir() if path.name[0] != ".") == ["model.joblib", "model.json"]


def test_a_damaged_model_is_not_carried_on(saved: Path, tmp_path: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-1])
    for file_format in ("joblib", "skops"):
        with pytest.raises(ModelError, match="it is damaged, cut short"):
            export_model(saved, tmp_path / "there", file_format)
    assert not (tmp_path / "there").exists()


def test_skops_answers_bit_by_bit_as_joblib(model: ThemeClassifier, saved: Path, tmp_path: Path) -> None:
    path = export_model(saved, tmp_path / "there", "skops")
    card = read_card(path)
    assert (card["model"], card["sha256"], card["bytes"]) == ("model.skops", file_hash(path), path.stat().st_size)
    assert {**card, "model": 0, "sha256": 0, "bytes": 0} == {**read_card(saved), "model": 0, "sha256": 0, "bytes": 0}
    loaded = load_model(path, trusted_sha256=card["sha256"])
    assert np.array_equal(loaded.predict_proba(TEXTS), model.predict_proba(TEXTS))
    assert np.array_equal(loaded.predict(TEXTS), model.predict(TEXTS))
    assert loaded.taxonomy == model.taxonomy
    assert loaded.coef_.strides == model.coef_.strides, "another order in memory would be slower"
    assert loaded.set_params(thresholds={"sea": 0.25}).thresholds_[0] == 0.25
    back = load_model(export_model(path, tmp_path / "back", "joblib"))
    assert np.array_equal(back.predict_proba(TEXTS), model.predict_proba(TEXTS))


def test_skops_trusts_no_more_than_a_model_needs(saved: Path, tmp_path: Path) -> None:
    path = export_model(saved, tmp_path / "there", "skops")
    assert sorted(skops_format.TRUSTED) == skops_format.untrusted_types(path.read_bytes())
    found = inspect_model(path)
    assert found["problems"] == []
    assert found["expected"] == sorted(skops_format.TRUSTED)


def test_skops_has_the_same_bytes_each_time(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = skops_format.dump(load_model(saved))
    monkeypatch.setattr(time, "time", lambda: 2e9)
    others = [load_model(saved) for _ in range(3)]  # the same objects at other places in memory
    assert all(skops_format.dump(other) == first for other in others)
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
        assert archive.namelist()[0] == "1.npy"


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Evil, (self.mark,)


def replace(path: Path, content: bytes) -> None:
    """Put another file and a card that fits it in the place of a model."""
    path.write_bytes(content)
    card = json.loads(card_path(path).read_text())
    card_path(path).write_text(json.dumps(card | {"sha256": file_hash(path)}))


def evil_skops(mark: Path) -> bytes:
    """Write a skops file that would call `os.system`."""
    file = io.BytesIO()
    argument = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "is_json": True}
    arguments = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode"}
    schema = {
        "__class__": "system",
        "__module__": os.system.__module__,
        "__loader__": "ConstructorFromReduceNode",
        "content": arguments | {"content": [argument | {"content": json.dumps(f"touch {mark}")}]},
        "protocol": 2,
    }
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    return file.getvalue()


def test_code_in_a_skops_file_is_refused_even_with_a_card_that_fits(saved: Path, tmp_path: Path) -> None:
    path, mark = export_model(saved, tmp_path / "there", "skops"), tmp_path / "mark"
    replace(path, evil_skops(mark))
    system = f"{os.system.__module__}.system"
    assert inspect_model(path)["unexpected"] == [system]
    with pytest.raises(ModelError, match=f"cannot be loaded .*{system}"):
        load_model(path)
    assert not mark.exists()
    skops.io.loads(path.read_bytes(), trusted=[system])
    assert mark.exists(), "the file was harmless, so this test shows nothing"


@pytest.mark.parametrize("content", [b"", b"PK", pickle.dumps("a pickle"), skops.io.dumps(ThemeClassifier)])
def test_what_is_no_model_is_refused(saved: Path, tmp_path: Path, content: bytes) -> None:
    path = export_model(saved, tmp_path / "there", "skops")
    replace(path, content)
    with pytest.raises(ModelError, match=r"cannot be loaded|holds a"):
        load_model(path)
    assert inspect_model(path)["file"] == str(path)


def test_one_card_does_not_speak_of_two_files(saved: Path) -> None:
    with pytest.raises(ModelError, match=r"model.joblib: is here already, and one card cannot speak of two files"):
        export_model(saved, saved.parent, "skops")
    assert load_model(saved)


def test_a_model_of_other_classes_is_not_written_as_skops(model: ThemeClassifier) -> None:
    other = ThemeClassifier(model.features, model.taxonomy, thresholds={"sea": Evil(Path("a"))})  # type: ignore[dict-item]
    with pytest.raises(ModelError, match=r"the model holds .*Evil, .*use joblib"):
        skops_format.dump(other)


def test_without_skops_the_remedy_is_named(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = export_model(saved, tmp_path / "there", "skops")
    monkeypatch.setitem(sys.modules, "skops.io", None)
    for call in (load_model, inspect_model, lambda _: export_model(saved, tmp_path / "other", "skops")):
        with pytest.raises(ModelError, match=r"pip install 'security-themes\[skops\]'"):
            call(path)


def test_the_command(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file_format in ("joblib", "skops"):
        there = tmp_path / file_format
        assert cli.main(["export", "--model", str(saved), "--output", str(there), "--format", file_format]) == 0
        path = there / f"model.{file_format}"
        assert capsys.readouterr().out == f"{path}  sha256 {file_hash(path)}\n"
        assert cli.main(["inspect", str(path)]) == 0
        assert "nothing unexpected" in capsys.readouterr().out
