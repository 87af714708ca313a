"""What others rely on: names inside saved models, the public interface, the commands. Changing one breaks somebody."""

import pickle
import pickletools
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline
from pipeline.artifact import DEFAULT_MODEL, load_model
from pipeline.commands import options
from pipeline.train import Trained

from .conftest import ROOT


def test_import_paths_inside_a_saved_model(trained: Trained) -> None:
    """A saved model can be loaded only where these names exist; NumPy's own, which NumPy keeps, are left out."""
    opcodes = pickletools.genops(pickle.dumps(load_model(trained.path), protocol=2))
    names = {str(argument).replace(" ", ".") for opcode, argument, _ in opcodes if opcode.name == "GLOBAL"}
    assert {name for name in names if not name.startswith(("numpy.", "__builtin__.", "copy_reg.", "_codecs."))} == {
        "pipeline.classifier.ThemeClassifier",
        "pipeline.features.TextFeatures",
        "pipeline.keywords.KeywordRates",
        "pipeline.normalize.ArabicNormalizer",
        "pipeline.tfidf.NgramTfidf",
        "pipeline.themes.Taxonomy",
        "pipeline.themes.Theme",
    }


def test_the_public_interface() -> None:
    assert sorted(pipeline.__all__) == [
        "ArabicNormalizer",
        "Article",
        "PipelineError",
        "Prediction",
        "Taxonomy",
        "Theme",
        "ThemeClassifier",
        "__version__",
        "classify",
        "classify_stream",
        "load_model",
    ]
    for name in pipeline.__all__:
        assert getattr(pipeline, name) is not None


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, pipeline; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "scipy", "sklearn", "joblib", "pyarabic"} & set(done.stdout.split())


PAGES = sorted(path.relative_to(ROOT) for folder in ("", "data", "models") for path in (ROOT / folder).glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
    missing = [link for link in links if not (ROOT / page.parent / link).exists()]
    assert not missing


def test_every_make_target_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert targets == {
        "help", "install", "train", "demo-runs", "ui", "serve", "evaluate", "search", "classify", "test",
        "check", "clean",
    }  # fmt: skip
    named = " ".join(re.findall(r"^make ([a-z -]+?) *(?:#|$)", readme(), flags=re.MULTILINE)).split()
    assert named[:3] == ["train", "classify", "test"]
    assert set(named) <= targets


def test_ci_runs_the_readmes_test_command() -> None:
    assert "make test" in readme()
    assert "make test" in (ROOT / ".ci/run").read_text(encoding="utf-8")


def test_the_default_model_is_the_same_everywhere() -> None:
    """The command line keeps a copy of its own, so as to answer --help without loading scikit-learn."""
    assert options.MODEL == DEFAULT_MODEL


def test_the_version_is_the_packages() -> None:
    assert f'version = "{pipeline.__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")
