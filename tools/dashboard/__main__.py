"""Draw the dashboard of ops/dashboard.json without Grafana: one HTML page, with the data of a Prometheus.

python -m tools.dashboard http://127.0.0.1:9090 dashboard.html --minutes 60
"""

import argparse
import json
import sys
import time
from pathlib import Path

from app.settings import ROOT
from tools.dashboard.page import page
from tools.dashboard.queries import Range, ask

DASHBOARD = ROOT / "ops" / "dashboard.json"


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(prog="python -m tools.dashboard", description="Draw the dashboard as a page.")
    parser.add_argument("prometheus", help="the URL of a Prometheus")
    parser.add_argument("file", type=Path, help="the HTML file to write")
    parser.add_argument("--minutes", type=float, default=60, help="how much of the past to draw")
    options = parser.parse_args()
    end = time.time()
    try:
        empty = write(options.prometheus, options.file, Range(end - 60 * options.minutes, end))
    except OSError as error:
        sys.exit(f"{options.prometheus}: {error}")
    print(f"{options.file}; without data: {', '.join(empty) or 'no panel'}")


def write(url: str, file: Path, span: Range) -> list[str]:
    """Draw what the Prometheus at this URL has for these times; return the titles of the panels without data."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    data = {panel["id"]: ask(url, panel, span) for panel in panels}
    file.write_text(page(dashboard, data, span), encoding="utf-8")
    return [panel["title"] for panel in panels if not data[panel["id"]]]


if __name__ == "__main__":
    main()
