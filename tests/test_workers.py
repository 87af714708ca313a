import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there workers are forked")


def run(code: str, folder: Path) -> str:
    """Run code in a folder, where it finds this package, but looks for no other."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout


def test_they_have_imported_this_package_and_not_its_namesake(tmp_path: Path) -> None:
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "__init__.py").write_text("open('imported', 'w')", encoding="utf-8")
    code = (
        "import multiprocessing, os\n"
        "from pipeline.workers import fork_workers\n"
        "before = dict(os.environ)\n"
        "fork_workers()\n"
        "assert dict(os.environ) == before\n"
        "with multiprocessing.Pool(1) as pool:\n"
        '    print(pool.apply(eval, [\'__import__("sys").modules["pipeline.outputs"].__file__\']))\n'
    )
    assert run(code, tmp_path) == f"{ROOT}/pipeline/outputs.py\n"
    assert not (tmp_path / "imported").exists()


def test_a_stream_uses_them_and_ends_them(tmp_path: Path) -> None:
    code = (
        "import multiprocessing\n"
        "from pipeline.stream import classify_stream\n"
        "from pipeline.workers import fork_workers\n"
        "from tests.test_stream import Echo\n"
        "fork_workers()\n"
        "stream = classify_stream(Echo(), ['نص'] * 9, batch_size=2, n_jobs=2)\n"
        "print(next(stream)[0], sorted(p.name.split('-')[0] for p in multiprocessing.active_children()))\n"
        "print(len(list(stream)), multiprocessing.active_children())\n"
    )
    assert run(code, tmp_path) == "نص ['ForkServerProcess', 'ForkServerProcess']\n8 []\n"


@pytest.mark.parametrize("chosen", ["spawn", "fork"])
def test_a_program_that_has_chosen_is_left_to_it(chosen: str, tmp_path: Path) -> None:
    code = (
        "import multiprocessing\n"
        "from pipeline.workers import fork_workers\n"
        f"multiprocessing.set_start_method({chosen!r})\n"
        "fork_workers()\n"
        "print(multiprocessing.get_start_method())\n"
    )
    assert run(code, tmp_path) == f"{chosen}\n"


def test_a_folder_too_long_for_a_socket_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("f" * 80)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    code = (
        "from pipeline.stream import classify_stream\n"
        "from pipeline.workers import fork_workers\n"
        "from tests.test_stream import Echo\n"
        "if __name__ == '__main__':\n"
        "    fork_workers()\n"
        "    print(len(list(classify_stream(Echo(), ['نص'] * 9, batch_size=2, n_jobs=2))))\n"
    )
    assert run(code, tmp_path) == "9\n"
