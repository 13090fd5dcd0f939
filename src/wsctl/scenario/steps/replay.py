"""A replay step: a recorded feed, played into a target to its end."""

import math
from functools import partial

from msgspec import structs

from wsctl.client.target import Target
from wsctl.scenario.spec import ReplaySpec, StepSpec
from wsctl.scenario.speech import dialect_of
from wsctl.scenario.steps.kind import Context, Outcome
from wsctl.tape.contents import contents_of
from wsctl.tape.opening import opened
from wsctl.tape.outputs.targets import normalised, target_for
from wsctl.tape.player import Player
from wsctl.wire.dialects import spoken


class ReplayStep:
    """`wsctl replay --to` as a step."""

    def measures(self, step: StepSpec) -> frozenset[str]:
        """What was played, and how punctually."""
        late = {f"replay.schedule_error.{name}" for name in ("p50", "p95", "p99", "max")}
        measured = frozenset({"replay.frames", "replay.sent", "server.cpu", "server.rss"})
        return measured if _options(step).speed == "max" else measured | late

    def seconds(self, step: StepSpec) -> float | None:
        """As long as the tape, which may not be recorded yet."""
        return None

    async def run(self, step: StepSpec, context: Context) -> Outcome:
        """Play it. Raises TargetError when the target is not there or goes, UsageError for what cannot be played."""
        options = _options(step)
        tapes = [context.files.find(name) for name in options.tape]
        dialect = spoken(dialect_of(options, context.files.scenario, tapes))
        if options.restamp:
            with opened(tapes) as recording:
                contents_of(recording, dialect, restamp=True)
        player = Player(
            partial(opened, tapes),
            dialect,
            speed=math.inf if options.speed == "max" else options.speed,
            since=options.since,
            until=math.inf if options.until is None else options.until,
            restamp=options.restamp,
            clock=context.clock,
        )
        output = target_for(_target(options, context.target), dialect)
        context.measuring()
        try:
            await player.play(output)
        finally:
            await output.close()
        metrics = {"replay.frames": player.frames, "replay.sent": output.sent}
        return Outcome(metrics=metrics | player.schedule.metrics("replay.schedule_error"), notes=(output.summary,))


def _target(options: ReplaySpec, target: Target) -> Target:
    return target if options.url is None else structs.replace(target, url=normalised(options.url))


def _options(step: StepSpec) -> ReplaySpec:
    assert step.replay is not None
    return step.replay
