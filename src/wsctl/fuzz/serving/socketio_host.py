"""SocketioHost: Engine.IO, over long-polling or a WebSocket, and Socket.IO on it, as a lawful server speaks them."""

from typing import Final

import msgspec
from msgspec import structs

from wsctl.clock import Clock
from wsctl.errors import WireError
from wsctl.fuzz.ending import Unfit
from wsctl.fuzz.probe import Needs
from wsctl.fuzz.serving.host import ANSWER_TIMEOUT, ASKING_TIME, pongs
from wsctl.fuzz.serving.visit import Visit
from wsctl.fuzz.steps import BEYOND, Data, Run
from wsctl.server.handshake import Refusal
from wsctl.wire import engineio, socketio
from wsctl.wire.engineio import MAX_PACKETS_SENT, Handshake

JOIN_TIMEOUT = 5.0
"""seconds for a client to join"""
MAX_WAITING = 100
"""packets that wait for a poll"""
PING_INTERVAL, PING_TIMEOUT, MAX_PAYLOAD = 25_000, 20_000, 1_000_000
"""as Socket.IO's servers have them: milliseconds, milliseconds, bytes"""
SYMBOLS: Final = ("BTC/USDT",)
"""whose prices those are told who asked for none"""


class SocketioHost:
    """Engine.IO, and Socket.IO on it. It begins with long-polling or on a WebSocket, and may go over to one."""

    def __init__(self, sid: str, clock: Clock) -> None:
        self.sid = sid
        self.over = False
        self._clock = clock
        self._engine = engineio.ServerSession(sid)
        self._socket = socketio.ServerSession()
        self._opened = False
        """whether the client was told of its session"""
        self._poll: Visit | None = None
        """that asked, and has no answer"""
        self._waiting: list[engineio.Frame] = []
        self._visit: Visit | None = None
        """the WebSocket that it is on"""
        self._namespace: str | None = None
        self._symbols: tuple[str, ...] = SYMBOLS
        self._events = 0
        """that it sent"""
        self._pongs = 0
        self._seq = 0

    @property
    def polling(self) -> bool:
        """Whether the client joined, and stays with long-polling."""
        return self._visit is None and self._namespace is not None and not self.over

    # Long-polling

    def open_packet(self) -> str:
        """What begins a session."""
        self._opened = True
        upgrades = ["websocket"] if self._visit is None else []  # to where it is already no client goes
        handshake = Handshake(self.sid, upgrades, PING_INTERVAL, PING_TIMEOUT, MAX_PAYLOAD)
        return "0" + msgspec.json.encode(handshake).decode()

    def poll(self, visit: Visit) -> None:
        """Answer a poll, now or as soon as there is something to say."""
        self._poll = visit
        self._answer_poll()

    def post(self, body: bytes) -> None:
        """Take in what a client posts. Raises WireError."""
        for packet in engineio.decode_payload(body.decode("utf-8", "replace")):
            self._take(packet)

    def _answer_poll(self) -> None:
        visit = self._poll
        if visit is None or not (self._waiting or self._engine.probed):
            return
        self._poll = None
        packets, self._waiting = self._waiting[:MAX_PACKETS_SENT], self._waiting[MAX_PACKETS_SENT:]
        visit.answer(200, engineio.encode_payload(packets or ["6"]).encode(), "text/plain; charset=UTF-8")

    # WebSocket

    def listen(self, visit: Visit) -> None:
        """Over a WebSocket; where the session began with polling, it goes over to it in its time."""
        visit.on_message = lambda message: self._hear(visit, message)
        if not self._opened:
            self._visit = visit

    def begin(self, visit: Visit) -> None:
        """Tell of the session, where that was not done over polling."""
        self.listen(visit)
        if not self._opened:
            visit.say_now(self.open_packet())

    async def settle_in(self, visit: Visit, needs: Needs) -> None:
        """Joined, subscribed, and given two prices."""
        await visit.until(lambda: self._visit is visit and self._namespace is not None, JOIN_TIMEOUT)
        if self._namespace is None and needs == "socketio":
            raise Unfit("the client left before it joined" if visit.ended else "the client joined no namespace")
        await visit.until(lambda: self._events > 0, ASKING_TIME)
        for _ in range(2):
            self._tell_price()
        if not await self.answers(visit, ANSWER_TIMEOUT):
            raise Unfit("the client left" if visit.ended else "the client answers no heartbeat")

    async def answers(self, visit: Visit, within: float) -> bool:
        """By Engine.IO's heartbeat, where a session is open."""
        if not (self._visit is visit and self._opened):
            return await pongs(visit, within)
        before = self._pongs
        visit.say_now("2")
        return await visit.until(lambda: self._pongs > before or visit.left, within) and not visit.left

    def filled(self, content: Data) -> Data:
        """With the session's id, the namespace that was joined, and as long as a message may be."""
        namespace = "" if self._namespace in (None, "/") else f"{self._namespace},"

        def text(run: Run) -> str:
            return run.text.replace("{sid}", self.sid).replace("{nsp}", namespace)

        return tuple(
            structs.replace(run, text=text(run), times=MAX_PAYLOAD if run.times == BEYOND else run.times)
            for run in content
        )

    def keep(self) -> None:
        """A price, and a heartbeat."""
        self._tell_price()
        self._send("2")

    def forget(self) -> None:
        """Whoever polls is told that there is no such session."""
        self.over = True
        if self._poll is not None:
            self._poll.answer(400, Refusal.UNKNOWN_SID.body())
            self._poll = None

    def _hear(self, visit: Visit, message: engineio.Frame) -> None:
        try:
            if self._visit is visit:
                self._take(engineio.decode(message))
            else:
                self._take_probe(visit, engineio.decode(message))
        except WireError:
            pass  # what is judged is how a client ends, not what it says to what it was sent

    def _take_probe(self, visit: Visit, packet: engineio.Packet) -> None:
        match self._engine.receive_on_candidate(packet):
            case engineio.Probed(answer):
                visit.say_now(engineio.encode(answer))
                self._answer_poll()
            case engineio.Upgraded():
                self._visit = visit
                waiting, self._waiting = self._waiting, []
                for one in waiting:
                    visit.say_now(one)

    def _take(self, packet: engineio.Packet) -> None:
        match self._engine.receive(packet):
            case engineio.Message(content):
                self._take_message(content)
            case engineio.Ponged():
                self._pongs += 1
            case engineio.Closed():
                self.forget()

    def _take_message(self, content: str | bytes) -> None:
        if self._visit is not None and not self._visit.answering:
            return
        match self._socket.receive(content):
            case socketio.ConnectRequested(namespace):
                self._namespace = namespace
                self._say(self._socket.accept(namespace, self.sid))
            case socketio.EventReceived(namespace, _, args, number):
                self._events += 1
                self._symbols = _names(args) or self._symbols
                if number is not None:
                    self._say(self._socket.ack(namespace, number, [{"ok": True}]))

    def _tell_price(self) -> None:
        if self._namespace is None:
            return
        self._seq += 1
        for symbol in self._symbols:
            price = {"symbol": symbol, "price": 100.0, "bid": 99.5, "ask": 100.5, "volume": 1.0}
            common = {
                "channel": f"symbol:{symbol}:ticker",
                "seq": self._seq,
                "epoch": self.sid,
                "timestamp": self._clock.now() * 1000,
            }
            self._say(self._socket.event(self._namespace, "price:update", [price | common]))

    def _say(self, messages: list[socketio.Frame]) -> None:
        for message in messages:
            self._send(message if isinstance(message, bytes) else "4" + message)

    def _send(self, packet: engineio.Frame) -> None:
        if self._visit is not None:
            self._visit.say_now(packet)
        elif len(self._waiting) < MAX_WAITING:
            self._waiting.append(packet)
            self._answer_poll()


def _names(args: list[object]) -> tuple[str, ...]:
    """What an event asks for: texts, one by one or in a list."""
    listed = args[0] if args and isinstance(args[0], list) else args
    return tuple(one for one in listed if isinstance(one, str))
