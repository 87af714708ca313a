from pathlib import Path

import pytest

from pipeline.config import config_from_dict, read_config
from pipeline.errors import ConfigError


def test_a_file_changes_only_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[classifier]\nC = 2\n[features]\nword_ngrams = [1, 3]\n", encoding="utf-8")
    mine, default = read_config(path), read_config()
    assert (mine.classifier.C, mine.features.word_ngrams) == (2.0, (1, 3))
    assert mine.normalize == default.normalize
    assert mine.classifier.learner == default.classifier.learner


def test_dict_and_back() -> None:
    config = read_config()
    assert config_from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[classifer]\nC = 1", r"unknown section \[classifer\]. Known sections: data, "),
        ("[classifier]\nc = 1", r"unknown key 'c' in \[classifier\]. Known keys: learner, C"),
        ('[classifier]\nC = "1"', r"\[classifier\] C must be of type float, found '1'"),
        ("[classifier]\nC = 0", "must be 1e-06 or more"),
        ("[classifier]\nbalanced = 1", "must be of type bool"),
        ('[classifier]\nlearner = "forest"', "Allowed: 'svm', 'logistic'"),
        ("[features]\nword_ngrams = [1]", "must be a list of 2 values of type int"),
        ("[features]\nword_ngrams = [2, 1]", r"must be \[shortest, longest\]"),
        ("[split]\ntest_share = nan", "must be 0.05 or more and at most 0.5"),
        ("[data]\narticles = []", "must be a list of one or more values"),
        ("C = ", "cannot read the configuration"),
        ("split = 3", r"unknown section \[split\]"),
    ],
)
def test_a_faulty_file_is_refused_with_the_reason(tmp_path: Path, toml: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(toml, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        read_config(path)


def test_settings_of_another_version_are_refused_by_name() -> None:
    """A card may come from a version that had other settings."""
    tables = read_config().to_dict()
    del tables["features"]["head_weight"]
    with pytest.raises(ConfigError, match=r"card.json: \[features\] lacks head_weight"):
        config_from_dict(tables, "card.json")
    del tables["split"]
    with pytest.raises(ConfigError, match=r"no section \[split\]"):
        config_from_dict(tables, "card.json")
