"""A fault of a chaos proxy during a step: put in force, watched for whom it cuts, taken away, made to answer."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from wsctl.chaos.asked import as_attributes
from wsctl.chaos.faults.flash import FlashSpec as ProxyFlash
from wsctl.clock import Clock
from wsctl.errors import TargetError, UsageError
from wsctl.scenario.actions import NeverFired
from wsctl.scenario.harms import BOUNDING, last_strike, named, outage, preset_names, silences
from wsctl.scenario.spec import ActionSpec, ChaosServiceSpec, FlashSpec, returns
from wsctl.spec.units import write_duration
from wsctl.swarm.messages import Fault

if TYPE_CHECKING:
    from wsctl.client.toxics import Toxics

_OURS = ("target", "within", "hold")
"""keys of an action that are not the fault's own"""
INSTANT = 0.001
"""seconds: strikes that are no further apart are one, of whoever was there at the first of them"""
LATE = 1.0
"""seconds by which timers may delay strikes that a step was made long enough for"""

Strike = dict[str, Any]
"""`{"conn", "client", "port", "at"}`"""


class Harm:
    """One fault. `begin`, then `look` now and then, then `end`; all raise NeverFired where the proxy says no.

    Those whom it cuts are told as Faults to `tell`, but for those whom it strikes so late that the step is over before
    they had their time to be back.
    """

    def __init__(
        self,
        toxics: "Toxics",
        action: ActionSpec,
        *,
        name: str,
        upstreams: int,
        ends_at: float,
        clock: Clock,
        tell: Callable[[Fault], Awaitable[None]],
    ) -> None:
        """`upstreams`: how many the proxy has; `ends_at`: when the step does, in unix seconds."""
        self._toxics = toxics
        self._kind, self._options = action.kind
        self._upstreams = upstreams
        self._cuts = returns(action)
        self._name = name
        self._ends_at = ends_at
        self._clock = clock
        self._tell = tell
        self._last = ends_at
        """unix seconds: who is struck later is not counted"""
        self._seen: int | None = None
        """of those that it struck; None: it has not begun"""
        self._told = 0
        """of these"""

    async def begin(self) -> str:
        """In force from now on; what came of it at once, in words."""
        attributes = _attributes(self._options)
        direction, share = attributes.pop("direction", "down"), attributes.pop("p_connection", 1.0)
        try:
            made = await self._toxics.create(
                self._kind, name=self._name, direction=direction, share=share, **attributes
            )
        except (TargetError, UsageError) as error:
            raise NeverFired(f"{self._kind} did not happen: {error.message}") from error
        if self._cuts:
            needed = self._outage + self._options.within + self._options.hold
            first_round = self._clock.now() + last_strike(self._options, self._upstreams) + LATE
            self._last = max(first_round, self._ends_at - needed)
        struck = made["struck"]
        self._seen = len(struck)
        await self._tell_of(struck)
        many = f"{len(struck):,} connection{'s' * (len(struck) != 1)} struck"
        return f"{self._kind}: {many}" if struck else f"{self._kind} is in force"

    async def look(self) -> None:
        """Tell whom it has cut since the last look; of a fault that does not cut, nobody."""
        if self._seen is not None and self._cuts:
            await self._tell_of(await self._ask())

    async def end(self) -> None:
        """Taken away. Raises NeverFired where it never struck."""
        if self._seen is None:
            return
        try:
            if self._cuts:
                await self._ask()  # nobody counts any more: those are left out
            shown = await self._toxics.show(self._name)
            await self._toxics.delete(self._name)
        except (TargetError, UsageError) as error:
            raise NeverFired(f"nobody knows what became of {self._kind}: {error.message}") from error
        if (silent := _never_struck(shown)) is not None:
            raise NeverFired(silent)

    def left_out(self) -> str | None:
        """Whom it cut so late that nobody was told, in words, once it has ended; None: nobody."""
        left_out = (self._seen or 0) - self._told
        if not self._cuts or not left_out:
            return None
        within, hold = write_duration(self._options.within), write_duration(self._options.hold)
        return (
            f"{left_out:,} connection{'s' * (left_out != 1)} struck by {self._kind} "
            f"{'is' if left_out == 1 else 'are'} not counted: "
            f"the step ended before the time to be back (within {within}, hold {hold}) was over"
        )

    @property
    def _outage(self) -> float:
        return outage(self._options, self._upstreams)

    async def _ask(self) -> list[Strike]:
        """Whom it struck since the last time."""
        assert self._seen is not None, "it has begun"
        try:
            struck = await self._toxics.struck(self._name, self._seen)
        except (TargetError, UsageError) as error:
            raise NeverFired(f"nobody knows whom {self._kind} struck: {error.message}") from error
        self._seen += len(struck)
        return struck

    async def _tell_of(self, struck: Sequence[Strike]) -> None:
        """Nobody who joined between two strikes was there at the first, so that each instant is a Fault by itself."""
        if not self._cuts:
            return
        for strikes in _by_instant([one for one in struck if one["at"] <= self._last]):
            await self._tell(self._fault(strikes))
            self._told += len(strikes)

    def _fault(self, strikes: Sequence[Strike]) -> Fault:
        at = strikes[0]["at"]
        return Fault(
            at=at,
            back_at=at + self._outage,
            within=self._options.within,
            clients=tuple(one["client"] for one in strikes if one["client"] is not None),
            ports=tuple(one["port"] for one in strikes if one["client"] is None),
            silent=silences(self._options),
        )


def _by_instant(struck: Sequence[Strike]) -> Iterator[list[Strike]]:
    """Those of each INSTANT, the first one first."""
    strikes: list[Strike] = []
    for one in sorted(struck, key=lambda one: one["at"]):
        if strikes and one["at"] - strikes[0]["at"] > INSTANT:
            yield strikes
            strikes = []
        strikes.append(one)
    if strikes:
        yield strikes


async def idle_fault(toxics: "Toxics", options: ChaosServiceSpec) -> str | None:
    """What a service was given from the start and never struck, in words; None: all has.

    Each of its faults has to strike (see BOUNDING); of a preset one is enough. Raises TargetError where nobody answers.
    """
    shown = {toxic["name"]: toxic for toxic in (await toxics.proxy())["toxics"]}
    for name in named(options.faults, options.preset):
        if (silent := _never_struck(shown[name])) is not None:
            return silent
    names = preset_names(options.preset)
    if names and all(_never_struck(shown[name]) for name in names):
        return f"nothing of the preset {options.preset} ever struck"
    return None


def _never_struck(shown: dict[str, Any]) -> str | None:
    """In words; None: it did, or could have, where who behaves well is not struck."""
    matched = shown["matched"]
    if shown["applied"] or (matched and shown["type"] in BOUNDING):
        return None
    met = f"{matched:,} time{'s' * (matched != 1)} it might have" if matched else "it met nothing that it is about"
    return f"{shown['type']} never struck: {met}"


def _attributes(options: Any) -> dict[str, Any]:
    """The fault's own options, as the proxy is told them."""
    if isinstance(options, FlashSpec):
        options = ProxyFlash(percent=options.percent, outage=options.outage)
    return {key: value for key, value in as_attributes(options).items() if key not in _OURS}
