"""The faults of a chaos proxy as scenarios say them: as an action of `during`, and as what a service begins with.

The specs are made of the faults' own options, so that a new fault is sayable without a word here.
"""

from collections.abc import Sequence
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct, defstruct

from wsctl.chaos.asked import read_fault
from wsctl.chaos.fault import AnyFault, FaultSpec
from wsctl.chaos.faults import FAULTS
from wsctl.chaos.faults.rolling_restart import RollingRestartSpec
from wsctl.chaos.faults.stall import StallSpec
from wsctl.chaos.presets import PRESETS
from wsctl.spec.kinds import Duration

TARGET = "Name of the service; the one that the step aims at, if not given."
CUTTING = frozenset({"close", "cut", "rolling-restart", "stall"})
"""faults after which clients have to come back; flash has a spec of its own"""
BOUNDING = frozenset({"limit"})
"""faults that strike only who goes too far: who met one and did not is well-behaved"""

_STRICT: dict[str, Any] = {"frozen": True, "kw_only": True, "forbid_unknown_fields": True}
_TARGET_FIELD = ("target", Annotated[str | None, Meta(description=TARGET)], None)
_RETURN_FIELDS = (
    (
        "within",
        Annotated[Duration, Meta(gt=0, description="W: a client that is not back this long after has failed.")],
        30.0,
    ),
    ("hold", Annotated[Duration, Meta(ge=0, description="H: how long a client must stay well to count as back.")], 5.0),
)


def about(fault: type[AnyFault]) -> str:
    """What it does, in a sentence."""
    return cleandoc(fault.options.__doc__ or "").split("\n\n")[0].replace("\n", " ")


def _action(fault: type[AnyFault]) -> type[Struct]:
    fields = [_TARGET_FIELD, *(_RETURN_FIELDS if fault.type_name in CUTTING else ())]
    made = defstruct(f"{fault.__name__}Action", fields, bases=(fault.options,), **_STRICT)
    made.__doc__ = fault.options.__doc__
    return made


def _choice(name: str, specs: dict[str, type[Struct]]) -> Any:
    """A Struct with a field for each fault."""
    fields = [
        (type_name.replace("-", "_"), Annotated[spec | None, Meta(description=about(FAULTS[type_name]))], None)
        for type_name, spec in specs.items()
    ]
    return defstruct(name, fields, rename="kebab", **_STRICT)


HARMS = {name: _action(fault) for name, fault in FAULTS.items() if name != "flash"}
"""the specs of actions that a chaos proxy does, by the fault's type"""
if TYPE_CHECKING:  # what a type checker can see of them

    class Harms(Struct, frozen=True, kw_only=True):
        """A field for each of HARMS."""

    class FaultChoice(Struct, frozen=True, kw_only=True):
        """A field for each fault."""

else:
    Harms = _choice("Harms", HARMS)
    FaultChoice = _choice("FaultChoice", {name: fault.options for name, fault in FAULTS.items()})
    FaultChoice.__doc__ = "A fault: its type, and its options."


def faults_of(choice: FaultChoice) -> dict[str, Any]:
    """The faults that a choice names, by type; a sound one names one."""
    given = {name: getattr(choice, name.replace("-", "_")) for name in FAULTS}
    return {name: spec for name, spec in given.items() if spec is not None}


def named(faults: Sequence[FaultChoice], preset: str | None) -> dict[str, tuple[str, FaultSpec]]:
    """The faults that a service begins with, beside its preset: type and options by a name of their own.

    The name is the type, so that chance decides as for `wsctl chaos --fault`; the next of a type is `drop-2`.
    """
    taken = set(preset_names(preset))
    found: dict[str, tuple[str, FaultSpec]] = {}
    for choice in faults:
        ((kind, spec),) = faults_of(choice).items()
        others = (kind, *(f"{kind}-{number}" for number in range(2, len(faults) + len(taken) + 2)))
        name = next(one for one in others if one not in taken)
        taken.add(name)
        found[name] = (kind, spec)
    return found


def preset_names(preset: str | None) -> list[str]:
    """The names of a preset's faults."""
    return [] if preset is None else [read_fault(text).name for text in PRESETS[preset]]


def outage(options: Struct, upstreams: int) -> float:
    """Seconds from a strike until clients can be served again."""
    match options:
        case RollingRestartSpec():
            return options.down if upstreams == 1 else 0.0
        case StallSpec():
            return options.lasts or 0.0
    return float(getattr(options, "outage", 0.0))


def silences(options: Struct) -> bool:
    """Whether it cuts nobody off: connections fall silent, and flow on once its outage is over."""
    return isinstance(options, StallSpec) and options.lasts is not None


def last_strike(options: Struct, upstreams: int) -> float:
    """Seconds from the action to the last strike of its first round."""
    rolled = (upstreams - 1) * (options.down + options.pause) if isinstance(options, RollingRestartSpec) else 0.0
    return rolled + (options.at if isinstance(options, FaultSpec) else 0.0)
