"""The machine of raw WebSocket conversations: connect, subscribe, say anything, drop and come back."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from wsctl.fuzz.generate import frames, values
from wsctl.fuzz.generate.machine import Conversation, on
from wsctl.fuzz.steps import Upgrade

TEXTS = ("", "x", "{", "[", "ping", "pong", "null", "{}{}", "\x00", "[]]", '{"op":"subscribe"', "\ufeff{}")


class RawMachine(Conversation):
    """A client of an exchange that does not always speak its language."""

    @on(None)
    @rule()
    def connect(self) -> None:
        """Open a WebSocket, for the first time or again."""
        self.do(Upgrade())
        self.carrier, self.dialled = "websocket", True

    @on(None)
    @rule(handshake=frames.handshakes(("", "x=1", "streams=", "streams=" + "a/" * 2000, "%00%ff%", "token=")))
    def knock(self, handshake: Upgrade) -> None:
        """Open a WebSocket, hardly as it is right."""
        self.do(handshake)
        self.dialled = True

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
