"""The promise: from nothing to a report with the README's first command, in under six minutes on two cores."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_S = 360.0
PROJECT = Path(__file__).parents[1]
KEPT = ("PATH", "LANG", "SSL_CERT_FILE", "PIP_CONFIG_FILE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "PIP_INDEX_URL")


def run() -> dict[str, object]:
    """Runs the command in a copy of the tracked files with an empty home; seconds until the report was written."""
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- main command -->\n```sh\n(.*?)```", readme, re.DOTALL)
    if found is None:
        raise SystemExit("README.md holds no main command")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "llmtester"
        tracked = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True)
        for name in tracked.stdout.split("\0"):
            if name:
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(PROJECT / name, copy / name)
        environment = {name: value for name, value in os.environ.items() if name in KEPT} | {"HOME": folder}
        started_s = time.monotonic()
        subprocess.run(["bash", "-euc", found[1]], cwd=copy, env=environment, check=True, stdin=subprocess.DEVNULL)
        spent_s = time.monotonic() - started_s
        reports = list(copy.glob("llmtester-runs/*/*_report.html"))
        results = json.loads(next(copy.glob("llmtester-runs/*/*_results.json")).read_text(encoding="utf-8"))
    ratios = [
        cell["metrics"]["decode_tok_per_s"]["value"] / cell["metrics"]["server_decode_tok_per_s"]["value"]
        for cell in results["cells"]
    ]
    agree = all(abs(ratio - 1) < 0.02 for ratio in ratios)
    return {
        "name": "first_light",
        "promise": "README's first command ends in a report in under 6 minutes; decode within 2 % of the server's",
        "measured": spent_s,
        "limit": LIMIT_S,
        "unit": "s",
        "passed": spent_s < LIMIT_S and len(reports) == 1 and results["outcome"] == "finished" and agree,
        "decode_over_server_decode": ratios,
    }


if __name__ == "__main__":
    measured = run()
    print(json.dumps(measured, indent=2))
    sys.exit(0 if measured["passed"] else 4)
