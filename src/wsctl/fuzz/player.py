"""Player: does the steps of a case, one after another, and says how it ended."""

import asyncio
import json
import ssl
from collections.abc import Mapping
from contextlib import suppress
from random import Random
from urllib.parse import urlsplit

from msgspec import structs

from wsctl.client.target import Target
from wsctl.errors import WireError
from wsctl.fuzz.ending import Ending, Kind
from wsctl.fuzz.line import MAX_MESSAGE, MAX_PING
from wsctl.fuzz.link import Link, dial
from wsctl.fuzz.options import MAX_BYTES
from wsctl.fuzz.steps import (
    BEYOND,
    Answer,
    Await,
    Case,
    Cut,
    Data,
    Frame,
    Headers,
    Join,
    Open,
    Raw,
    Request,
    Say,
    Step,
    Steps,
    Upgrade,
    Wait,
    data,
    expand,
)
from wsctl.wire import engineio
from wsctl.wire.engineio import RECORD_SEPARATOR, Handshake

NOWHERE = "/wsctl-fuzz"
"""a namespace that nobody serves: a server that lives says so, in its turn"""
ANSWER_TIMEOUT = 5.0
"""seconds for what stands before the hostile part"""
SHOWN = 200
"""characters of a message that an ending keeps"""
MAX_HEAD = 4000
"""characters of an HTTP answer's headers that it keeps"""
KEPT = 50
"""messages that it keeps"""
MISSING = 1_000_000_000
"""bytes that a body lacks which is never completed"""
OFFER = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")


class Unfit(Exception):
    """What has to stand before the hostile part could not be had."""


class Ended(Exception):
    """The connection ended before all steps were done."""


