from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.compare import LabeledTexts
from pipeline.config import Config
from pipeline.split import best_seed, fold_numbers, held_out
from pipeline.themes import read_taxonomy
from pipeline.train import label
from pipeline.validate import load_corpus

ids = st.lists(st.text("abcdef", min_size=1, max_size=6), unique=True, min_size=1, max_size=40)


def own_groups(n: int) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
    return np.arange(n, dtype=np.int32)


@given(ids, ids)
def test_new_articles_move_no_old_one(old: list[str], new: list[str]) -> None:
    both = old + [name for name in new if name not in old]
    before = held_out(old, own_groups(len(old)), 0.3, seed=1)
    after = held_out(both, own_groups(len(both)), 0.3, seed=1)
    assert after[: len(old)].tolist() == before.tolist()


@given(ids, st.data())
def test_near_duplicates_stay_together(names: list[str], data: st.DataObject) -> None:
    groups = np.array(data.draw(st.lists(st.integers(0, 5), min_size=len(names), max_size=len(names))), dtype=np.int32)
    mask = held_out(names, groups, 0.5, seed=0)
    for group in set(groups.tolist()):
        assert len(set(mask[groups == group].tolist())) == 1


def test_the_share_is_kept_and_the_seed_matters() -> None:
    names = [str(i) for i in range(20_000)]
    one, other = (held_out(names, own_groups(len(names)), 0.2, seed) for seed in (0, 1))
    assert one.mean() == pytest.approx(0.2, abs=0.01)
    assert 0.3 < (one != other).mean() < 0.34  # two independent draws differ in 2 * 0.2 * 0.8


def test_best_seed_is_the_most_even() -> None:
    names, labels = ["a", "b", "c", "d"], np.array([[1], [1], [0], [0]], dtype=np.int8)
    seed = best_seed(names, own_groups(4), labels, 0.5)
    mask = held_out(names, own_groups(4), 0.5, seed)
    assert labels[mask].sum() == 1
    assert mask.sum() == 2


labelings = st.integers(1, 3).flatmap(
    lambda themes: st.lists(st.lists(st.integers(0, 1), min_size=themes, max_size=themes), min_size=8, max_size=40)
)


@given(labelings, st.integers(2, 4), st.data())
def test_folds_keep_groups_together_and_fill(rows: list[list[int]], folds: int, data: st.DataObject) -> None:
    labels = np.array(rows, dtype=np.int8)
    groups = np.array(data.draw(st.lists(st.integers(0, 30), min_size=len(rows), max_size=len(rows))), dtype=np.int32)
    if len(set(groups.tolist())) < folds:
        with pytest.raises(ValueError, match="cannot deal"):
            fold_numbers(labels, groups, folds, seed=0)
        return
    numbers = fold_numbers(labels, groups, folds, seed=0)
    assert set(numbers.tolist()) <= set(range(folds))
    for group in set(groups.tolist()):
        assert len(set(numbers[groups == group].tolist())) == 1


@given(labelings.filter(lambda rows: len(rows) >= 20))
def test_folds_share_out_the_rarest_theme_evenly(rows: list[list[int]]) -> None:
    labels = np.array(rows, dtype=np.int8)
    with_none = np.column_stack((labels, labels.sum(axis=1) == 0))
    present = with_none.sum(axis=0)
    rarest = int(np.argmin(np.where(present > 0, present, len(rows) + 1)))
    counts = np.bincount(fold_numbers(labels, own_groups(len(rows)), 4, seed=0)[with_none[:, rarest] == 1], minlength=4)
    assert counts.max() - counts.min() <= 1


@pytest.fixture(scope="module")
def labeled(config: Config) -> LabeledTexts:
    taxonomy = read_taxonomy(Path(config.data.themes))
    return label(load_corpus(config.data.articles, taxonomy, config.validation), taxonomy)


def test_folds_of_the_projects_articles_are_even(labeled: LabeledTexts) -> None:
    numbers = fold_numbers(labeled.labels, labeled.groups, 5, seed=0)
    for column in labeled.labels.T:
        counts = np.bincount(numbers[column == 1], minlength=5)
        assert counts.max() - counts.min() <= max(2, 0.2 * counts.mean())


def test_the_test_part_of_the_projects_articles_is_even(config: Config, labeled: LabeledTexts) -> None:
    taxonomy = read_taxonomy(Path(config.data.themes))
    articles = load_corpus(config.data.articles, taxonomy, config.validation).articles
    split = config.split
    mask = held_out([article.id for article in articles], labeled.groups, split.test_share, split.seed)
    assert mask.mean() == pytest.approx(split.test_share, abs=0.04)
    for column in labeled.labels.T:
        assert mask[column == 1].mean() == pytest.approx(split.test_share, abs=0.08)
