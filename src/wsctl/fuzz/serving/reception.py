"""Reception: what is made of requests: sessions over long-polling, and guests on WebSockets."""

import secrets
from collections import OrderedDict

from wsctl.clock import Clock
from wsctl.errors import UsageError, WireError
from wsctl.fuzz.serving.guest import Guest
from wsctl.fuzz.serving.host import Host
from wsctl.fuzz.serving.lobby import Lobby
from wsctl.fuzz.serving.raw_host import RawHost
from wsctl.fuzz.serving.socketio_host import SocketioHost
from wsctl.fuzz.serving.visit import Asked, Visit, usual_answer
from wsctl.fuzz.steps import Headers
from wsctl.server.handshake import Refusal, read_query
from wsctl.server.opening import Unsound
from wsctl.wire.dialect import Dialect

MAX_SESSIONS = 1000
"""of Engine.IO that are known at once"""
MAX_VISITS = 1000
"""connections at once"""


class Reception:
    """Takes every connection; who asks for a WebSocket goes on to the lobby."""

    def __init__(self, lobby: Lobby, dialect: Dialect | None, clock: Clock) -> None:
        """No dialect means Socket.IO."""
        self._lobby = lobby
        self._dialect = dialect
        self._clock = clock
        self._sessions: OrderedDict[str, SocketioHost] = OrderedDict()
        self._visits: set[Visit] = set()

    @property
    def polling(self) -> bool:
        """Whether there is a client that stays with long-polling."""
        return any(host.polling for host in self._sessions.values())

    def visit(self) -> Visit:
        """For one more connection."""
        self._visits = {one for one in self._visits if not one.ended}
        visit = Visit(self._take)
        self._visits.add(visit)
        return visit

    def close(self) -> None:
        """End whatever connection is left."""
        for visit in self._visits:
            visit.abort()

    def _take(self, visit: Visit, asked: Asked) -> None:
        visit.common = _cors(asked)
        if len(self._visits) > MAX_VISITS or (asked.upgrade and self._lobby.full):
            visit.answer(503, b"")
        elif asked.method == "OPTIONS":
            visit.answer(204, b"")
        elif self._dialect is not None:
            self._take_raw(visit, asked, self._dialect)
        else:
            self._take_socketio(visit, asked)

    def _take_raw(self, visit: Visit, asked: Asked, dialect: Dialect) -> None:
        if not asked.upgrade:
            visit.answer(426, b"", headers=(("Upgrade", "websocket"),))
            return
        try:
            session = dialect.server(asked.target)
        except (UsageError, WireError) as error:
            visit.answer(400, error.message.encode(), "text/plain")
            return
        self._let_in(visit, asked, RawHost(session))

    def _take_socketio(self, visit: Visit, asked: Asked) -> None:
        query = read_query(asked.query, ("websocket",) if asked.upgrade else ("polling",))
        if isinstance(query, Refusal):
            visit.answer(400, query.body())
            return
        host = self._new() if query.sid is None else self._sessions.get(query.sid)
        if host is None or host.over:
            visit.answer(400, Refusal.UNKNOWN_SID.body())
        elif asked.upgrade:
            self._let_in(visit, asked, host)
        elif asked.method == "POST":
            self._take_post(visit, asked, host)
        elif query.sid is None:
            visit.answer(200, host.open_packet().encode(), "text/plain; charset=UTF-8")
        else:
            host.poll(visit)

    def _take_post(self, visit: Visit, asked: Asked, host: SocketioHost) -> None:
        try:
            host.post(asked.body)
        except WireError:
            visit.answer(400, Refusal.BAD_REQUEST.body())
        else:
            visit.answer(200, b"ok", "text/html")

    def _let_in(self, visit: Visit, asked: Asked, host: Host) -> None:
        try:
            usual = usual_answer(asked)
        except Unsound as error:
            visit.answer(error.status, error.body)
        else:
            compresses = "permessage-deflate" in asked.headers.get("sec-websocket-extensions", "")
            self._lobby.add(Guest(visit, usual, host, compresses=compresses))

    def _new(self) -> SocketioHost:
        host = SocketioHost(secrets.token_urlsafe(15), self._clock)
        self._sessions[host.sid] = host
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return host


def _cors(asked: Asked) -> Headers:
    """What lets a page from elsewhere read answers: whoever asks is to be probed."""
    origin = asked.headers.get("origin")
    if origin is None:
        return ()
    allowed = (
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Allow-Headers", asked.headers.get("access-control-request-headers", "content-type")),
    )
    return (*allowed, ("Access-Control-Allow-Methods", "GET, POST"))
