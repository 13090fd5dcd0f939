"""What a load profile may say: how many, over what time, doing what, and what is expected of the target."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from wsctl.errors import UsageError
from wsctl.spec.typed import Duration, Names

Users = Annotated[int, Meta(ge=1)]
Bounds = str | float | tuple[str | float, ...]


class StageSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stretch of the load's course; `ramp`, `hold`, `step` or `spike`."""

    ramp: Annotated[
        Annotated[int, Meta(ge=0)] | None, Meta(description="Go to so many users, evenly, `over` a time.")
    ] = None
    hold: Annotated[Annotated[Duration, Meta(gt=0)] | None, Meta(description="Stay for so long.")] = None
    step: Annotated[Users | None, Meta(description="Add so many users `every` so often, up to `until`.")] = None
    spike: Annotated[
        Users | None, Meta(description="Add so many users at once and take them away after `lasting`.")
    ] = None
    over: Annotated[Annotated[Duration, Meta(ge=0)] | None, Meta(description="Of a ramp: how long it takes.")] = None
    every: Annotated[Annotated[Duration, Meta(gt=0)] | None, Meta(description="Of steps: how long each is held.")] = (
        None
    )
    until: Annotated[Users | None, Meta(description="Of steps: how many users are enough.")] = None
    lasting: Annotated[Annotated[Duration, Meta(gt=0)] | None, Meta(description="Of a spike: how long it stays.")] = (
        None
    )

    def __post_init__(self) -> None:
        kinds = [name for name in _BELONGING if getattr(self, name) is not None]
        if len(kinds) != 1:
            said = " and ".join(kinds) or "nothing"
            raise UsageError(f"a stage says {said}; expected one of {', '.join(_BELONGING)}")
        wanted = _BELONGING[kinds[0]]
        for name in ("over", "every", "until", "lasting"):
            if (getattr(self, name) is not None) is not (name in wanted):
                verb = "lacks" if name in wanted else "knows no"
                raise UsageError(f"{kinds[0]} {verb} {name!r}")


_BELONGING: dict[str, tuple[str, ...]] = {
    "ramp": ("over",),
    "hold": (),
    "step": ("every", "until"),
    "spike": ("lasting",),
}
"""what must stand beside each kind of stage"""
