"""Play each probe of the matrix against the vulnerable and the fixed version. Exit 1 unless it fails and then passes.

`python -m tests.vulnerable [PROBE …]`
"""

import asyncio
import sys
import time

from bench.table import aligned

from tests.vulnerable.matrix import MATRIX, Row
from tests.vulnerable.serving import served
from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.fuzz.catalogue import BY_ID
from wsctl.fuzz.options import FuzzOptions
from wsctl.fuzz.probe import Verdict
from wsctl.fuzz.result import ProbeResult
from wsctl.fuzz.run import FuzzRun

RAW = ("ws.cjs",)
"""servers without Engine.IO"""
HARMLESS = (Verdict.PASSED, Verdict.NON_STRICT)


def main() -> int:
    """The exit code."""
    asked = [name.upper() for name in sys.argv[1:]]
    rows = [row for row in MATRIX if not asked or row.probe in asked]
    began = time.monotonic()
    shown, missed = [["probe", "", "package", "vulnerable", "", "fixed", ""]], []
    for row in rows:
        old, new = (play(row, version) for version in (row.vulnerable, row.fixed))
        cells = [row.vulnerable, old.verdict, row.fixed, new.verdict]
        shown.append([row.probe, BY_ID[row.probe].title, row.package, *cells])
        if old.verdict is not Verdict.FAILED or new.verdict not in HARMLESS:
            missed.append(f"{row.probe} on {row.package} {row.vulnerable} and {row.fixed}")
    print(aligned(shown, left=7))
    print(f"{len(rows) - len(missed)} of {len(rows)} probes flip; {time.monotonic() - began:.0f} s")
    for one in missed:
        print(f"does not flip: {one}")
    return 1 if missed else 0


def play(row: Row, version: str) -> ProbeResult:
    """A probe against a server of its own. What came of it is told on stderr, with what the server died of."""
    bed = row.bed(version)
    bed.install()
    with served(bed, row.server) as server:
        host = f"127.0.0.1:{server.port}"
        raw = Target(url=f"ws://{host}", dialect="binance")
        target = raw if row.server in RAW else Target(url=f"http://{host}")
        # Nobody starts it anew: what died is not waited for.
        options = FuzzOptions(target=target, seed=1, probes=(row.probe,), cases=0, pid=server.process.pid, wait=0.1)
        result = asyncio.run(FuzzRun(options, SystemClock(), lambda _: None).run()).probes[0]
        seen = (result.case, result.ending, *result.harms, result.reason, server.last_words())
    print(f"{row.probe} {row.package} {version}: {result.verdict}: {'; '.join(filter(None, seen))}", file=sys.stderr)
    return result


if __name__ == "__main__":
    sys.exit(main())
