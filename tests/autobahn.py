"""Autobahn's WebSocket cases against `wsctl serve --conformance`: fails for any failure not allowed by name.

    python tests/autobahn.py [--compress]

The cases run in `kosoku` (dependency group `autobahn`), which took them over from the Autobahn test suite. Those of
compression (12.*, 13.*) take minutes and run only with `--compress`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WAIT = 20.0
"""seconds for the server to listen"""
LARGEST = 20_000_000
"""bytes of a message: the cases 9.* send up to 16 MiB"""
PATIENCE = 1800.0
"""seconds for all cases"""
SOUND = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED")
ALLOWED = {
    "7.1.5": "a close frame between the fragments of a message: websockets answers 1002 (incomplete fragmented "
    "message), the case wants 1000; upstream's choice",
}


def main() -> int:
    """Run the cases; 0 when all passed but those allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compress", action="store_true", help="the compression cases, with --compress, too")
    options = parser.parse_args()
    left_out = [] if options.compress else ["12.*", "13.*"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serving(folder, *(["--compress"] if options.compress else [])) as url:
            verdicts = run_cases(f"{url}/echo".replace("http", "ws", 1), folder / "reports", left_out)
    return judge(verdicts)


@contextmanager
def serving(folder: Path, *more: str) -> Iterator[str]:
    """A server on a free port, for as long as the block lasts; its URL."""
    ready = folder / "ready.json"
    settings = ["--conformance", "--max-payload", str(LARGEST), "--port", "0", "--ready-file", str(ready), *more]
    server = subprocess.Popen([sys.executable, "-m", "wsctl", "serve", *settings], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + WAIT
        while not ready.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("wsctl serve did not start")
            time.sleep(0.02)
        yield json.loads(ready.read_text())["url"]
    finally:
        server.terminate()
        server.wait()


def run_cases(url: str, reports: Path, left_out: list[str]) -> dict[str, Any]:
    """Kosoku's verdict on each case."""
    kosoku = Path(sys.executable).with_name("kosoku")
    if not kosoku.exists():
        raise SystemExit("kosoku is not installed: pip install --group autobahn")
    excluded = [argument for case in left_out for argument in ("-x", case)]
    done = subprocess.run([kosoku, "-o", reports, *excluded, url], capture_output=True, timeout=PATIENCE)
    index = reports / "index.json"
    if not index.exists():
        raise SystemExit(f"kosoku wrote no report: {done.stderr.decode()[-2000:]}")
    (verdicts,) = json.loads(index.read_text()).values()
    return dict(verdicts)


def judge(verdicts: dict[str, Any]) -> int:
    """Print the count of each verdict and every failure; 0 when all failures are allowed ones."""
    counts = Counter(verdict["behavior"] for verdict in verdicts.values())
    print(f"{len(verdicts)} cases: " + ", ".join(f"{count} {name}" for name, count in counts.most_common()))
    failed = {
        case: (verdict["behavior"], verdict["behaviorClose"])
        for case, verdict in verdicts.items()
        if verdict["behavior"] not in SOUND or verdict["behaviorClose"] not in SOUND
    }
    for case, (behavior, close) in failed.items():
        print(f"{case}: {behavior}, close {close}" + (f" (allowed: {ALLOWED[case]})" if case in ALLOWED else ""))
    return 1 if not verdicts or failed.keys() - ALLOWED.keys() else 0


if __name__ == "__main__":
    sys.exit(main())
