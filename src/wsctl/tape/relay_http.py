"""An HTTP request that is passed on, and its answer, which comes back as it is and goes on tape."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from wsctl.tape.deck import Headers
from wsctl.tape.polled import Asked, Polls, Register

MAX_BODY: Final = 16 * 1024 * 1024
"""bytes of a body that a tape takes; longer ones are passed on, and it is said that they are not on tape"""

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""headers that are between two neighbours (RFC 9110, 7.6.1)"""
OURS_TO_ASK: Final = frozenset({"host", "expect", "accept-encoding"})
"""of a request: each side agrees on these by itself"""
OURS_TO_ANSWER: Final = frozenset({"content-encoding", "content-length", "date", "server"})


class Unanswered(Exception):
    """The upstream did not answer; the cause says why."""


class RequestRelay:
    """Passes requests on, and puts on tape what Engine.IO's polls hold, and what is answered to all others."""

    def __init__(self, http: aiohttp.ClientSession, register: Register, polls: Polls) -> None:
        self._http = http
        self._register = register
        self._polls = polls

    async def run(self, request: web.BaseRequest, asked: Asked) -> web.StreamResponse:
        """Answer as the upstream does. Raises Unanswered."""
        poll = self._polls.request(asked)
        content: Any = request.content if request.can_read_body else None
        if content is not None and poll is not None:
            content = _noted(content, poll.said, ahead=True)
        try:
            async with await self._ask(asked, content) as answer:
                headers = passed_headers(answer.headers, OURS_TO_ANSWER)

                def heard(body: bytes | None) -> None:
                    if poll is None or not poll.heard(answer.status, body):
                        record(self._register, asked, answer.status, headers, body)

                response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
                if "Content-Encoding" not in answer.headers:
                    response.content_length = answer.content_length
                await response.prepare(request)
                try:
                    async for piece in _noted(answer.content, heard, ahead=poll is not None):
                        await response.write(piece)
                except (aiohttp.ClientError, ConnectionError) as error:
                    self._register.tell(f"{asked.path}: an answer was cut short: {error}")
                    cut(request)
                    return response
                await response.write_eof()
                return response
        finally:
            if poll is not None:
                poll.end()

    async def _ask(self, asked: Asked, content: Any) -> aiohttp.ClientResponse:
        headers = CIMultiDict(asked.headers)
        headers["Accept-Encoding"] = "identity"  # tapes are to be read
        try:
            return await self._http.request(
                asked.method, dialled(asked.url), headers=headers, data=content, allow_redirects=False
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unanswered from error


def record(register: Register, asked: Asked, status: int, headers: CIMultiDict[str], body: bytes | None) -> None:
    """Put an answer on tape; a body that is None is too long for one."""
    if body is None:
        limit = f"{MAX_BODY >> 20} MiB"
        register.tell(f"{asked.path}: an answer of more than {limit} was passed on, and is not on tape")
        return
    try:
        text: str | bytes = body.decode()
    except UnicodeDecodeError:
        text = body
    register.deck.answer(asked.method, asked.url, status, plain(headers), text)


async def _noted(
    content: aiohttp.StreamReader, note: Callable[[bytes | None], None], *, ahead: bool
) -> AsyncIterator[bytes]:
    """A body, piece by piece, and in the end `note` is told all of it; None, where it is too long for a tape.

    `ahead`: before its last piece goes on, so that nobody has answered it by then.
    """
    kept: bytearray | None = bytearray()
    held = b""
    async for piece in content.iter_any():
        if kept is not None:
            kept += piece
            kept = kept if len(kept) <= MAX_BODY else None
        if passed := held if ahead else piece:
            yield passed
        held = piece
    note(None if kept is None else bytes(kept))
    if ahead and held:
        yield held


def passed_headers(headers: Mapping[str, str], left_out: frozenset[str]) -> CIMultiDict[str]:
    """Those that are for the other end, WebSocket's own apart."""
    between = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    return CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if not (name.lower() in _HOP_BY_HOP | between | left_out or name.lower().startswith("sec-websocket-"))
    )


def plain(headers: CIMultiDict[str]) -> Headers:
    """As a tape has them."""
    return tuple((str(name), value) for name, value in headers.items())


def dialled(url: str) -> URL:
    """As HTTP has it on the wire."""
    return URL(url.replace("ws", "http", 1) if url.startswith("ws") else url, encoded=True)


def cut(request: web.BaseRequest) -> None:
    """End a client's connection in the middle of an answer."""
    if request.transport is not None:
        request.transport.close()
