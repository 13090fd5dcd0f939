"""Which machine draws a target's cases."""

from collections.abc import Sequence

from hypothesis.stateful import rule

from wsctl.fuzz.generate import corpus, mutate
from wsctl.fuzz.generate.machine import Conversation, on
from wsctl.fuzz.generate.raw_machine import RawMachine
from wsctl.fuzz.generate.socketio_machine import SocketIOMachine
from wsctl.fuzz.options import FuzzOptions
from wsctl.fuzz.steps import Say
from wsctl.wire.dialect import Frame
from wsctl.wire.dialects import spoken


def machine_for(options: FuzzOptions) -> type[Conversation]:
    """By the target's dialect and what was recorded. Raises UsageError for tapes that cannot be read."""
    dialect = spoken(options.target.dialect)
    raw = dialect is not None and dialect.over == "websocket"
    meant = [] if dialect is None else corpus.spoken_by(dialect, options.target)
    meant += corpus.recorded(options.corpus, engineio=not raw)
    machine: type[Conversation] = RawMachine if raw else SocketIOMachine
    return mutating(machine, meant) if meant else machine


def mutating(machine: type[Conversation], messages: Sequence[Frame]) -> type[Conversation]:
    """With a rule that says these, as they are or mutated."""

    class Mutating(machine):  # type: ignore[valid-type, misc]
        @on("websocket", "polling")
        @rule(message=mutate.said(messages))
        def mutate(self, message: Say) -> None:
            """Say what was meant, or nearly that."""
            self.do(message)

    return Mutating
