"""Play each probe of the matrix against the vulnerable and the fixed version. Exit 1 unless it fails and then passes.

`python -m tests.vulnerable [PROBE …]`
"""

import sys
import time

from bench.table import aligned

from tests.vulnerable.matrix import MATRIX
from tests.vulnerable.playing import play
from wsctl.fuzz.catalogue import BY_ID
from wsctl.fuzz.probe import Verdict

HARMLESS = (Verdict.PASSED, Verdict.NON_STRICT)


def main() -> int:
    """The exit code."""
    asked = [name.upper() for name in sys.argv[1:]]
    rows = [row for row in MATRIX if not asked or row.probe in asked]
    began = time.monotonic()
    shown, missed = [["probe", "", "package", "vulnerable", "", "fixed", ""]], []
    for row in rows:
        verdicts = []
        for version in (row.vulnerable, row.fixed):
            outcome = play(row, version)
            verdicts.append(outcome.result.verdict)
            print(f"{row.probe} {row.package} {version}: {outcome}", file=sys.stderr, flush=True)
        old, new = verdicts
        shown.append([row.probe, BY_ID[row.probe].title, row.package, row.vulnerable, old, row.fixed, new])
        if old is not Verdict.FAILED or new not in HARMLESS:
            missed.append(f"{row.probe} on {row.package} {row.vulnerable} and {row.fixed}")
    print(aligned(shown, left=7))
    print(f"{len(rows) - len(missed)} of {len(rows)} probes flip; {time.monotonic() - began:.0f} s")
    for one in missed:
        print(f"does not flip: {one}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
