"""Expectations: a metric and a bound, as people write them: `latency.p95 < 50 ms`, `ordering.gaps == 0`."""

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from wsctl.errors import UsageError
from wsctl.model.finding import Verdict
from wsctl.model.metrics import METRICS, Metric, Metrics, Unit
from wsctl.spec.nearest import nearest

_OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
UNITS: Final[Mapping[Unit, Mapping[str, float]]] = {
    Unit.SECONDS: {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0},
    Unit.COUNT: {"": 1.0},
    Unit.RATIO: {"%": 0.01, "": 1.0},
    Unit.BYTES: {"B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30},
    Unit.RATE: {"/s": 1.0, "": 1.0},
    Unit.CORES: {"%": 0.01, "core": 1.0, "cores": 1.0},
}
"""the units that a bound may be in, and what each is in base units"""
_ZERO_IS_ENOUGH: Final = (Unit.SECONDS, Unit.BYTES, Unit.CORES)
"""where 0 needs no unit"""
_BOUND = re.compile(r"\s*(<=|>=|==|!=|<|>|=)?\s*([+-]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S*)\s*")
_EXPECTATION = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.]*)\s*((?:<=|>=|==|!=|<|>|=).*)")


class Expectation(Struct, frozen=True):
    """What a metric is to be. `value` in base units; `bound` as it was written, operator included."""

    metric: str
    operator: str
    value: float
    bound: str

    def judge(self, metrics: Metrics) -> "Judged":
        """Compare with what was measured. A metric that was not measured fails: it never passes by its absence."""
        observed = metrics.get(self.metric)
        if observed is None:
            return Judged(self.metric, self.bound, None, Verdict.FAIL, "was not measured")
        held = _OPERATORS[self.operator](observed, self.value)
        return Judged(self.metric, self.bound, observed, Verdict.PASS if held else Verdict.FAIL)


class Judged(Struct, frozen=True):
    """An expectation and what came of it; `observed` in base units, None when it was not measured."""

    metric: str
    bound: str
    observed: float | None
    verdict: Verdict
    reason: str | None = None


def find_metric(name: str) -> Metric:
    """The metric of a name. Raises UsageError with the nearest one."""
    found = METRICS.get(name)
    if found is None:
        close = nearest(name, METRICS)
        raise UsageError(
            f"unknown metric {name!r}", hint=f"did you mean {close}?" if close else "docs/scenarios.md lists them"
        )
    return found


def expect(metric: str, bound: str | float) -> Expectation:
    """The expectation that a metric keep a bound: `< 50 ms`, `>= 99.8 %`, `0`; without an operator it must be equal.

    Raises UsageError for an unknown metric, a bound that is none, and a unit that is not the metric's.
    """
    unit = find_metric(metric).unit
    text = bound if isinstance(bound, str) else f"{bound:.15g}"  # 1,234,567 to the last digit
    match = _BOUND.fullmatch(text)
    if match is None:
        raise UsageError(f"bad bound {text!r} for {metric}; expected something like {_EXAMPLES[unit]!r}")
    sign, number, written = match.groups()
    scale = UNITS[unit].get(written)
    if unit is Unit.RATIO and not written and float(number) > 1:
        scale = None  # 99.8 for 99.8 % is a slip, not a ratio
    if scale is None and not (unit in _ZERO_IS_ENOUGH and not written and float(number) == 0):
        wrong = f"unit {written!r}" if written else "no unit"
        raise UsageError(f"bad bound {text!r} for {metric}: {wrong}; expected something like {_EXAMPLES[unit]!r}")
    symbol = {None: "==", "=": "=="}.get(sign, sign)
    assert symbol is not None
    value = round(float(number.replace("_", "")) * (scale or 1.0), 12)  # 99.8 % is 0.998, not a bit more
    return Expectation(metric, symbol, value, text.strip() if sign else f"== {text.strip()}")


def expect_all(bounds_by_metric: Mapping[str, str | float | tuple[str | float, ...]]) -> tuple[Expectation, ...]:
    """As a file has them, each bound of a list for itself. Raises UsageError as `expect` does."""
    return tuple(
        expect(metric, bound)
        for metric, bounds in bounds_by_metric.items()
        for bound in (bounds if isinstance(bounds, tuple) else (bounds,))
    )


def parse_expectation(text: str) -> Expectation:
    """The expectation in one text: `latency.p95 < 50 ms`. Raises UsageError."""
    match = _EXPECTATION.fullmatch(text)
    if match is None:
        raise UsageError(f"bad expectation {text!r}; expected a metric and a bound, such as 'latency.p95 < 50 ms'")
    return expect(match[1], match[2])


_EXAMPLES: Final[Mapping[Unit, str]] = {
    Unit.SECONDS: "< 50 ms",
    Unit.COUNT: "== 0",
    Unit.RATIO: ">= 99.8 %",
    Unit.BYTES: "< 200 MB",
    Unit.RATE: ">= 100 /s",
    Unit.CORES: "< 50 %",
}


def shown(metric: str, value: float | None) -> str:
    """A measured value as people read it: `52.3 ms`, `99.87 %`; a dash where nothing was measured."""
    if value is None or math.isnan(value):
        return "–"
    unit = METRICS[metric].unit if metric in METRICS else Unit.COUNT
    if math.isinf(value):
        return "never" if unit is Unit.SECONDS else "infinite"
    match unit:
        case Unit.SECONDS:
            return _shown_seconds(value)
        case Unit.RATIO:
            return f"{_cut(value * 100, 3):g} %"
        case Unit.BYTES:
            return _scaled(value, ("B", "KB", "MB", "GB"))
        case Unit.RATE:
            return f"{value:,.1f} /s"
        case Unit.CORES:
            return f"{value:.2f} cores"
        case Unit.COUNT:
            return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def _shown_seconds(value: float) -> str:
    if abs(value) < 0.001:
        return f"{value * 1e6:.0f} µs"
    return f"{value * 1000:.1f} ms" if abs(value) < 1 else f"{value:.2f} s"


def _scaled(value: float, names: tuple[str, ...]) -> str:
    for name in names[:-1]:
        if value < 1000:
            return f"{value:.4g} {name}"
        value /= 1000
    return f"{value:.4g} {names[-1]}"


def _cut(value: float, decimals: int) -> float:
    """Rounded down, so that 100 % means all."""
    scale: int = 10**decimals
    return int(value * scale + 1e-9) / scale
