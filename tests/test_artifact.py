import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

import joblib
import pytest

from pipeline import artifact
from pipeline.artifact import FORMAT, card_path, load_model, read_card, save_model
from pipeline.classifier import ThemeClassifier, build_model
from pipeline.config import Config
from pipeline.errors import ModelError
from pipeline.themes import Taxonomy

from .conftest import ROOT, make_toy_articles


def fit(config: Config, taxonomy: Taxonomy, n: int) -> ThemeClassifier:
    rows = make_toy_articles(n)
    return build_model(config, taxonomy).fit(
        [r["text"] for r in rows], taxonomy.label_matrix(r["themes"] for r in rows)
    )


@pytest.fixture(scope="module")
def models(config: Config, toy_taxonomy: Taxonomy) -> tuple[ThemeClassifier, ThemeClassifier]:
    """An old model and a new one."""
    return fit(config, toy_taxonomy, 60), fit(config, toy_taxonomy, 80)


@pytest.fixture
def saved(models: tuple[ThemeClassifier, ThemeClassifier], tmp_path: Path) -> Path:
    path = tmp_path / "model.joblib"
    save_model(models[0], {}, path)
    return path


def same(one: ThemeClassifier, other: ThemeClassifier) -> bool:
    texts = [row["text"] for row in make_toy_articles(8, seed=5)]
    return bool((one.predict_proba(texts) == other.predict_proba(texts)).all())


def test_load_gives_back_what_was_saved(models: tuple[ThemeClassifier, ThemeClassifier], saved: Path) -> None:
    assert same(load_model(saved), models[0])
    assert same(joblib.load(saved), models[0])
    assert load_model(saved).taxonomy == models[0].taxonomy
    assert sorted(path.name for path in saved.parent.iterdir() if path.name[0] != ".") == ["model.joblib", "model.json"]


class Killed(BaseException):
    """What no handler catches."""


@pytest.mark.parametrize("kill_at", range(6))
def test_a_kill_at_any_moment_leaves_a_whole_model(
    models: tuple[ThemeClassifier, ThemeClassifier], saved: Path, kill_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every write, flush and renaming of a save is a moment to be killed at; afterwards saving again must work too."""
    moments = 0

    def or_die(function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal moments
            moments += 1
            if moments - 1 == kill_at:
                raise Killed
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", or_die(os.replace))
        patch.setattr(os, "fsync", or_die(os.fsync))
        patch.setattr(joblib, "dump", or_die(joblib.dump))
        try:
            save_model(models[1], {}, saved)
        except Killed:
            pass
        else:
            assert kill_at >= moments, "the last cases reach beyond the end of a save"
    assert same(load_model(saved), models[0]) or same(load_model(saved), models[1])
    assert same(joblib.load(saved), models[0]) or same(joblib.load(saved), models[1])
    save_model(models[1], {}, saved)
    assert same(load_model(saved), models[1])


def test_a_kill_before_saving_again_does_not_lose_the_model_in_waiting(
    models: tuple[ThemeClassifier, ThemeClassifier], saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new card stands, the new joblib file still has its temporary name, and the next save is killed at once."""
    save_model(models[1], {}, tmp_path / "new" / "model.joblib")
    shutil.copy(tmp_path / "new" / "model.joblib", f"{saved}.new")
    shutil.copy(tmp_path / "new" / "model.json", card_path(saved))
    assert same(load_model(saved), models[1])
    monkeypatch.setattr(joblib, "dump", lambda *_: (_ for _ in ()).throw(Killed()))
    with pytest.raises(Killed):
        save_model(models[0], {}, saved)
    assert same(load_model(saved), models[1])


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "empty":
        path.write_bytes(b"")
    elif how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif how == "one bit":
        path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    elif how == "missing":
        path.unlink()
    elif how == "folder":
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("empty", "0 bytes, sha256 .* but its card says"),
        ("truncated", "it is damaged, cut short"),
        ("one bit", "it is damaged, cut short"),
        ("missing", "missing, but its card says"),
        ("folder", "a folder, not a model"),
    ],
)
def test_a_damaged_model_is_refused(saved: Path, how: str, message: str) -> None:
    spoil(saved, how)
    with pytest.raises(ModelError, match=message):
        load_model(saved)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("empty", "cannot read the card"),
        ("truncated", "cannot read the card"),
        ("missing", "no card model.json beside it"),
    ],
)
def test_a_damaged_card_is_refused(saved: Path, how: str, message: str) -> None:
    spoil(card_path(saved), how)
    with pytest.raises(ModelError, match=message):
        load_model(saved)


def change_card(path: Path, **changes: Any) -> None:
    card = read_card(path)
    card_path(path).write_text(json.dumps(card | changes), encoding="utf-8")


