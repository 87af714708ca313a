"""Which code made a model: the git commit, and whether the tree differed from it."""

import subprocess
from pathlib import Path
from typing import Any


def find_source() -> dict[str, Any]:
    """Ask git about the folder that this package lies in.

    Returns
    -------
    dict
        ``commit``, a hash, and ``dirty``, whether any file differs from it or is not in it; both None where the package
        is not part of a git repository, as after ``pip install``.
    """
    home = Path(__file__).parent
    if _git(home, "ls-files", "--error-unmatch", Path(__file__).name) is None:
        return {"commit": None, "dirty": None}
    return {"commit": _git(home, "rev-parse", "HEAD"), "dirty": bool(_git(home, "status", "--porcelain"))}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
