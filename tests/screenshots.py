"""Take pictures of MLflow's own pages, as a reviewer sees them, to be looked at by a person.

    pip install playwright          # it drives the Chromium that is installed
    python -m pipeline ui --port 5000 &
    python tests/screenshots.py http://127.0.0.1:5000 models/screenshots

Needs runs (make demo-runs) and a champion (python -m pipeline promote RUN). Not part of the tests: what matters is
whether the Arabic reads right, which no assertion sees.
"""

import json
import shutil
import sys
import urllib.request
from pathlib import Path
from typing import Any

SETTLE = 6_000  # milliseconds
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def main(url: str, folder: Path) -> None:
    """Visit run list, three runs compared, pictures, error table, registry; write one PNG each."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    experiment = ask(url, "experiments/get-by-name?experiment_name=security-themes")["experiment"]["experiment_id"]
    query = {"experiment_ids": [experiment], "filter": "tags.logged_whole = 'yes'", "max_results": 3}
    runs = [run["info"]["run_id"] for run in ask(url, "runs/search", query)["runs"]]
    ids = json.dumps(runs).replace(" ", "")
    list_page = f"/#/experiments/{experiment}/runs?viewStateShareKey=reviewers"
    pages: dict[str, tuple[str, list[str]]] = {
        "runs": (list_page, []),
        "compared": (f"/#/compare-runs?runs={ids}&experiments=[%22{experiment}%22]", []),
        "run": (f"/#/experiments/{experiment}/runs/{runs[0]}", ["Show more"]),
        "errors": (f"/#/experiments/{experiment}/runs/{runs[0]}/artifacts", ["errors.json"]),
        "registry": ("/#/models/security-themes", []),
    }
    for picture in ("themes", "confusion", "precision-recall", "words", "breakdown"):
        pages[picture] = (f"/#/experiments/{experiment}/runs/{runs[0]}/artifacts", ["report", f"{picture}.png"])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1800, "height": 1100})
        for name, (place, clicks) in pages.items():
            page.goto("about:blank")
            page.goto(url + place)
            page.wait_for_timeout(SETTLE)
            for text in clicks:
                page.get_by_text(text, exact=True).first.click()
                page.wait_for_timeout(SETTLE / 2)
            page.screenshot(path=folder / f"{name}.png")
            print(folder / f"{name}.png")
        browser.close()


def ask(url: str, path: str, body: Any = None) -> Any:
    """Ask MLflow's REST interface."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/api/2.0/mlflow/{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