@pytest.mark.parametrize(
    "changes",
    [
        {"probes": []},
        {"probes": {}},
        {"probes": [{"text": "نص"}]},
        {"probes": [{"text": "نص", "scores": {"sea": "high"}}]},
        {"versions": {}},
        {"versions": None},
        {"sha256": 5},
    ],
)
def test_a_card_that_lacks_what_is_checked_is_refused(saved: Path, changes: dict[str, Any]) -> None:
    change_card(saved, **changes)
    with pytest.raises(ModelError, match="a damaged card"):
        load_model(saved)


@pytest.mark.parametrize("card", ["[" * 100_000, "[]", "{}", '"text"'])
def test_json_that_is_no_card_is_refused(saved: Path, card: str) -> None:
    card_path(saved).write_text(card, encoding="utf-8")
    with pytest.raises(ModelError, match="card"):
        load_model(saved)


def test_another_format_is_refused(saved: Path) -> None:
    change_card(saved, format=FORMAT + 1)
    with pytest.raises(ModelError, match=f"format {FORMAT + 1}; this version reads format {FORMAT}"):
        load_model(saved)


@pytest.mark.parametrize(
    "old", sorted((ROOT / "tests/fixtures").glob("card-format-*.json")), ids=lambda path: path.stem
)
def test_a_card_of_an_old_format_is_refused_with_the_remedy(saved: Path, old: Path) -> None:
    card_path(saved).write_text(old.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(ModelError, match=r"this version reads format \d+. Train again: make train"):
        load_model(saved)


def test_another_scikit_learn_is_refused_before_loading(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change_card(saved, versions=read_card(saved)["versions"] | {"scikit-learn": "0.99.1"})
    monkeypatch.setattr(joblib, "load", lambda _: pytest.fail("loaded"))
    with pytest.raises(ModelError, match=r"trained with scikit-learn 0.99.1, installed is .* pip install"):
        load_model(saved)


def test_other_answers_to_the_probes_are_refused(saved: Path) -> None:
    probes = read_card(saved)["probes"]
    probes[1]["scores"]["sea"] += 0.01
    change_card(saved, probes=probes)
    with pytest.raises(ModelError, match=r"other scores than when it was trained \(by up to 0.0100\)"):
        load_model(saved)


def test_another_object_is_refused(saved: Path) -> None:
    joblib.dump({"not": "a model"}, saved)
    change_card(saved, sha256=artifact.file_hash(saved))
    with pytest.raises(ModelError, match="holds a dict, not a ThemeClassifier"):
        load_model(saved)


def test_a_pickle_of_vanished_classes_is_refused(saved: Path) -> None:
    saved.write_bytes(b"cpipeline.gone\nThing\n.")
    change_card(saved, sha256=artifact.file_hash(saved))
    with pytest.raises(ModelError, match="cannot be loaded by this version"):
        load_model(saved)


def test_no_model_at_all(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model; train one with: make train"):
        load_model(tmp_path / "no.joblib")


def test_a_model_is_loaded_only_with_the_hash_kept_elsewhere(
    models: tuple[ThemeClassifier, ThemeClassifier], saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = read_card(saved)["sha256"]
    assert same(load_model(saved, trusted_sha256=f" {kept.upper()}\n"), models[0])
    save_model(models[1], {}, saved)  # file and card replaced together
    monkeypatch.setattr(joblib, "load", lambda _: pytest.fail("loaded"))
    with pytest.raises(ModelError, match=f"trusted is {kept}; it is not the model you trust"):
        load_model(saved, trusted_sha256=kept)


@pytest.mark.parametrize("wrong", ["", "abc", "g" * 64, "0" * 63, "0" * 65, "0" * 32 + " " + "0" * 31])
def test_a_hash_that_is_none_is_refused(saved: Path, wrong: str) -> None:
    with pytest.raises(ModelError, match="trusted_sha256 must be 64 hexadecimal digits"):
        load_model(saved, trusted_sha256=wrong)


def test_what_was_hashed_is_what_is_loaded(
    models: tuple[ThemeClassifier, ThemeClassifier], saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is replaced after it was checked, before it is loaded."""
    load = joblib.load

    def replace(file: Any) -> Any:
        joblib.dump({"not": "the model"}, saved)
        return load(file)

    monkeypatch.setattr(joblib, "load", replace)
    assert same(load_model(saved), models[0])


def test_a_disk_that_gives_back_other_bytes_is_noticed(
    models: tuple[ThemeClassifier, ThemeClassifier], saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(artifact, "file_hash", lambda _: "0" * 64)
        with pytest.raises(ModelError, match="reads back otherwise than it was written"):
            save_model(models[1], {}, saved)
    assert same(load_model(saved), models[0])


def test_two_savings_at_once_are_refused(models: tuple[ThemeClassifier, ThemeClassifier], saved: Path) -> None:
    with saved.with_name(".model.joblib.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match="another training is saving here"):
            save_model(models[1], {}, saved)
    assert same(load_model(saved), models[0])
    save_model(models[1], {}, saved)
    assert same(load_model(saved), models[1])
