"""One TOML file to frozen dataclasses. The values of a default run stand in ``config.toml`` beside this module."""

import dataclasses
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .errors import ConfigError

Learner = Literal["svm", "logistic", "complement_nb", "nbsvm"]


@dataclass(frozen=True)
class DataConfig:
    """Where articles and themes are read."""

    articles: tuple[str, ...]
    themes: str


@dataclass(frozen=True)
class ValidationConfig:
    """What a corpus must fulfil before anything is trained."""

    min_articles: int
    near_duplicate: float
    near_duplicates: Literal["reject", "group"]


@dataclass(frozen=True)
class SplitConfig:
    """The held-out test part and the folds of the cross-validation."""

    test_share: float
    folds: int
    seed: int


@dataclass(frozen=True)
class NormalizeConfig:
    """One switch a rule of `pipeline.normalize.ArabicNormalizer`."""

    html: bool
    scripts: bool
    urls: bool
    hashtags: bool
    unicode_forms: bool
    invisible: bool
    vowel_signs: bool
    tatweel: bool
    alef: bool
    hamza: bool
    alef_maksura: bool
    teh_marbuta: bool
    persian: bool
    digits: bool
    case: bool
    elongation: bool
    punctuation: bool


@dataclass(frozen=True)
class FeaturesConfig:
    """The features, see `pipeline.features.build_features`."""

    word_ngrams: tuple[int, int]
    char_ngrams: tuple[int, int]
    min_df: int
    max_features: int
    sublinear_tf: bool
    char_weight: float
    keyword_weight: float
    head_weight: int


@dataclass(frozen=True)
class ClassifierConfig:
    """The linear classifier, see `pipeline.classifier.ThemeClassifier`."""

    learner: Learner
    C: float
    balanced: bool
    folds: int
    seed: int
    abstain: float


@dataclass(frozen=True)
class EvaluationConfig:
    """The bootstrap behind the 95 % intervals."""

    resamples: int
    seed: int


@dataclass(frozen=True)
class TrackingConfig:
    """Where MLflow files the run."""

    experiment: str


