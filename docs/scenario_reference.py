"""docs/scenarios.md, out of the spec models: every key, unit and metric."""

from collections.abc import Collection, Iterable
from inspect import cleandoc
from typing import Any

from msgspec import Struct
from msgspec import inspect as mi

from wsctl.model.expectation import UNITS
from wsctl.model.finding import Verdict
from wsctl.model.metrics import METRICS, Unit
from wsctl.scenario import spec
from wsctl.scenario.harms import CUTTING
from wsctl.server.options import ServeOptions
from wsctl.spec.kinds import DurationType, admitted, alternatives, notes
from wsctl.spec.units import write_duration

_HEAD = """# Scenarios

Written by `make docs` from the program's own spec. `wsctl run FILE` runs one, `wsctl run --dry-run FILE` checks it, and
`wsctl schema > scenario.schema.json` is the same for editors.

```yaml
{example}```

- Services start before the first step and stop after the last; their ports find themselves. With `wsctl run --url` the
  feed there takes their place, `tokens` says who its users are, and what needs control over the server is skipped.
- Steps run one after the other; those of `parallel` at the same time. `at` and `duration` count from the moment that
  every client is subscribed.
- A metric that was not measured fails its expectation. One that a step cannot measure is an error before anything
  starts, as is a step too short for what it measures.
- `${{NAME}}` is an environment variable, `${{NAME:-default}}` one with a default, `${{matrix.NAME}}` a value of the
  matrix; `$${{` is a plain `${{`.
- A step whose clients were lost for good fails, unless an expectation is about that, such as `connections.receiving`.
  One that received nothing and expects nothing is `unverifiable`.
- Tapes and dialects that a scenario names stand beside it; dialects better in a folder of their own, as
  `wsctl run FOLDER` takes every YAML file in it for a scenario. What a `record` step writes stays in the run's
  `--out`, and a later `replay` step finds it by its name.
- A service that replays is heard as its tape speaks; a step's own `dialect` wins. With `--url`, steps about a recorded
  feed are skipped.
- A `chaos` service is a proxy: steps that go through it aim at it (`target`), and its faults are actions of `during`,
  in force until the step ends. One that never struck makes the step an `error`; one that the proxy was given from the
  start makes the scenario one, once all steps are over. Whole streams (`bandwidth`, `slow-reader`, `stall`) are struck
  once they are harmed, whether or not anything came on them; for a `limit` it is enough that it counted somebody, since
  who keeps to it is well-behaved. `flash` is the proxy's where the step aims at a proxy, else the mock feed's.
  `server.cpu`, `server.rss` and users' tokens are those of the first service behind it.
- A `fuzz` step fails where a probe or a generated case does any harm, whatever else is expected; the process of a
  service is watched by itself. Against a `--url` that is not on this machine it takes `i_own_this_target: true`.
- `defaults` go to every step whose command knows the option and was not given it.
"""

_SECTIONS: tuple[tuple[str, type[Struct]], ...] = (
    ("A scenario", spec.ScenarioSpec),
    ("A service", spec.ServiceSpec),
    ("serve", ServeOptions),
    ("replay as a service", spec.ReplayServiceSpec),
    ("chaos as a service", spec.ChaosServiceSpec),
    ("A step", spec.StepSpec),
    ("subscribe", spec.SubscribeSpec),
    ("ordering-check", spec.OrderingCheckSpec),
    ("emit", spec.EmitSpec),
    ("record", spec.RecordSpec),
    ("replay", spec.ReplaySpec),
    ("load", spec.LoadStepSpec),
    ("fuzz", spec.FuzzSpec),
    ("reconnect", spec.ReconnectSpec),
    ("An action of during", spec.ActionSpec),
    ("flash", spec.FlashSpec),
    ("disconnect", spec.DisconnectSpec),
    ("price", spec.PriceSpec),
    ("announce", spec.AnnounceSpec),
    ("notify", spec.NotifySpec),
    ("pause, resume", spec.TargetSpec),
)

