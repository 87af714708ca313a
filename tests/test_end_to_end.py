"""From a folder of articles to answers, in fresh processes, as users start them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import joblib
import pytest

from pipeline import classify, load_model
from pipeline.train import Trained

from .conftest import ROOT

SAMPLES = ROOT / "data/samples"

BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"mlflow", "pandas", "matplotlib", "pyarrow", "datasketch", "tqdm"}:
            raise ModuleNotFoundError(f"blocked: {name}", name=name.split(".")[0])
sys.meta_path.insert(0, Block())
"""


def python(code: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_trainings_give_the_same_bytes(toy_project: Path, tmp_path: Path) -> None:
    """Another process, hash seed, working folder and number of processors."""
    code = f"""
import os, sys
from pathlib import Path
from pipeline.config import read_config
from pipeline.train import train
os.cpu_count = lambda: 1 + int(os.environ["PYTHONHASHSEED"])
print(train(read_config(Path({str(toy_project / "quick.toml")!r})), Path("out")).card["sha256"])
"""
    hashes = set()
    for seed in ("0", "1", "2"):
        (tmp_path / f"folder{seed}").mkdir()
        hashes.add(python(code, tmp_path / f"folder{seed}", PYTHONHASHSEED=seed))
    assert len(hashes) == 1


def test_inference_needs_nothing_but_scikit_learn_pyarabic_and_joblib(trained: Trained, tmp_path: Path) -> None:
    code = f"""{BLOCK}
from pipeline import classify, load_model
model = load_model({str(trained.path)!r})
print(*classify(model, [open({str(SAMPLES / "cocaine.txt")!r}, encoding="utf-8").read()])[0].themes)
from pipeline.cli import main
assert main(["classify", "--model", {str(trained.path)!r}, "--format", "jsonl", {str(SAMPLES)!r}]) == 0
import sys
assert not {{"sklearn.svm", "sklearn.linear_model", "sklearn.naive_bayes"}} & sys.modules.keys()
"""
    lines = python(code, tmp_path).splitlines()
    assert "organized_crime" in lines[0]
    assert len(lines) == 1 + len(list(SAMPLES.iterdir()))


def test_a_command_that_needs_more_says_what_to_install(tmp_path: Path) -> None:
    code = f"""{BLOCK}
from pipeline.cli import main
assert main(["train", "--config", {str(tmp_path / "no.toml")!r}]) == 1
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "pip install 'security-themes[train]'" in done.stderr


def test_the_samples_come_out_in_sense(trained: Trained) -> None:
    model = load_model(trained.path)
    texts = {path.stem: path.read_text(encoding="utf-8") for path in SAMPLES.iterdir()}
    answers = dict(zip(texts, classify(model, texts.values()), strict=True))
    assert answers["football"].primary == "none"
    assert {"organized_crime", "law_enforcement"} <= set(answers["cocaine"].themes)
    assert "security_cooperation" in answers["security_meeting"].themes


def test_joblib_alone_is_enough(trained: Trained) -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted(SAMPLES.iterdir())]
    model = joblib.load(trained.path)
    named = [model.taxonomy.names_of(row) for row in model.predict(texts)]
    assert [sorted(row) for row in named] == [sorted(p.themes) for p in classify(load_model(trained.path), texts)]


def test_ten_megabytes_are_one_article(trained: Trained) -> None:
    model = load_model(trained.path)
    long = (SAMPLES / "cocaine.txt").read_text(encoding="utf-8") * 12_000
    assert len(long.encode()) > 10_000_000
    assert "organized_crime" in classify(model, [long])[0].themes


def test_the_card_says_what_the_files_are(trained: Trained) -> None:
    card = json.loads(trained.path.with_suffix(".json").read_text(encoding="utf-8"))
    assert card["bytes"] == trained.path.stat().st_size
    assert [*(theme["name"] for theme in card["themes"]), "none"] == list(card["thresholds"])
    assert card["corpus"]["articles"] == sum(card["metrics"][part]["n"] for part in ("test", "cross_validation"))


def test_the_model_beats_both_baselines(trained: Trained) -> None:
    """Beyond chance in cross-validation: the whole interval of the difference is above 0."""
    for baseline in ("keywords", "textbook"):
        for metric in ("f1_micro", "f1_macro"):
            assert trained.cross_validation.differences[baseline][metric].low > 0, (baseline, metric)


@pytest.mark.parametrize("part", ["test", "cross_validation"])
def test_scores_are_honest_probabilities(trained: Trained, part: str) -> None:
    assert trained.card["metrics"][part]["calibration_error"] < 0.06
