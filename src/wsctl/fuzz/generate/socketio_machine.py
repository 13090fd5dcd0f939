"""The machine of Socket.IO conversations: connect, join, subscribe, emit, acknowledge, upgrade, drop and come back."""

from typing import Literal

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from wsctl.fuzz.generate import frames, packets, values
from wsctl.fuzz.generate.machine import Conversation, on
from wsctl.fuzz.steps import Await, Frame, Join, Open, Request, Steps, Upgrade, data

QUERIES = (
    *("EIO=4&transport=websocket", "EIO=3&transport=websocket", "EIO=4&transport=x", "transport=websocket", ""),
    *("EIO=4&transport=websocket&sid=none", "EIO=4&EIO=3&transport=polling&transport=websocket", "EIO=٣", "&=&&"),
    *("EIO=4&transport=websocket&sid=__proto__", "EIO=4&transport=websocket&sid=" + "a" * 5000, "%00%ff%", "sid={sid}"),
)
LIVE = "EIO=4&transport=websocket&sid={sid}"
PROBE_SECONDS = 1.0
requests = st.builds(
    lambda method, query, headers, body: (
        Request(method=method, query=query, headers=tuple(headers), body=data(body)),
    ),
    st.sampled_from(frames.METHODS),
    st.sampled_from(QUERIES),
    st.lists(st.sampled_from(frames.HEADERS), max_size=1),
    st.sampled_from(packets.ENGINEIO),
)


class SocketIOMachine(Conversation):
    """A client that knows the protocol and does not always keep to it."""

    def __init__(self) -> None:
        super().__init__()
        self.joined = False

    def left(self) -> None:
        """Its session is gone too."""
        super().left()
        self.joined = False

    @initialize(begun=st.sampled_from((False, True, True, True)))
    def begin(self, begun: bool) -> None:
        """Most cases are about what happens to somebody who was let in."""
        if begun:
            self.join()

    @on(None, "polling")
    @rule(carrier=st.sampled_from(("websocket", "polling")))
    def connect(self, carrier: Literal["websocket", "polling"]) -> None:
        """Open a session, for the first time or again."""
        self.do(Open(carrier=carrier))
        self.left()
        self.carrier, self.dialled = carrier, True

    @precondition(lambda self: self.carrier is not None or not self.dialled)
    @precondition(lambda self: not self.joined)
    @rule()
    def join(self) -> None:
        """Join the namespace, in a session that the step opens where there is none."""
        self.do(Join())
        self.carrier = self.carrier or "websocket"
        self.dialled = self.joined = True

    @precondition(lambda self: self.joined)
    @rule(
        event=packets.subscribing,
        names=values.subscriptions,
        id=packets.identifiers,
    )
    def subscribe(self, event: str, names: str, id: str) -> None:
        """Ask for channels, or give them up."""
        self.say(f'42{id}["{event}",{names}]')

    @precondition(lambda self: self.joined)
    @rule(events=st.lists(packets.events, min_size=1, max_size=3))
    def emit(self, events: list[str]) -> None:
        """Send events, which is what most clients do most."""
        for event in events:
            self.say(event)

    @precondition(lambda self: self.joined)
    @rule(packet=packets.acknowledgements)
    def acknowledge(self, packet: str) -> None:
        """Acknowledge what may never have come."""
        self.say(packet)

    @precondition(lambda self: self.joined)
    @rule(
        claimed=packets.claimed,
        name=packets.names,
        arguments=values.arguments,
        attached=packets.attached,
    )
    def attach(self, claimed: int, name: str, arguments: list[str], attached: list[bytes]) -> None:
        """Send an event with binary attachments, as many as it says or not."""
        self.say(packets.binary_event(claimed, name, arguments))
        for content in attached:
            self.say(content)
        self.muddled |= claimed != len(attached)

    @precondition(lambda self: self.joined)
    @rule(namespace=st.sampled_from(packets.NAMESPACES))
    def leave(self, namespace: str) -> None:
        """Leave the namespace, or another."""
        self.say(f"41{namespace}")
        self.joined = self.joined and bool(namespace)

    @on("websocket", "polling")
    @rule(packet=packets.packets)
    def garble(self, packet: str) -> None:
        """Say what is hardly a packet."""
        self.say(packet)
        self.muddled |= packet.startswith(("45", "46"))

    @on("websocket", "polling")
    @rule(packet=packets.short, times=st.sampled_from((2, 5, 20)))
    def flood(self, packet: str, times: int) -> None:
        """Say the same, so often at once; more than that is for probes, which have the time."""
        self.say(packet, times)

    @on("polling")
    @rule(probed=st.booleans(), packet=st.sampled_from(("5", "2probe", "", "6", "42[]", "1")))
    def upgrade(self, probed: bool, packet: str) -> None:
        """Go on over a WebSocket: as it is right, or without asking first whether it works."""
        self.do(Upgrade(query=LIVE))
        if probed:
            self.do(Frame(data=data("2probe")), Await(prefix="3probe", seconds=PROBE_SECONDS))
        self.do(Frame(data=data(packet)))
        self.carrier = "websocket"
        self.muddled |= not (probed and packet == "5")

    @on(None, "polling")
    @rule(steps=st.one_of(frames.handshakes(QUERIES).map(lambda step: (step,)), requests, frames.noise))
    def intrude(self, steps: Steps) -> None:
        """Knock oddly, ask for what is none of a session, make noise."""
        super().intrude(steps)
        self.left()
