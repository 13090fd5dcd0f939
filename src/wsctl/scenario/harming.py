"""A fault of a chaos proxy during a step: put in force, watched for whom it cuts, taken away, made to answer."""

from typing import TYPE_CHECKING, Any

from wsctl.chaos.asked import as_attributes
from wsctl.chaos.faults.flash import FlashSpec as ProxyFlash
from wsctl.errors import TargetError, UsageError
from wsctl.scenario.actions import NeverFired
from wsctl.scenario.harms import CUTTING
from wsctl.scenario.spec import ActionSpec, FlashSpec
from wsctl.swarm.messages import Fault

if TYPE_CHECKING:
    from wsctl.client.toxics import Toxics

_OURS = ("target", "within", "hold")
"""keys of an action that are not the fault's own"""


class Harm:
    """One fault. `begin`, then `look` now and then, then `end`; all raise NeverFired where the proxy says no."""

    def __init__(self, toxics: "Toxics", action: ActionSpec, number: int) -> None:
        self._toxics = toxics
        self._kind, self._options = action.kind
        self._name = f"during-{number}-{self._kind}"
        self._seen = 0
        """of those that it struck"""

    async def begin(self) -> str:
        """In force from now on; what came of it at once, in words."""
        attributes = _attributes(self._options)
        given = {key: attributes.pop(key) for key in ("direction",) if key in attributes}
        share = attributes.pop("p_connection", 1.0)
        try:
            made = await self._toxics.create(self._kind, name=self._name, share=share, **given, **attributes)
        except (TargetError, UsageError) as error:
            raise NeverFired(f"{self._kind} did not happen: {error.message}") from error
        struck = len(made["struck"])
        return (
            f"{self._kind}: {struck:,} connection{'s' * (struck != 1)} struck"
            if struck
            else f"{self._kind} is in force"
        )

    async def look(self) -> Fault | None:
        """Whom it has cut since the last look; None: nobody, or it is no fault that cuts."""
        if self._kind not in CUTTING and self._kind != "flash":
            return None
        struck = (await self._ask())["struck"][self._seen :]
        self._seen += len(struck)
        if not struck:
            return None
        at = min(one["at"] for one in struck)
        outage = self._options.outage if isinstance(self._options, FlashSpec) else 0.0
        clients = tuple(one["client"] for one in struck if one["client"] is not None)
        return Fault(at=at, back_at=at + outage, within=self._options.within, clients=clients)

    async def end(self) -> None:
        """Taken away. Raises NeverFired where it never struck."""
        shown = await self._ask()
        try:
            await self._toxics.delete(self._name)
        except (TargetError, UsageError) as error:
            raise NeverFired(f"{self._kind} cannot be taken away: {error.message}") from error
        if not shown["applied"]:
            met = f"{shown['matched']:,} messages matched" if shown["matched"] else "nothing matched"
            raise NeverFired(f"{self._kind} never struck: {met}")

    async def _ask(self) -> dict[str, Any]:
        try:
            return await self._toxics.show(self._name)
        except (TargetError, UsageError) as error:
            raise NeverFired(f"nobody knows what became of {self._kind}: {error.message}") from error


def _attributes(options: Any) -> dict[str, Any]:
    """The fault's own options, as the proxy is told them."""
    if isinstance(options, FlashSpec):
        options = ProxyFlash(percent=options.percent, outage=options.outage)
    return {key: value for key, value in as_attributes(options).items() if key not in _OURS}
