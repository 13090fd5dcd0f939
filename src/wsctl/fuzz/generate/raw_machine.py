"""The machine of raw WebSocket conversations: connect, subscribe, say anything, drop and come back."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from wsctl.fuzz.generate import frames, values
from wsctl.fuzz.generate.machine import Conversation, on
from wsctl.fuzz.steps import Steps, Upgrade

QUERIES = ("", "x=1", "streams=", "streams=" + "a/" * 2000, "%00%ff%", "token=")
TEXTS = ("", "x", "{", "[", "ping", "pong", "null", "{}{}", "\x00", "[]]", '{"op":"subscribe"', "\ufeff{}")


class RawMachine(Conversation):
    """A client of an exchange that does not always speak its language."""

    @initialize(begun=st.sampled_from((False, True, True, True)))
    def begin(self, begun: bool) -> None:
        """Most cases are about what happens to somebody who was let in."""
        if begun:
            self.connect()

    @on(None)
    @rule()
    def connect(self) -> None:
        """Open a WebSocket, for the first time or again."""
        self.do(Upgrade())
        self.carrier, self.dialled = "websocket", True

    @on(None)
    @rule(steps=st.one_of(frames.handshakes(QUERIES).map(lambda step: (step,)), frames.noise))
    def intrude(self, steps: Steps) -> None:
        """Knock oddly, make noise."""
        super().intrude(steps)

    @on("websocket")
    @rule(message=st.one_of(values.objects, values.arrays, values.deep, values.long))
    def speak(self, message: str) -> None:
        """Say any JSON."""
        self.say(message)

    @on("websocket")
    @rule(message=st.sampled_from(TEXTS))
    def garble(self, message: str) -> None:
        """Say what is none."""
        self.say(message)
