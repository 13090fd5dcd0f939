"""Which machine draws a target's cases."""

from collections.abc import Sequence

from hypothesis import strategies as st
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
    spoken_by = [] if dialect is None else corpus.spoken_by(dialect, options.target)
    meant = [group for group in (corpus.recorded(options.corpus, engineio=not raw), spoken_by) if group]
    machine: type[Conversation] = RawMachine if raw else SocketIOMachine
    return mutating(machine, meant) if meant else machine


def mutating(machine: type[Conversation], groups: Sequence[Sequence[Frame]]) -> type[Conversation]:
    """With a rule that says messages of these groups, as they are or mutated."""

    class Mutating(machine):  # type: ignore[valid-type, misc]
        @on("websocket", "polling")
        @rule(messages=st.lists(mutate.said(groups), min_size=1, max_size=3))
        def mutate(self, messages: list[Say]) -> None:
            """Say what was meant, or nearly that."""
            self.do(*messages)

    return Mutating
