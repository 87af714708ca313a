"""Security themes of Arabic news: normalize, extract TF-IDF features, classify.

>>> from pipeline import classify, load_model
>>> model = load_model("models/security-themes.joblib")    # doctest: +SKIP
>>> classify(model, ["أوقفت الشرطة مهربي مخدرات"])          # doctest: +SKIP

The names below are the public interface. They are imported when first used, so that ``import pipeline`` costs no more
than a millisecond, and ``python -m pipeline --help`` does not wait for scikit-learn.
"""

from importlib import import_module

TYPE_CHECKING = False  # what type checkers take for true; importing typing would cost more than all the rest here
if TYPE_CHECKING:
    from .article import Article as Article
    from .artifact import load_model as load_model
    from .classifier import ThemeClassifier as ThemeClassifier
    from .errors import PipelineError as PipelineError
    from .normalize import ArabicNormalizer as ArabicNormalizer
    from .predict import Prediction as Prediction
    from .predict import classify as classify
    from .stream import classify_stream as classify_stream
    from .themes import Taxonomy as Taxonomy
    from .themes import Theme as Theme

__version__ = "0.1.0"

_HOME = {
    "ArabicNormalizer": "normalize",
    "Article": "article",
    "PipelineError": "errors",
    "Prediction": "predict",
    "Taxonomy": "themes",
    "Theme": "themes",
    "ThemeClassifier": "classifier",
    "classify": "predict",
    "classify_stream": "stream",
    "load_model": "artifact",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
