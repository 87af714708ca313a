r"""The model behind HTTP: MLflow's own server around a logged model, in this environment.

Asked with ``POST /invocations`` and ``Content-Type: application/json``, a text an entry, ::

    {"dataframe_split": {"columns": ["text"], "data": [["العنوان\nثم النص"], ["نص آخر"]]}}

it answers 200 with a prediction for each, in their order, ::

    {"predictions": [{"themes": ["terrorism"], "primary": "terrorism", "scores": {"terrorism": 0.97, ...},
                      "none": 0.01, "unsure": []}, ...]}

and 4xx with ``error_code`` and ``message`` where the body is no such JSON. ``GET /ping`` answers 200 once it is ready.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from .artifact import REGISTRY, load_model
from .registry import CHAMPION, REGISTERED, fetch, find_model
from .tracking import choose_port, connect


def serve_model(model: str = f"{REGISTRY}{REGISTERED}@{CHAMPION}", port: int = 0) -> int:
    """Serve a logged model on 127.0.0.1 until interrupted or terminated.

    Parameters
    ----------
    model : str
        In MLflow's registry, or the folder of a logged model.
    port : int, default=0
        See `pipeline.tracking.choose_port`.

    Returns
    -------
    int
        Exit code of MLflow's server.

    Raises
    ------
    DataError
        If there is no such model, it fails the checks of `pipeline.load_model`, or the port is taken.
    TrackingError
        If the registry cannot be reached.
    """
    with TemporaryDirectory() as copied:
        folder = Path(copied if model.startswith(REGISTRY) else model)
        file = fetch(model, folder) if model.startswith(REGISTRY) else find_model(folder, model)
        load_model(file)  # what is wrong with it is said here, not in a traceback of the server
        connect()  # for its settings, which the server inherits
        return _serve(next(above for above in file.parents if (above / "MLmodel").is_file()), choose_port(port))


def _serve(folder: Path, port: int) -> int:
    print(f"POST http://127.0.0.1:{port}/invocations\nCtrl-C ends it.", flush=True)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(folder), "--env-manager", "local"]
    # MLflow calls uvicorn by its name.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else the server would outlive this process
    with suppress(KeyboardInterrupt):
        return subprocess.run(
            [*command, "--host", "127.0.0.1", "--port", str(port)], env={**os.environ, "PATH": path}, check=False
        ).returncode
    return 0
