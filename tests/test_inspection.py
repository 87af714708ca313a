import io
import json
import os
import pickle
import random
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from pipeline import cli
from pipeline.artifact import card_path, save_model
from pipeline.classifier import ThemeClassifier, build_model
from pipeline.config import Config
from pipeline.inspection import EXPECTED, inspect_model
from pipeline.themes import Taxonomy

from .conftest import make_toy_articles

Capture = pytest.CaptureFixture[str]
SYSTEM = f"{os.system.__module__}.system"


@pytest.fixture(scope="module")
def model(config: Config, toy_taxonomy: Taxonomy) -> ThemeClassifier:
    rows = make_toy_articles(60)
    labels = toy_taxonomy.label_matrix(row["themes"] for row in rows)
    return build_model(config, toy_taxonomy).fit([row["text"] for row in rows], labels)


@pytest.fixture
def saved(model: ThemeClassifier, tmp_path: Path) -> Path:
    path = tmp_path / "model.joblib"
    save_model(model, {"thresholds": {"sea": 0.5}, "corpus": {"articles": 60, "none": 15, "themes": {"sea": 30}}}, path)
    return path


class Evil:
    """Runs a command when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


def test_a_sound_model_asks_for_exactly_what_is_expected(saved: Path) -> None:
    found = inspect_model(saved)
    assert found["problems"] == []
    assert set(found["expected"]) == EXPECTED
    assert found["holds"] == "pipeline.classifier.ThemeClassifier"
    assert found["largest"][0]["name"] == "coef_"
    assert found["largest"][0]["bytes"] == joblib.load(saved).coef_.nbytes
    assert found["card"]["themes"] == {"sea": {"articles": 30, "threshold": 0.5}}


def beside_arrays(evil: Evil) -> Any:
    return {"first": np.arange(1000.0), "names": np.array(["بحر", "جو"]), "evil": evil, "last": np.zeros((3, 0), "i4")}


@pytest.mark.parametrize("compress", [0, "zlib", "gzip", "bz2", "xz", "lzma"])
@pytest.mark.parametrize("wrap", [beside_arrays, lambda evil: np.array([evil, None], dtype=object)])
def test_code_in_a_file_is_named_and_not_run(tmp_path: Path, compress: Any, wrap: Any) -> None:
    mark, path = tmp_path / "mark", tmp_path / "model.joblib"
    joblib.dump(wrap(Evil(mark)), path, compress=compress)
    found = inspect_model(path)
    assert SYSTEM in found["unexpected"]
    assert SYSTEM in found["problems"][0]
    assert found["broken"] is None
    assert not mark.exists()
    joblib.load(path)
    assert mark.exists(), "the file was harmless, so this test shows nothing"


def call(command: str, how: str) -> bytes:
    """Write a pickle that runs a command, without any class of the package's."""
    argument = pickle.SHORT_BINUNICODE + bytes([len(command)]) + command.encode()
    memoized = (
        b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x8c\x05numpy\x94\x8c\x05dtype\x94"  # noted under 0, 1, 2, 3
        b"00h\x00h\x01\x93"  # the last two thrown away, the first two called back: STACK_GLOBAL
    )
    return {
        "GLOBAL": b"cos\nsystem\n" + argument + b"\x85R.",
        "INST": b"(" + argument + b"ios\nsystem\n.",
        "OBJ": b"(cos\nsystem\n" + argument + b"o.",
        "memo": memoized + argument + b"\x85R.",
        "dotted": b"\x80\x04\x8c\x06joblib\x8c\x0edisk.os.system\x93" + argument + b"\x85R.",
    }[how]


@pytest.mark.parametrize("how", ["GLOBAL", "INST", "OBJ", "memo", "dotted"])
def test_every_way_to_import_is_seen(tmp_path: Path, how: str) -> None:
    mark, path = tmp_path / "mark", tmp_path / "model.joblib"
    path.write_bytes(call(f"touch {mark}", how))
    assert inspect_model(path)["unexpected"] == ["joblib.disk.os.system" if how == "dotted" else "os.system"]
    assert not mark.exists()
    joblib.load(path)
    assert mark.exists()


def array_of(dtype: bytes, data: bytes, more: bytes = b"") -> bytes:
    """Write the instructions of joblib for an array of one element."""
    return (
        b"\x80\x04cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81"
        + more
        + b"}(\x8c\x08subclasscnumpy\nndarray\n\x8c\x05shapeK\x01\x85\x8c\x05order\x8c\x01C\x8c\x05dtype"
        + dtype
        + b"\x8c\x0aallow_mmap\x89ub"
        + data
    )


PLAIN = b"cnumpy\ndtype\n\x8c\x02%b\x89\x88\x87R(K\x03\x8c\x01%bNNNJ%bJ%bK%btb"
NONE, FOUR, ZERO, OBJECTS = b"\xff\xff\xff\xff", b"\x04\x00\x00\x00", b"\x00", b"\x3f"