_VERDICTS = {
    Verdict.PASS: "every expectation held",
    Verdict.FAIL: "one did not, or its metric was not measured; or clients were lost that none is about",
    Verdict.ERROR: "it could not be run as asked: a service ended, a fault never fired, the run was interrupted",
    Verdict.INVALID: "wsctl's own clients could not keep up, so that their latencies say nothing",
    Verdict.UNVERIFIABLE: "there is nothing to judge by: no sequence numbers, or nothing came and nothing was expected",
    Verdict.SKIPPED: "not run, with the reason; never counted as passed",
}

_LEFT_OUT = {"control", "conformance"}
"""options of serve that a scenario has no use for"""


def scenario_reference(example: str) -> str:
    """The page; `example` is the YAML of a scenario."""
    parts = [_HEAD.format(example=example)]
    for title, kind in _SECTIONS:
        parts.append(f"## {title}\n\n{cleandoc(kind.__doc__ or '')}\n\n{keys(kind)}")
    parts.append(f"## Faults of a proxy\n\n{_faults()}")
    parts.append(f"## Bounds\n\n{_units()}")
    parts.append(f"## Metrics\n\n{metrics(METRICS)}")
    parts.append(
        "## Verdicts\n\n" + table(("verdict", "means"), ((f"`{one}`", text) for one, text in _VERDICTS.items()))
    )
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def keys(kind: type[Struct], without: Collection[str] = ()) -> str:
    """A table of a struct's keys, nothing where there are none."""
    described = mi.type_info(kind)
    assert isinstance(described, mi.StructType)
    rows = [
        (f"`{field.encode_name}`", _kind(field.type), _default(field), notes(field.type).get("description", ""))
        for field in described.fields
        if field.encode_name not in _LEFT_OUT and field.encode_name not in without
    ]
    return table(("key", "is", "default", "means"), rows) if rows else ""


def _faults() -> str:
    """Which of them clients come back from."""
    *most, last = (f"`{name}`" for name in sorted((*CUTTING, "flash")))
    return (
        "Their options are those of [wsctl chaos](chaos.md), as actions of `during` and in `faults` of a service.\n"
        f"After {', '.join(most)} and {last} clients have to come back: as actions\n"
        "they take `within` and `hold` too, as `flash` does, and `reconnect.*` is measured\n"
        "([how](reconnection.md))."
    )


def _kind(kind: mi.Type) -> str:
    words = [admitted(one)[1] for one in alternatives(kind) if not isinstance(one, mi.NoneType)]
    return " or ".join(dict.fromkeys(words)).replace("|", "\\|")


def _default(field: mi.Field) -> str:
    if field.required:
        return "required"
    if field.encode_name == "port":  # wsctl run finds one, unless it is given
        return "a free one"
    value: Any = field.default if field.default is not mi.NODEFAULT else None
    if value in (None, (), "") or isinstance(value, Struct):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float) and any(isinstance(one, DurationType) for one in alternatives(field.type)):
        return f"`{write_duration(value) if value else 0}`"
    if isinstance(value, tuple):
        return f"`{', '.join(value)}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _units() -> str:
    intro = (
        "A bound is an operator (`<` `<=` `>` `>=` `==` `!=`; none means `==`), a number and a unit: `< 50 ms`,\n"
        "`>= 99.8 %`, `0`. Several bounds of one metric stand in a list.\n\n"
    )
    rows = ((unit.value, ", ".join(f"`{name}`" if name else "none" for name in UNITS[unit])) for unit in Unit)
    return intro + table(("in", "units"), rows)


def metrics(names: Collection[str]) -> str:
    """A row for each of these metrics, in the order of the vocabulary."""
    known = [metric for name, metric in METRICS.items() if name in names]
    rows = ((f"`{metric.name}`", metric.unit.value, metric.meaning) for metric in known)
    return table(("metric", "in", "means"), rows)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    names = tuple(head)
    lines = [names, tuple("---" for _ in names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
