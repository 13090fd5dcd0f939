"""Player: does the steps of a case, one after another, and says how it ended."""

import asyncio
import json
import ssl
from collections.abc import Mapping
from contextlib import suppress

from msgspec import structs

from wsctl.client.target import Target
from wsctl.errors import WireError
from wsctl.fuzz.ending import SHOWN, Ended, Ending, Unfit
from wsctl.fuzz.heads import Heads
from wsctl.fuzz.link import Link, dial
from wsctl.fuzz.options import MAX_BYTES
from wsctl.fuzz.outcome import answered, outcome
from wsctl.fuzz.steps import (
    BEYOND,
    Answer,
    Await,
    Case,
    Cut,
    Data,
    Frame,
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

ANSWER_TIMEOUT = 5.0
"""seconds for what stands before the hostile part"""
OFFER = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")


class Player:
    """Plays one case on connections of its own. `handshake` is the target's OPEN packet, once there was one."""

    def __init__(
        self, target: Target, tls: ssl.SSLContext | None, *, engineio: bool, max_bytes: int = MAX_BYTES
    ) -> None:
        self._target = target
        self._tls = tls
        self._speaks_engineio = engineio
        self._heads = Heads(target, engineio=engineio)
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
            reason = (str(error) or "timed out")[:SHOWN]
            return Ending(kind="unreachable", reason=reason, statuses=tuple(self.statuses))
        finally:
            self.leave()
        return structs.replace(ending, after=loop.time() - began, statuses=tuple(self.statuses))

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
                await self._raw(expand(self._heads.addressed(self._filled(content))), times, every)
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
        body = b"" if step.body is None else expand(self._filled(step.body))
        content = self._heads.request(step, self._query(step.query, "polling"), body)
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
        await link.write(self._heads.opening(query, headers, leading=step.leading) + expand(step.tail))
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
        if not await link.until(lambda: any(text.startswith(prefix) for text in link.said), seconds):
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
                self._take_open(link.said[0])
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
            await link.until(lambda: any(text.startswith(("40", "44")) for text in link.said), ANSWER_TIMEOUT)
            answers = link.said
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
            return Ending(kind="silent", unfit=unfit)
        if (waited := self._waited) is not None:
            if waited.status is None:
                await waited.answered(deadline)
                self._learn(waited)
            return answered(waited)
        if self._link is None:
            return Ending(kind="cut", reason="by us")
        in_words = self._speaks_engineio and self.handshake is not None
        return await outcome(self._link, case.ask, deadline, may_stay=may_stay, in_words=in_words)

    # Bytes

    def _filled(self, content: Data) -> Data:
        """With the session's id and the target's namespace where a text asks for them, and as long as it asks to be."""
        namespace = "" if self._target.namespace == "/" else f"{self._target.namespace},"
        filled = (
            structs.replace(run, text=run.text.replace("{sid}", self._sid).replace("{nsp}", namespace))
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

    def _query(self, query: str | None, transport: str) -> str:
        return self._heads.query(query, transport, self._sid)

    @property
    def _sid(self) -> str:
        return "" if self.handshake is None else self.handshake.sid


def heartbeat(handshake: Handshake) -> float:
    """Seconds within which a server misses a heartbeat, with some to spare."""
    return (handshake.ping_interval + handshake.ping_timeout) / 1000 + 3.0


def _words(text: str) -> str:
    """The other side's, for a sentence of ours: not too many, and nothing that a terminal would obey."""
    return "".join(one if one.isprintable() else "�" for one in text[:SHOWN])
