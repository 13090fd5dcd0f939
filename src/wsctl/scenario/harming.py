"""A fault of a chaos proxy during a step: put in force, watched for whom it cuts, taken away, made to answer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wsctl.chaos.asked import as_attributes
from wsctl.chaos.faults.flash import FlashSpec as ProxyFlash
from wsctl.errors import TargetError, UsageError
from wsctl.scenario.actions import NeverFired
from wsctl.scenario.harms import named, outage, preset_names
from wsctl.scenario.spec import ActionSpec, ChaosServiceSpec, FlashSpec, returns
from wsctl.swarm.messages import Fault

if TYPE_CHECKING:
    from wsctl.client.toxics import Toxics

_OURS = ("target", "within", "hold")
"""keys of an action that are not the fault's own"""


class Harm:
    """One fault. `begin`, then `look` now and then, then `end`; all raise NeverFired where the proxy says no."""

    def __init__(self, toxics: "Toxics", action: ActionSpec, number: int, upstreams: int) -> None:
        """`upstreams`: how many the proxy has."""
        self._toxics = toxics
        self._kind, self._options = action.kind
        self._outage = outage(self._options, upstreams) if returns(action) else None
        """None: it is no fault that cuts"""
        self._name = f"during-{number}-{self._kind}"
        self._seen: int | None = None
        """of those that it struck; None: it has not begun"""

    async def begin(self) -> tuple[str, Fault | None]:
        """In force from now on; what came of it at once in words, and whom it cut."""
        attributes = _attributes(self._options)
        direction, share = attributes.pop("direction", "down"), attributes.pop("p_connection", 1.0)
        try:
            made = await self._toxics.create(
                self._kind, name=self._name, direction=direction, share=share, **attributes
            )
        except (TargetError, UsageError) as error:
            raise NeverFired(f"{self._kind} did not happen: {error.message}") from error
        struck = made["struck"]
        self._seen = len(struck)
        many = f"{len(struck):,} connection{'s' * (len(struck) != 1)} struck"
        return f"{self._kind}: {many}" if struck else f"{self._kind} is in force", self._fault(struck)

    async def look(self) -> Fault | None:
        """Whom it has cut since the last look; None: nobody, or it is no fault that cuts."""
        if self._seen is None or self._outage is None:
            return None
        try:
            struck = await self._toxics.struck(self._name, self._seen)
        except (TargetError, UsageError) as error:
            raise NeverFired(f"nobody knows whom {self._kind} struck: {error.message}") from error
        self._seen += len(struck)
        return self._fault(struck)

    async def end(self) -> None:
        """Taken away. Raises NeverFired where it never struck."""
        if self._seen is None:
            return
        try:
            shown = await self._toxics.show(self._name)
            await self._toxics.delete(self._name)
        except (TargetError, UsageError) as error:
            raise NeverFired(f"nobody knows what became of {self._kind}: {error.message}") from error
        if (silent := _never_struck(shown)) is not None:
            raise NeverFired(silent)

    def _fault(self, struck: Sequence[dict[str, Any]]) -> Fault | None:
        if not struck or self._outage is None:
            return None
        at = min(one["at"] for one in struck)
        return Fault(
            at=at,
            back_at=at + self._outage,
            within=self._options.within,
            clients=tuple(one["client"] for one in struck if one["client"] is not None),
            ports=tuple(one["port"] for one in struck if one["client"] is None),
        )


async def idle_fault(toxics: "Toxics", options: ChaosServiceSpec) -> str | None:
    """What a service was given from the start and never struck, in words; None: all has.

    Each of its faults has to strike; of a preset one is enough. Raises TargetError where nobody answers.
    """
    shown = {toxic["name"]: toxic for toxic in (await toxics.proxy())["toxics"]}
    for name in named(options.faults, options.preset):
        if (silent := _never_struck(shown[name])) is not None:
            return silent
    names = preset_names(options.preset)
    if names and not any(shown[name]["applied"] for name in names):
        return f"nothing of the preset {options.preset} ever struck"
    return None


def _never_struck(shown: dict[str, Any]) -> str | None:
    if shown["applied"]:
        return None
    matched = shown["matched"]
    met = f"{matched:,} time{'s' * (matched != 1)} it might have" if matched else "it met nothing that it is about"
    return f"{shown['type']} never struck: {met}"


def _attributes(options: Any) -> dict[str, Any]:
    """The fault's own options, as the proxy is told them."""
    if isinstance(options, FlashSpec):
        options = ProxyFlash(percent=options.percent, outage=options.outage)
    return {key: value for key, value in as_attributes(options).items() if key not in _OURS}