class Player:
    """Plays one case on connections of its own. `handshake` is the target's OPEN packet, once there was one."""

    def __init__(
        self, target: Target, tls: ssl.SSLContext | None, *, engineio: bool, max_bytes: int = MAX_BYTES
    ) -> None:
        self._target = target
        self._tls = tls
        self._speaks_engineio = engineio
        self._max_bytes = max_bytes
        self._link: Link | None = None
        self._requests: list[Link] = []
        self._waited: Link | None = None
        """of the latest request whose answer is the ending; None: the ending is the link's"""
        self._polling = False
        self._asked_last = False
        self.handshake: Handshake | None = None
        self.statuses: list[int] = []

    async def play(self, case: Case, deadline: float, *, may_stay: bool = True) -> Ending:
        """How it ended. `may_stay`: to stay open is an ending; else it is waited for another until the deadline.

        A negative deadline is what the OPEN packet says of heartbeats.
        """
        loop = asyncio.get_running_loop()
        try:
            unfit = await self._do_all(case, deadline)
            began = loop.time()
            ending = await self._settle(case, self._seconds(deadline), may_stay=may_stay, unfit=unfit)
        except OSError as error:
            return self._ending("unreachable", reason=str(error) or "timed out")
        finally:
            self.leave()
        return structs.replace(ending, after=loop.time() - began)

    async def hold(self, steps: Steps) -> Link:
        """Do the steps and keep the connection. Raises OSError where there is none, and Unfit."""
        with suppress(Ended):
            for step in steps:
                await self._do(step, ANSWER_TIMEOUT)
        if self._link is None or not self._link.upgraded:
            raise self._no_websocket()
        return self._link

    def _no_websocket(self) -> Unfit:
        status = None if self._link is None else self._link.status
        told = "" if status is None else f": it answered HTTP {status}"
        return Unfit(f"the target did not become a WebSocket{told}")

    def leave(self) -> None:
        """Let go of every connection."""
        for link in (self._link, *self._requests):
            if link is not None:
                link.abort()

    def _seconds(self, deadline: float) -> float:
        if deadline >= 0:
            return deadline
        return 90.0 if self.handshake is None else heartbeat(self.handshake)

    # The steps

    async def _do_all(self, case: Case, deadline: float) -> str | None:
        """Why the case proves nothing; None: it does."""
        try:
            for step in case.steps:
                await self._do(step, deadline)
        except Unfit as error:
            return str(error)
        except Ended:
            pass  # how, is looked at next
        return None

    async def _do(self, step: Step, deadline: float) -> None:
        match step:
            case Request():
                await self._request(step, deadline)
            case Raw(data=content, times=times, every=every):
                await self._raw(expand(self._addressed(self._filled(content))), times, every)
            case Upgrade():
                await self._upgrade(step)
            case Frame():
                await self._frame(step)
            case Cut(how=how, after=after):
                await self._cut(how, after)
            case Wait(seconds=seconds, answers=answers):
                await self._wait(seconds, answers=answers)
            case Await(prefix=prefix, seconds=seconds):
                await self._await(prefix, seconds)
            case Open(carrier=carrier):
                await self._open(polling=carrier == "polling")
            case Join(namespace=namespace, auth=auth):
                await self._join(namespace, auth)
            case Say(data=content, binary=binary, times=times):
                await self._say(content, binary=binary, times=times)
            case Answer():
                raise Unfit("it attacks clients")

    async def _dialled(self) -> Link:
        self._waited = None
        if self._link is None:
            self._link = await dial(self._target, self._tls)
        return self._link

    async def _request(self, step: Request, deadline: float) -> None:
        content = self._http(step)
        links = [await dial(self._target, self._tls) for _ in range(step.times)]
        self._requests += links
        for link in links:
            await link.write(content)
        self._waited = links[-1]
        if step.wait:
            for link in links:
                await link.answered(self._seconds(deadline))
                self._learn(link)

    def _learn(self, link: Link) -> None:
        """The session that an answer opened, if it did."""
        if link.status is not None:
            self.statuses.append(link.status)
        first = link.body.partition(RECORD_SEPARATOR.encode())[0]
        if first.startswith(b"0{") and self.handshake is None:
            self._take_open(first.decode("utf-8", "replace"))

    async def _raw(self, content: bytes, times: int, every: float) -> None:
        link = await self._dialled()
        for number in range(times):
            if every and number and await link.until(lambda: link.ended, every):
                raise Ended
            await link.write(content)

    async def _upgrade(self, step: Upgrade) -> None:
        if self._link is not None:
            self._requests.append(self._link)
            if not step.beside:
                self._link.abort()
            self._link = None
        self._polling = False
        link = await self._dialled()
        headers = (*step.headers, OFFER) if step.compressed else step.headers
        query = self._query(step.query, "websocket")
        await link.write(self._opening(query, headers, leading=step.leading) + expand(step.tail))
        await link.until(lambda: link.upgraded or link.answers > 0, ANSWER_TIMEOUT)
        if link.status is not None and not link.upgraded:
            self.statuses.append(link.status)
        if not link.upgraded and not step.optional:
            raise Ended
        if not link.upgraded:
            self._requests.append(link)
            self._waited, self._link = link, None
            return
        link.engineio = self._speaks_engineio
        if step.compressed and "permessage-deflate" not in link.headers.get("sec-websocket-extensions", ""):
            raise Unfit("the target does not compress")

    async def _frame(self, step: Frame) -> None:
        link = await self._dialled()
        if not link.upgraded:
            raise self._no_websocket()
        await link.send(structs.replace(step, data=self._filled(step.data)))

    async def _cut(self, how: str, after: float) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        self._requests.append(link)
        self.handshake = None
        if how == "close" and link.upgraded:
            await link.send(Frame(opcode=8, data=data(b"\x03\xe8")))
            await link.until(lambda: link.ended, 1.0)
        if how != "rst":
            link.close()
        else:
            link.reset_in_the_end()
            await link.until(lambda: link.ended, after)
            link.abort()

    async def _wait(self, seconds: float, *, answers: bool) -> None:
        seconds = self._seconds(seconds)
        if self._polling:
            await asyncio.sleep(seconds)
            return
        link = await self._dialled()
        link.answering = answers
        await link.until(lambda: link.ended, seconds)

    async def _await(self, prefix: str, seconds: float) -> None:
        link = await self._dialled()
        if not await link.until(lambda: any(_text(one).startswith(prefix) for one in link.messages), seconds):
            raise Unfit(f"{prefix!r} did not come")

    async def _open(self, *, polling: bool) -> None:
        self._polling = polling
        self.handshake = None
        if polling:
            await self._request(Request(query=self._query(None, "polling")), ANSWER_TIMEOUT)
            self._waited = None
        else:
            await self._upgraded_or_unfit()
            link = await self._dialled()
            await link.until(lambda: bool(link.messages), ANSWER_TIMEOUT)
            if link.messages:
                self._take_open(_text(link.messages[0]))
        if self.handshake is None:
            raise Unfit("no Engine.IO session was opened")

    async def _upgraded_or_unfit(self) -> None:
        try:
            await self._upgrade(Upgrade())
        except Ended:
            raise self._no_websocket() from None

    async def _join(self, namespace: str | None, auth: Mapping[str, object] | None) -> None:
        if self.handshake is None:
            await self._open(polling=False)
        name = self._target.namespace if namespace is None else namespace
        body = json.dumps(self._target.handshake("wsctl-fuzz") if auth is None else auth)
        await self._say(data(f"40{'' if name == '/' else name + ','}{body}"), binary=False, times=1)
        if not self._polling:
            link = await self._dialled()
            await link.until(lambda: any(_text(one).startswith(("40", "44")) for one in link.messages), ANSWER_TIMEOUT)
            answers = [_text(one) for one in link.messages]
        else:
            answers = (await self._poll()).split(RECORD_SEPARATOR)
        if not any(one.startswith("40") for one in answers):
            why = next((f": {_words(one[2:])}" for one in answers if one.startswith("44")), "")
            raise Unfit(f"the namespace {name} could not be joined{why}")

    async def _say(self, content: Data, *, binary: bool, times: int) -> None:
        content = self._filled(content)
        if not self._polling:
            link = await self._dialled()
            if not link.upgraded:
                raise self._no_websocket()
            await link.send(Frame(opcode=2 if binary else 1, data=content, times=times))
            return
        body = expand(content)
        packet = engineio.encode_payload([body]).encode() if binary else body
        await self._request(
            Request(
                method="POST",
                query=self._query("EIO=4&transport=polling&sid={sid}", "polling"),
                body=data((packet + RECORD_SEPARATOR.encode(), times - 1), packet),
                headers=(("Content-Type", "text/plain;charset=UTF-8"),),
            ),
            ANSWER_TIMEOUT,
        )

    async def _poll(self) -> str:
        await self._request(Request(query=self._query("EIO=4&transport=polling&sid={sid}", "polling")), ANSWER_TIMEOUT)
        assert self._waited is not None, "it was just asked"
        return self._waited.body.decode("utf-8", "replace")

    def _take_open(self, packet: str) -> None:
        try:
            opened = engineio.ClientSession().receive(engineio.decode(packet))
        except WireError as error:
            raise Unfit(f"no OPEN packet: {error}") from error
        if isinstance(opened, engineio.Opened):
            self.handshake = opened.handshake

    # How it ended

    async def _settle(self, case: Case, deadline: float, *, may_stay: bool, unfit: str | None) -> Ending:
        if unfit is not None:
            return self._ending("silent", unfit=unfit)
        if self._waited is not None:
            return await self._settle_request(self._waited, deadline)
        link = self._link
        if link is None:
            return self._ending("cut", reason="by us")
        await link.until(lambda: link.upgraded or link.answers > 0, deadline)
        if not link.upgraded:
            return self._ended(link) if link.status is None else self._ending("answered", link.status, link=link)
        if not may_stay and await link.until(lambda: link.close_code is not None, deadline):
            return self._ended(link)
        if link.ended or link.close_code is not None:
            return self._ended(link)
        in_words = self._speaks_engineio and self.handshake is not None
        if case.ask == "session" and in_words:
            return self._ended(link) if not await self._answers(link, deadline) else self._ending("alive", link=link)
        if not await self._pongs(link, deadline):
            return self._ended(link)
        if case.ask == "both" and in_words and not await self._answers(link, deadline):
            return self._ending("silent", reason="it waits for more of what was begun", link=link)
        return self._ending("alive", link=link)

    async def _settle_request(self, link: Link, deadline: float) -> Ending:
        if link.status is None:
            await link.answered(deadline)
            self._learn(link)
        if link.status is not None:
            return self._ending("answered", link.status, link=link)
        return self._ending("cut" if link.ended else "silent", link=link)

    async def _answers(self, link: Link, deadline: float) -> bool:
        """Whether the session is of use yet."""
        await link.say(f"40{NOWHERE},")

        def answered() -> bool:
            return any(NOWHERE in _text(one) for one in link.messages)

        if not await link.until(lambda: answered() or link.close_code is not None, deadline):
            return False
        # What a server says in a later turn of its loop than the one in which it heard of something comes before this.
        await self._pongs(link, deadline)
        return link.close_code is None and not link.ended

    async def _pongs(self, link: Link, deadline: float) -> bool:
        """Whether the connection is."""
        # As long as a ping may be: what comes back has to be all of it. It has to differ from what was sent before.
        token = Random().randbytes(MAX_PING)  # noqa: S311
        await link.send(Frame(opcode=9, data=data(token)))
        await link.until(lambda: token in link.pongs or link.close_code is not None, deadline)
        return token in link.pongs and link.close_code is None

    def _ended(self, link: Link) -> Ending:
        if link.close_code is not None:
            return self._ending("closed", link.close_code, link.close_reason, link=link)
        return self._ending("cut" if link.ended else "silent", reason=link.close_reason, link=link)

    def _ending(
        self,
        kind: Kind,
        code: int | None = None,
        reason: str = "",
        *,
        link: Link | None = None,
        unfit: str | None = None,
    ) -> Ending:
        said = [] if link is None else [_text(one)[:SHOWN] for one in link.messages[-KEPT:]]
        if link is not None and link.status is not None:
            head = (f"HTTP {link.status}", *(f"{name}: {value}" for name, value in link.headers.items()))
            said.append("\n".join(head)[:MAX_HEAD])
            said.append(link.body.decode("utf-8", "replace")[:SHOWN])
        return Ending(
            kind=kind,
            code=code,
            reason=reason[:SHOWN],
            said=tuple(said),
            statuses=tuple(self.statuses),
            answers=0 if link is None else link.answers,
            unfit=unfit,
        )

    # Bytes

    def _filled(self, content: Data) -> Data:
        """With the session's id and the target's namespace where a text asks for them, and as long as it asks to be."""
        sid = "" if self.handshake is None else self.handshake.sid
        namespace = "" if self._target.namespace == "/" else f"{self._target.namespace},"
        filled = (
            structs.replace(run, text=run.text.replace("{sid}", sid).replace("{nsp}", namespace))
            if "{" in run.text
            else run
            for run in content
        )
        return tuple(structs.replace(run, times=self._beyond()) if run.times == BEYOND else run for run in filled)

    def _beyond(self) -> int:
        most = None if self.handshake is None else self.handshake.max_payload
        if most is None:
            raise Unfit("the target's maxPayload is not told")
        if most > self._max_bytes:
            raise Unfit(f"the target's maxPayload is {most:,} bytes; --max-bytes allows {self._max_bytes:,}")
        return most

    def _addressed(self, content: Data) -> Data:
        """With what a request line of the opening handshake asks for, and whom."""
        words = {"{target}": self._asked_for(self._query(None, "websocket")), "{host}": self._host()}

        def filled(text: str) -> str:
            for name, word in words.items():
                text = text.replace(name, word)
            return text

        return tuple(structs.replace(run, text=filled(run.text)) if "{" in run.text else run for run in content)

    def _asked_for(self, query: str) -> str:
        return f"{self._path()}{'?' if query else ''}{query}"

    def _host(self) -> str:
        return urlsplit(self._target.url).netloc

    def _query(self, query: str | None, transport: str) -> str:
        if query is None:
            return urlsplit(self._target.engineio_url(transport) if self._speaks_engineio else self._target.url).query
        return query.replace("{sid}", "" if self.handshake is None else self.handshake.sid)

    def _path(self) -> str:
        return self._target.path if self._speaks_engineio else urlsplit(self._target.url).path or "/"

    def _http(self, step: Request) -> bytes:
        body = b"" if step.body is None else expand(self._filled(step.body))
        headers: Headers = (*self._target.headers, *step.headers, ("Connection", "close"))
        if step.chunked:
            headers = (*headers, ("Transfer-Encoding", "chunked"))
            body = b"".join(_chunk(body[at : at + MAX_MESSAGE]) for at in range(0, len(body), MAX_MESSAGE))
            body += _chunk(b"") if step.complete else b""
        elif step.body is not None and not any(name.lower() == "content-length" for name, _ in headers):
            headers = (*headers, ("Content-Length", str(len(body) + (0 if step.complete else MISSING))))
        path, query = step.path or self._path(), self._query(step.query, "polling")
        return self._head(f"{step.method} {path}{'?' if query else ''}{query} HTTP/1.1", headers) + body

    def _opening(self, query: str, headers: Headers, *, leading: bool) -> bytes:
        usual: Headers = (
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "d3NjdGwtZnV6ei1rZXktMQ=="),
        )
        given = {name.lower() for name, _ in headers}
        usual = tuple((name, value) for name, value in usual if name.lower() not in given)
        own = (*headers, *usual) if leading else (*usual, *headers)
        return self._head(f"GET {self._asked_for(query)} HTTP/1.1", (*self._target.headers, *own))

    def _head(self, line: str, headers: Headers) -> bytes:
        given = {name.lower() for name, _ in headers}
        host = () if "host" in given else (("Host", self._host()),)
        lines = [line, *(f"{name}: {value}" for name, value in (*host, *headers))]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def heartbeat(handshake: Handshake) -> float:
    """Seconds within which a server misses a heartbeat, with some to spare."""
    return (handshake.ping_interval + handshake.ping_timeout) / 1000 + 3.0


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def _text(message: str | bytes) -> str:
    return message if isinstance(message, str) else message.hex()


def _words(text: str) -> str:
    """The other side's, for a sentence of ours: not too many, and nothing that a terminal would obey."""
    return "".join(one if one.isprintable() else "�" for one in text[:SHOWN])
