"""`during` actions: done to a service through its /control, at their times."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import structs

from wsctl.errors import TargetError
from wsctl.scenario.spec import ActionSpec, DisconnectSpec, FlashSpec
from wsctl.swarm.messages import Fault

if TYPE_CHECKING:
    from wsctl.client.control import Control


class NeverFired(Exception):
    """A fault was asked for and did not happen: whatever was measured, it is not what the scenario means."""


async def perform(control: "Control", action: ActionSpec) -> tuple[str, Fault | None]:
    """Do it; answers what came of it in words, and whom it cut, if that was the point.

    Raises NeverFired when the server says no, or when a fault met nobody.
    """
    name, options = action.kind
    try:
        if isinstance(options, FlashSpec):
            body = {"percent": options.percent, "outage": options.outage}
            return await _cut(control, name, body, options.outage, options.within)
        if isinstance(options, DisconnectSpec):
            return await _cut(control, name, {"percent": options.percent, "user": options.user}, 0.0, options.within)
        body = {key: value for key, value in structs.asdict(options).items() if key != "target"}
        await control.post(name, **body)
    except TargetError as error:
        raise NeverFired(f"{name} did not happen: {error.message}") from error
    return f"{name}{_shown(body)}", None


async def _cut(
    control: "Control", name: str, body: Mapping[str, Any], outage: float, within: float
) -> tuple[str, Fault]:
    answer = await control.post(name, **{key: value for key, value in body.items() if value is not None})
    count = answer.get("cut", answer.get("disconnected", 0))
    if not count:
        raise NeverFired(f"{name} met no connection")
    at = answer["at"]
    clients = tuple(client for client in answer["clients"] if client is not None)
    refused = f", new ones refused for {outage:g} s" if outage else ""
    fault = Fault(at=at, back_at=at + outage, within=within, clients=clients)
    return f"{name}: {count:,} connection{'s' * (count != 1)} cut{refused}", fault


def _shown(body: Mapping[str, Any]) -> str:
    texts = [str(value) for key, value in body.items() if key in ("symbol", "price", "user", "title")]
    return f": {' '.join(texts)}" if texts else ""