@pytest.mark.parametrize(
    ("dtype", "sound"),
    [
        (PLAIN % (b"f4", b"<", NONE, NONE, ZERO), True),
        (PLAIN % (b"f4", b">", NONE, NONE, ZERO), True),
        (PLAIN % (b"S4", b"|", FOUR, b"\x01\x00\x00\x00", ZERO), True),
        (PLAIN % (b"S8", b"|", FOUR, b"\x01\x00\x00\x00", ZERO), False),  # says 8 bytes, takes 4
        (PLAIN % (b"f4", b"<", NONE, NONE, OBJECTS), False),  # says 4 bytes, may hold a pickle
        (PLAIN % (b"V4", b"|", FOUR, b"\x01\x00\x00\x00", ZERO), False),  # may hold fields
    ],
)
def test_an_array_is_skipped_only_if_its_size_is_sure(tmp_path: Path, dtype: bytes, sound: bool) -> None:
    path = tmp_path / "model.joblib"
    path.write_bytes(array_of(dtype, b"ABCD" + b"."))
    found = inspect_model(path)
    assert (found["broken"] is None) == sound
    if sound:
        assert joblib.load(path).nbytes == 4


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04K\x01.K\x02.",  # bytes after the end
        b"\x80\x04cnumpy\ndtype\nN}\x8c\x01aK\x01s\x86b.",  # sets an attribute of a class
        b"\x80\x04cpipeline.themes\nTheme\n)\x81N}\x8c\x09__class__cjoblib.numpy_pickle\nNumpyArrayWrapper\ns\x86b.",
        array_of(PLAIN % (b"f4", b"<", NONE, NONE, ZERO), b"AB"),  # cut short
        b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.",  # a bytearray of 1 TB
        b"\x80\x04cnumpy\ndtype\n\x8c\x06system\x93.",  # a name that only running would tell
        b"ZFanything",
        b"x\x9c not zlib",
    ],
)
def test_what_cannot_be_read_is_a_problem(tmp_path: Path, content: bytes, capsys: Capture) -> None:
    path = tmp_path / "model.joblib"
    path.write_bytes(content)
    assert cli.main(["inspect", str(path)]) == 1
    assert "PROBLEM: cannot be read to its end, so not all is known of it" in capsys.readouterr().out


def test_a_bomb_is_not_unfolded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.joblib"
    joblib.dump(np.zeros(1_000_000), path, compress=9)
    monkeypatch.setattr("pipeline.inspection._MOST", 1 << 20)
    assert "grows beyond 1 MB" in inspect_model(path)["broken"]


def test_packages_are_not_trusted_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    path.write_bytes(b"cnumpy.testing._private.utils\nrunstring\n.")
    assert inspect_model(path)["unexpected"] == ["numpy.testing._private.utils.runstring"]


def test_damage_is_reported_and_nothing_imported(
    model: ThemeClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, path = tmp_path / "mark", tmp_path / "model.joblib"
    file = io.BytesIO()
    joblib.dump({"evil": Evil(mark), "model": model, "again": Evil(mark)}, file)
    monkeypatch.setattr(pickle._Unpickler, "find_class", lambda *_: pytest.fail("imported"))
    rng = random.Random(0)
    for _ in range(300):
        content = bytearray(file.getvalue())
        for _ in range(rng.choice([1, 1, 5, 50])):
            content[rng.choice([rng.randrange(len(content)), rng.randrange(300)])] = rng.randrange(256)
        path.write_bytes(content[: rng.choice([len(content), rng.randrange(len(content))])])
        assert inspect_model(path)["problems"]
    assert not mark.exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: card_path(path).unlink(), "no card model.json beside it"),
        (lambda path: card_path(path).write_text("{"), "cannot read the card"),
        (lambda path: path.write_bytes(path.read_bytes().replace("ميناء".encode(), "ميناي".encode())), "not the file"),
    ],
)
def test_a_card_that_does_not_fit_is_a_problem(saved: Path, spoil: Any, message: str) -> None:
    spoil(saved)
    found = inspect_model(saved)
    assert message in found["problems"][0]
    assert found["unexpected"] == []
    assert found["broken"] is None


def test_the_command(saved: Path, capsys: Capture) -> None:
    assert cli.main(["inspect", str(saved)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert ["sea", "30", "0.50"] in [line.split() for line in lines]
    assert lines[-1] == "nothing unexpected"
    assert cli.main(["inspect", str(saved), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []


@pytest.mark.parametrize(
    "card",
    [{"corpus": 5}, {"thresholds": {"sea": []}}, {"metrics": {"test": {"f1_micro": 0.5, "f1_micro_interval": "x"}}}],
)
def test_a_card_of_any_content_is_shown(saved: Path, card: dict[str, Any], capsys: Capture) -> None:
    whole = json.loads(card_path(saved).read_text())
    card_path(saved).write_text(json.dumps(whole | card))
    assert cli.main(["inspect", str(saved)]) == 0


def test_a_name_cannot_hide_itself_from_a_terminal(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "model.joblib"
    path.write_bytes(b"cos\nsystem\x1b[2K\r\xe2\x80\xae\n.")
    assert cli.main(["inspect", str(path)]) == 1
    out = capsys.readouterr().out
    assert r"    os.system\x1b[2K\r\u202e" in out
    assert "\x1b" not in out
