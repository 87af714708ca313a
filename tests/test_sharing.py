import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from pipeline import classify
from pipeline.classifier import ThemeClassifier
from pipeline.hashtable import HashTable
from pipeline.sharing import share
from pipeline.stream import _answer_batches
from pipeline.themes import Taxonomy

from .conftest import make_toy_articles

TEXTS = [row["text"] for row in make_toy_articles(90, seed=5)] + ["", "only Latin", "بحر " * 500]


def find_arrays(value: Any, seen: set[int]) -> list[np.ndarray]:
    """List all arrays that a value holds."""
    if isinstance(value, np.ndarray):
        return [value]
    if id(value) in seen:
        return []
    seen.add(id(value))
    parts = value if isinstance(value, list | tuple) else [*getattr(value, "__dict__", {}).values()]
    return [array for part in parts for array in find_arrays(part, seen)]


def test_the_same_answers_from_arrays_that_nobody_can_write_to(model: ThemeClassifier) -> None:
    with share(model) as shared:
        opened = shared.open()
    assert not Path(shared.path).exists()
    assert classify(opened, TEXTS) == classify(model, TEXTS)
    assert [classify(opened, [text]) for text in TEXTS] == [classify(model, [text]) for text in TEXTS]
    numbers = [array for array in find_arrays(opened, set()) if array.dtype.kind in "fiub" and array.size]
    assert len(numbers) > 20
    assert not any(array.flags.writeable for array in numbers)


def test_nothing_is_computed_again(model: ThemeClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    with share(model) as shared:
        monkeypatch.setattr(HashTable, "_fill", None)
        with pytest.raises(TypeError):
            pickle.loads(pickle.dumps(model))
        assert classify(shared.open(), TEXTS) == classify(model, TEXTS)


def find_file(model: Any, sent: None) -> str:
    """Say which file's memory the arrays of a model lie in."""
    address = model._project._runs.__array_interface__["data"][0]
    for line in Path("/proc/self/maps").read_text().splitlines():
        edges, *_, file = line.split()
        begin, end = (int(edge, 16) for edge in edges.split("-"))
        if begin <= address < end:
            return file
    return "none"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no such table on this system")
def test_processes_of_a_stream_have_one_copy_in_memory(model: ThemeClassifier) -> None:
    files = {file for _, file in _answer_batches(model, [(None, None)] * 8, find_file, n_jobs=2)}
    assert len(files) == 1
    assert Path(files.pop()).parent.name.startswith("security-themes-")


def test_freed_memory_is_kept_as_by_a_model_that_was_loaded(
    model: ThemeClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    with share(model) as shared:
        monkeypatch.setattr("pipeline.projection.keep_some", lambda: kept.append(1))
        shared.open()
    assert kept == [1]


def test_features_of_other_kinds(toy_taxonomy: Taxonomy) -> None:
    rows = make_toy_articles(80)
    model = ThemeClassifier(TfidfVectorizer(), toy_taxonomy, folds=2).fit(
        [row["text"] for row in rows], toy_taxonomy.label_matrix(row["themes"] for row in rows)
    )
    with share(model) as shared:
        assert classify(shared.open(), TEXTS) == classify(model, TEXTS)


def test_a_value_without_arrays() -> None:
    with share({"themes": ["sea"]}) as shared:
        assert shared.open() == {"themes": ["sea"]}
