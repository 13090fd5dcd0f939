"""What the machines of both kinds of targets share: they collect the steps of a case, which is played once they end.

A rule appends steps and plays nothing: so a case is played by the one Player and judged by the one Oracle, what is
drawn depends on the seed alone and never on what a server did, and shrinking removes steps. The machine knows as much
of a conversation's state as it takes to draw steps that make sense.
"""

import sys
from collections.abc import Callable
from typing import Literal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from wsctl.fuzz.frames import CLOSE
from wsctl.fuzz.generate import frames
from wsctl.fuzz.steps import Case, Cut, Frame, Say, Steps, data

Carrier = Literal["websocket", "polling"]


def on(*carriers: Carrier | None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Only where the conversation is carried so; None: where there is none."""
    return precondition(lambda machine: machine.carrier in carriers)


class Conversation(RuleBasedStateMachine):
    """Steps so far. Derived classes bring rules, and `play`."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: Steps = ()
        self.carrier: Carrier | None = None
        self.dialled = False
        """whether the player may hold a connection"""
        self.muddled = False
        """whether the other side may be waiting for more, and not answer in its own words"""

    def teardown(self) -> None:
        """Play what was collected, unless drawing was given up."""
        if self.steps and sys.exc_info()[0] is None:
            self.play(Case(steps=self.steps, ask="ping" if self.muddled else "session"))

    def play(self, case: Case) -> None:
        """To be brought: what becomes of a case. It raises what Hypothesis is to take for a failure."""
        raise NotImplementedError

    def do(self, *steps: *Steps) -> None:
        """Append steps."""
        self.steps = (*self.steps, *steps)

    def say(self, message: str | bytes, times: int = 1) -> None:
        """Append a message, over whatever carries the conversation."""
        self.do(Say(data=data(message), binary=isinstance(message, bytes), times=times))

    def left(self) -> None:
        """The conversation is over, as far as one can know."""
        self.carrier, self.muddled = None, False

    @on("websocket")
    @rule(steps=frames.offences)
    def offend(self, steps: tuple[Frame | Cut, ...]) -> None:
        """Send frames that are hardly lawful; those that leave the other side waiting are followed by the end."""
        self.do(*steps)
        if isinstance(steps[-1], Cut):
            self.dialled = False
        if isinstance(steps[-1], Cut) or steps[-1].opcode == CLOSE:
            self.left()

    @on("websocket")
    @rule(how=st.sampled_from(("close", "fin", "rst")))
    def drop(self, how: Literal["close", "fin", "rst"]) -> None:
        """End the connection."""
        self.do(Cut(how=how))
        self.left()
        self.dialled = False

    def intrude(self, steps: Steps) -> None:
        """Steps that are no conversation's, on a connection of their own."""
        if self.dialled:
            self.do(Cut(how="rst"))
        self.do(*steps)
        self.dialled = not isinstance(steps[-1], Cut)
