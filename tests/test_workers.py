import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import workers as module
from pipeline.workers import fork_workers, worker_context

from .conftest import ROOT, on_linux

SCRIPT = """
import os, signal, sys
sys.path.append({root!r})
from pipeline.workers import fork_workers, worker_context

if __name__ == "__main__":
    before = dict(os.environ), signal.getsignal(signal.SIGINT)
    fork_workers()
    assert (dict(os.environ), signal.getsignal(signal.SIGINT)) == before
    with worker_context().Pool(1) as pool:
        print(pool.apply(eval, ["__import__('sys').modules['pipeline.outputs'].__file__"]))
"""


@on_linux
def test_they_have_imported_this_package_and_not_its_namesake(tmp_path: Path) -> None:
    script, namesake = tmp_path / "bin" / "job.py", tmp_path / "pipeline" / "__init__.py"
    for file, code in ((script, SCRIPT.format(root=str(ROOT))), (namesake, "open('imported', 'w')")):
        file.parent.mkdir()
        file.write_text(code, encoding="utf-8")
    # Started as a command is: not the current folder is searched for modules, but the script's.
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"{ROOT}/pipeline/outputs.py\n"
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("failing", ["start", "system"])
def test_where_they_cannot_be_forked_they_are_spawned(failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("AF_UNIX path too long")

    monkeypatch.setattr(module, "_are_forked", False)
    monkeypatch.setattr("multiprocessing.forkserver.ensure_running", fail)
    if failing == "system":
        monkeypatch.setattr(sys, "platform", "darwin")
    before = dict(os.environ), signal.getsignal(signal.SIGINT)
    fork_workers()
    assert (dict(os.environ), signal.getsignal(signal.SIGINT)) == before
    assert worker_context().get_start_method() == "spawn"
