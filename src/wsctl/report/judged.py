"""An expectation that was judged, in words."""

import math
from typing import Final

from wsctl.model.expectation import Judged, expect, shown
from wsctl.model.finding import Verdict
from wsctl.model.metrics import METRICS, Unit

_BASE: Final = {Unit.SECONDS: " s", Unit.BYTES: " B", Unit.RATE: " /s", Unit.CORES: " cores"}


def observed(judged: Judged) -> str:
    """The observed value in readable units, and exactly where rounding would contradict the verdict.

    `50.0 ms` did not keep `<= 50 ms`: then it is `50.0 ms (0.05002 s)`.
    """
    text = shown(judged.metric, judged.observed)
    if judged.observed is None or not math.isfinite(judged.observed) or _agrees(text, judged):
        return text
    return f"{text} ({judged.observed:.10g}{_BASE.get(METRICS[judged.metric].unit, '')})"


def outcome(judged: Judged) -> str:
    """What came of it, without the metric: `expected < 50 ms, observed 83.2 ms`, or why it was not judged."""
    if judged.verdict in (Verdict.PASS, Verdict.FAIL):
        return f"expected {judged.bound}, {judged.reason or f'observed {observed(judged)}'}"
    return f"expected {judged.bound}; {judged.verdict.value}" + (f": {judged.reason}" if judged.reason else "")


def _agrees(text: str, judged: Judged) -> bool:
    """Whether the value as shown keeps the bound where the true one does, and misses it where that does."""
    if judged.metric not in METRICS:
        return True
    rounded = expect(judged.metric, text.replace(",", "")).value
    return expect(judged.metric, judged.bound).judge({judged.metric: rounded}).verdict is judged.verdict
