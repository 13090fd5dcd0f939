"""What steps with one client share: the client that `wsctl subscribe` uses, and everything that it measures."""

import random
import time
import uuid
from collections import deque
from collections.abc import Iterable
from typing import Any

from msgspec import structs

from wsctl.client.target import Reconnect, Target
from wsctl.errors import Gone, Refused, Unserved
from wsctl.model.finding import Verdict
from wsctl.model.lifecycle import Lifecycle, Stage
from wsctl.model.observation import Observation
from wsctl.scenario.spec import ReconnectSpec, StepSpec, SubscribeSpec, WatchSpec, returns
from wsctl.scenario.steps.kind import Context, Outcome
from wsctl.spec.units import write_duration
from wsctl.swarm.messages import Fault
from wsctl.watch.measures import CLIENT, MEASURED, Measures
from wsctl.watch.options import WatchOptions
from wsctl.watch.watching import Watching
from wsctl.wire.dialects import spoken

OBSERVATIONS_KEPT = 10_000
"""the latest, for evidence"""
PROGRESS_INTERVAL = 0.25
"""seconds"""


MEASURED_BY_ONE = MEASURED | {"server.cpu", "server.rss"}


def watch_options(spec: WatchSpec, target: Target) -> WatchOptions:
    """The options of the engine that a step's options mean."""
    subscribing = spec if isinstance(spec, SubscribeSpec) else None
    if subscribing is not None and subscribing.format != "full":
        target = structs.replace(target, auth={**(target.auth or {}), "format": subscribing.format})
    return WatchOptions(
        target=target,
        symbols=spec.symbols,
        channels=spec.channels,
        events=spec.events,
        bots=subscribing is not None and subscribing.bots,
        notifications=subscribing is not None and subscribing.notifications,
        max_silence=subscribing.max_silence if subscribing is not None else None,
        seq_path=spec.seq_path,
        time_path=spec.time_path,
        channel_path=spec.channel_path,
        duration=spec.duration,
        reconnect=reconnect_of(spec.reconnect),
    )


def reconnect_of(spec: ReconnectSpec) -> Reconnect:
    """The client's own options."""
    return spec.options()


def measured_by_one(step: StepSpec) -> frozenset[str]:
    """The metrics of one client; those of reconnection where something cuts it off."""
    return MEASURED_BY_ONE if is_cut(step) else without(MEASURED_BY_ONE, "reconnect.")


def without(measured: Iterable[str], *families: str) -> frozenset[str]:
    """All metrics but those of some families."""
    return frozenset(name for name in measured if not name.startswith(families))


def is_cut(step: StepSpec) -> bool:
    """Whether something of `during` ends connections."""
    return any(returns(action) for action in step.during)


async def listen(options: WatchOptions, step: StepSpec, context: Context) -> tuple[Measures, Outcome]:
    """Watch until the time is up. Raises what a Feed raises; a refusal and a loss for good are measured instead.

    Silence past max_silence is a failure, whatever was expected.
    """
    client_id = uuid.uuid4().hex
    measures = Measures(context.clock, spoken(options.target.dialect), **recovery_of(step))
    kept: deque[Observation] = deque(maxlen=OBSERVATIONS_KEPT)

    async def on_fault(fault: Fault) -> None:
        is_cut = client_id in fault.clients or any(watching.feed.ports.at(fault.ports, fault.at))
        cut = [CLIENT] if is_cut else []
        measures.reconnection.fault(fault.at, fault.back_at, cut, fault.within, silent=fault.silent)

    context.on_fault = on_fault
    reason = None
    watching = Watching(options, context.clock, random.Random(), client_id=client_id)  # noqa: S311 (spreads attempts)
    told_at = 0.0
    try:
        async with watching:
            async for item in watching:
                measures.add(item)
                if isinstance(item, Observation):
                    kept.append(item)
                    if (now := time.monotonic()) - told_at > PROGRESS_INTERVAL:
                        told_at = now
                        context.progress(measures.metrics())
                elif _is_start(item):
                    context.measuring()
    except (Refused, Unserved) as error:
        measures.refused(error)
        reason = error.message
    except Gone as error:
        reason = error.message
    measures.longest_silence = watching.longest_silence
    measures.close()
    verdict = None
    if watching.silent:
        assert options.max_silence is not None
        limit = write_duration(options.max_silence)
        verdict, reason = Verdict.FAIL, f"nothing came on {', '.join(watching.silent)} for {limit} (max_silence)"
    outcome = Outcome(
        metrics=measures.metrics(),
        verdict=verdict,
        reason=reason,
        findings=tuple(measures.findings),
        notes=measures.notes(),
        observations=tuple(kept),
    )
    return measures, outcome


def recovery_of(step: StepSpec) -> dict[str, Any]:
    """H of the step's faults, which share it."""
    first = next((action.kind[1] for action in step.during if returns(action)), None)
    return {} if first is None else {"recovery_hold": first.hold}


def _is_start(item: Lifecycle) -> bool:
    return item.stage is Stage.SUBSCRIBED
