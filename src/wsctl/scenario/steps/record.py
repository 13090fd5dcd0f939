"""A record step: one client, all that it hears and says on tape; and what the tape says, measured by reading it."""

import asyncio
import random
from collections.abc import Iterator
from heapq import merge
from pathlib import Path
from typing import Any

from wsctl.errors import Gone, Refused, Unserved
from wsctl.model.lifecycle import Lifecycle, Stage
from wsctl.model.observation import Observation
from wsctl.scenario.spec import RecordSpec, StepSpec
from wsctl.scenario.steps.kind import Context, Outcome
from wsctl.scenario.steps.listening import MEASURED_BY_ONE, reconnect_of, without
from wsctl.tape.deck import Deck, DeckOptions
from wsctl.tape.observing import left_out, observed
from wsctl.tape.opening import opened
from wsctl.tape.reading import Reading
from wsctl.tape.recorder import Recorder
from wsctl.watch.measures import Measures
from wsctl.watch.options import WatchOptions
from wsctl.wire.dialects import spoken

_NOT_ON_TAPE = ("latency.", "reconnect.", "silence.")
"""whose clocks wrote the times, whom a fault cut, and what should have spoken, a tape cannot say"""
MEASURED = without(MEASURED_BY_ONE, *_NOT_ON_TAPE) | {"messages.bytes", "tape.records", "tape.bytes"}


class RecordStep:
    """`wsctl record` as a step."""

    def measures(self, step: StepSpec) -> frozenset[str]:
        """What a reader of the tape can tell, and the tape itself."""
        return MEASURED

    def seconds(self, step: StepSpec) -> float:
        """How long it records."""
        return _options(step).duration

    async def run(self, step: StepSpec, context: Context) -> Outcome:
        """Record, then read. A refusal and a loss for good are measured; raises UsageError for a tape in the way."""
        options = _options(step)
        recorder, path = _recorder(options, context)
        measures = Measures(context.clock, spoken(context.target.dialect))
        stages: list[Lifecycle] = []
        reason = None
        try:
            async with recorder:
                async for stage in recorder:
                    stages.append(stage)
                    if stage.stage is Stage.SUBSCRIBED:
                        context.measuring()
        except (Refused, Unserved) as error:
            measures.refused(error)
            reason = error.message
        except Gone as error:
            reason = error.message
        size, unread = 0, list[str]()
        if recorder.deck.records:
            size, unread = await asyncio.to_thread(_read, path, stages, measures)
        return Outcome(
            metrics={**_on_tape(measures), **_tape(recorder.deck), "messages.bytes": size},
            reason=reason,
            findings=tuple(measures.findings),
            notes=(*measures.notes(), *unread),
        )


def _recorder(options: RecordSpec, context: Context) -> tuple[Recorder, Path]:
    path = context.files.run / options.file
    reconnect = reconnect_of(options.reconnect)
    asked = WatchOptions(target=context.target, symbols=options.symbols, channels=options.channels, reconnect=reconnect)
    recorder = Recorder(
        context.target,
        asked.subscriptions(),
        DeckOptions(path=path),
        context.clock,
        random.Random(),  # noqa: S311 (spreads attempts)
        reconnect=reconnect,
        duration=options.duration,
    )
    return recorder, path


def _read(path: Path, stages: list[Lifecycle], measures: Measures) -> tuple[int, list[str]]:
    """Let what is on the tape, and what became of the connection meanwhile, be measured.

    Answers the bytes of data, and notes on what could not be read, which are errors.
    """
    size = 0
    notes: list[str] = []

    def messages() -> Iterator[tuple[float, Observation]]:
        nonlocal size
        with opened([path]) as recording:
            dialect = spoken(recording.header.dialect)
            reading = Reading(dialect, recording.header)
            for frame in recording:
                events = reading.events(frame, recording.place)
                if events and frame.frame is not None:
                    size += len(frame.frame if isinstance(frame.frame, bytes) else frame.frame.encode())
                at = recording.header.unix_seconds(frame.at_ns)
                yield from ((at, observed(event, frame.conn, at)) for event in events)
            measures.malformed(reading.malformed_count + (recording.truncated is not None))
            notes.extend(note for note in (left_out(reading, dialect), recording.truncated) if note is not None)

    told: Iterator[tuple[float, Any]] = ((stage.at, stage) for stage in stages)
    for _, item in merge(told, messages(), key=lambda pair: pair[0]):
        measures.add(item)
    measures.close()
    return size, notes


def _on_tape(measures: Measures) -> dict[str, float]:
    return {name: value for name, value in measures.metrics().items() if not name.startswith(_NOT_ON_TAPE)}


def _tape(deck: Deck) -> dict[str, float]:
    return {"tape.records": deck.records, "tape.bytes": deck.size}


def _options(step: StepSpec) -> RecordSpec:
    assert step.record is not None
    return step.record
