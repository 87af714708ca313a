r"""The model behind HTTP: MLflow's own server around a logged model, in this environment.

Asked with ``POST /invocations`` and ``Content-Type: application/json``, a text an entry, ::

    {"dataframe_split": {"columns": ["text"], "data": [["العنوان\nثم النص"], ["نص آخر"]]}}

it answers 200 with a prediction for each, in their order, ::

    {"predictions": [{"themes": ["terrorism"], "primary": "terrorism", "scores": {"terrorism": 0.97, ...},
                      "none": 0.01, "unsure": []}, ...]}

and 4xx with ``error_code`` and ``message`` where it cannot: 400 if the body is no such JSON, an entry is no text, there
is none or more than `pipeline.flavor.MAX_TEXTS`; 413 if it has more than 10 MB; 415 if it is said to be neither JSON
nor CSV, see `pipeline.body_limit`. What takes longer than a minute, or the seconds in
``MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT``, gets 504.
``GET /ping`` answers 200 once it is ready.
"""

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
    from mlflow.pyfunc.scoring_server import get_cmd

    print(f"POST http://127.0.0.1:{port}/invocations\nCtrl-C ends it.", flush=True)
    _, environment = get_cmd(str(folder))  # names the model to MLflow's server, and the seconds it may take to answer
    command = [sys.executable, "-P", str(Path(__file__).with_name("body_limit.py")), str(port)]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else the server would outlive this process
    with suppress(KeyboardInterrupt), subprocess.Popen(command, env=environment) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()  # once it has answered what it was asked
            server.wait()
    return 0