@dataclass(frozen=True)
class Config:
    """All settings of a training run."""

    data: DataConfig
    validation: ValidationConfig
    split: SplitConfig
    normalize: NormalizeConfig
    features: FeaturesConfig
    classifier: ClassifierConfig
    evaluation: EvaluationConfig
    tracking: TrackingConfig

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Give the settings as plain dicts, for JSON."""
        return dataclasses.asdict(self)


# (section, key): (lowest, highest) allowed value
_RANGES = {
    ("validation", "min_articles"): (2, None),
    ("validation", "near_duplicate"): (0.1, 1.0),
    ("split", "test_share"): (0.05, 0.5),
    ("split", "folds"): (2, 20),
    ("split", "seed"): (0, None),
    ("features", "min_df"): (1, None),
    ("features", "max_features"): (0, None),
    ("features", "char_weight"): (0.0, None),
    ("features", "keyword_weight"): (0.0, None),
    ("features", "head_weight"): (1, 10),
    ("classifier", "C"): (1e-6, None),
    ("classifier", "folds"): (2, 20),
    ("classifier", "seed"): (0, 2**32 - 1),
    ("classifier", "abstain"): (0.0, 0.5),
    ("evaluation", "resamples"): (100, None),
    ("evaluation", "seed"): (0, None),
}


def read_config(path: Path | None = None) -> Config:
    """Read the default settings, with those in `path`, where given, laid over them.

    Raises
    ------
    ConfigError
        If the file cannot be read, or holds an unknown section or key, a wrong type or a value out of range.
    """
    tables = _tables(Path(__file__).with_name("config.toml"))
    if path is not None:
        for section, values in _tables(path).items():
            known = ", ".join(tables)
            if section not in tables or not isinstance(values, dict):
                raise ConfigError(f"{path}: unknown section [{section}]. Known sections: {known}")
            for key, value in values.items():
                if key not in tables[section]:
                    raise ConfigError(
                        f"{path}: unknown key {key!r} in [{section}]. Known keys: {', '.join(tables[section])}"
                    )
                tables[section][key] = value
    return config_from_dict(tables, str(path or "config.toml"))


def change(config: Config, settings: Mapping[str, Any]) -> Config:
    """Give a configuration other values, each under ``section.key``.

    Raises
    ------
    ConfigError
        If there is no such setting, or as `config_from_dict` does.
    """
    tables = config.to_dict()
    for name, value in settings.items():
        section, _, key = name.partition(".")
        if key not in tables.get(section, {}):
            known = ", ".join(f"{section}.{key}" for section, values in tables.items() for key in values)
            raise ConfigError(f"unknown setting {name!r}. Known settings: {known}")
        tables[section][key] = value
    return config_from_dict(tables, ", ".join(settings))


def read_settings(written: Sequence[str]) -> dict[str, Any]:
    """Read settings written as ``section.key=value``, the value as in TOML; a word need not be quoted.

    Raises
    ------
    ConfigError
        If one is not written so.

    >>> read_settings(["classifier.C=0.5", "classifier.learner=logistic"])
    {'classifier.C': 0.5, 'classifier.learner': 'logistic'}
    """
    settings = {}
    for each in written:
        name, equals, value = (part.strip() for part in each.partition("="))
        if not equals:
            raise ConfigError(f"{each!r}: write SECTION.KEY=VALUE, such as classifier.C=0.5")
        try:
            settings[name] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            settings[name] = value
    return settings


def config_from_dict(tables: Any, where: str = "config") -> Config:
    """Check plain dicts, as read from TOML or JSON, and freeze them.

    Raises
    ------
    ConfigError
        If a value is missing, has the wrong type or is out of range.
    """
    sections = typing.get_type_hints(Config)
    for name in sections:
        if not isinstance(tables, dict) or not isinstance(tables.get(name), dict):
            raise ConfigError(f"{where}: no section [{name}]")
    return Config(**{name: _section(cls, name, tables[name], where) for name, cls in sections.items()})


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot read the configuration: {error}") from error


def _section(cls: Any, section: str, values: dict[str, Any], where: str) -> Any:
    if missing := [key for key in typing.get_type_hints(cls) if key not in values]:
        raise ConfigError(f"{where}: [{section}] lacks {', '.join(missing)}; was it made by another version?")
    checked = {
        key: _value(kind, values[key], f"{where}: [{section}] {key}", _RANGES.get((section, key)))
        for key, kind in typing.get_type_hints(cls).items()
    }
    for key in ("word_ngrams", "char_ngrams"):
        if key in checked and not 1 <= checked[key][0] <= checked[key][1] <= 10:
            raise ConfigError(f"{where}: [{section}] {key} must be [shortest, longest] between 1 and 10")
    return cls(**checked)


def _value(kind: Any, value: Any, where: str, limits: tuple[float, float | None] | None) -> Any:
    """Check one value against its annotation; lists become tuples, whole numbers may stand for floats."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        if value not in arguments:
            raise ConfigError(f"{where} is {value!r}. Allowed: {', '.join(map(repr, arguments))}")
        return value
    if origin is tuple:
        length = None if Ellipsis in arguments else len(arguments)
        fits = isinstance(value, list | tuple) and (len(value) == length if length else len(value) > 0)
        if not fits or not all(type(item) is arguments[0] for item in value):
            size = f"{length} values" if length else "one or more values"
            raise ConfigError(f"{where} must be a list of {size} of type {arguments[0].__name__}, found {value!r}")
        return tuple(value)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ConfigError(f"{where} must be of type {kind.__name__}, found {value!r}")
    if limits is not None:
        low, high = limits
        if not (value >= low and (high is None or value <= high)):
            raise ConfigError(
                f"{where} must be {low} or more"
                + (f" and at most {high}" if high is not None else "")
                + f", found {value!r}"
            )
    return value
