"""A subscribe step: one client, as `wsctl subscribe` has it, or a swarm of them."""

from wsctl.client.target import Target
from wsctl.errors import WsctlError
from wsctl.model.metrics import METRICS
from wsctl.scenario.spec import StepSpec, SubscribeSpec
from wsctl.scenario.steps.kind import Context, Outcome
from wsctl.scenario.steps.listening import (
    is_cut,
    listen,
    measured_by_one,
    reconnect_of,
    recovery_of,
    watch_options,
    without,
)
from wsctl.swarm import messages
from wsctl.swarm.options import SwarmOptions
from wsctl.swarm.remote import RemoteSwarm

_TAPES = ("tape.", "replay.")
_FUZZ = ("fuzz.", "canary.")
_LOADS = ("connect.", "acks.time.", "generator.lost", "target.", "connections.limit")
_SOLO = ("silence.", "staleness.", "clock.")
_NOT_BY_MANY = (*_TAPES, *_LOADS, *_FUZZ, *_SOLO, "ordering.time_inversions", "connections.polling")
MEASURED_BY_MANY = frozenset(name for name in METRICS if not name.startswith(_NOT_BY_MANY))


class SubscribeStep:
    """`wsctl subscribe` as a step."""

    def measures(self, step: StepSpec) -> frozenset[str]:
        """By one client or by many; reconnection where somebody is cut, limits where there are users."""
        options = _options(step)
        if options.clients is None:
            return measured_by_one(step)
        measured = MEASURED_BY_MANY
        if options.user is None and not options.users:
            measured = without(measured, "limit.")
        return measured if is_cut(step) else without(measured, "reconnect.")

    def seconds(self, step: StepSpec) -> float:
        """How long it listens, and how long the clients take to set out."""
        options = _options(step)
        return options.duration + (options.clients or 0) / options.connect_rate

    async def run(self, step: StepSpec, context: Context) -> Outcome:
        """Listen."""
        options = _options(step)
        if options.clients is not None:
            return await _swarm(swarm_options(step, context), context)
        _, outcome = await listen(watch_options(options, context.target), step, context)
        return outcome


def swarm_options(step: StepSpec, context: Context) -> SwarmOptions:
    """The options of the swarm that a step's options mean."""
    options = _options(step)
    users = options.users or ((options.user,) if options.user else ())
    target: Target = context.target
    return SwarmOptions(
        target=target,
        clients=options.clients or 1,
        subscriptions=tuple(watch_options(options, target).subscriptions()),
        spread=options.spread,
        tokens=tuple(context.tokens[user] for user in users),
        users=users,
        connect_rate=options.connect_rate,
        duration=options.duration,
        warmup=options.warmup,
        reconnect=reconnect_of(options.reconnect),
        resubscribe=options.reconnect.resubscribe,
        format=options.format,
        slow=options.slow,
        slow_for=options.slow_for,
        **recovery_of(step),
    )


async def _swarm(options: SwarmOptions, context: Context) -> Outcome:
    """Many clients, in a process of their own."""
    async with RemoteSwarm(options) as swarm:
        context.on_fault = swarm.fault
        async for message in swarm:
            match message:
                case messages.Settled():
                    context.measuring()
                    context.progress(message.metrics)
                case messages.Progress():
                    context.progress(message.metrics)
                case messages.Done():
                    context.measured()
                    return Outcome(
                        metrics=dict(message.metrics),
                        saturated=message.saturated,
                        findings=message.findings,
                        notes=message.notes,
                        observations=message.samples,
                    )
    raise WsctlError("the swarm ended without a result")


def _options(step: StepSpec) -> SubscribeSpec:
    assert step.subscribe is not None
    return step.subscribe
