"""Outcome: how a case ended, once its steps are done: what came is looked at, and where nothing did, it is asked."""

from random import Random

from wsctl.fuzz.ending import KEPT, SHOWN, Ending, Kind
from wsctl.fuzz.line import MAX_PING
from wsctl.fuzz.link import Link
from wsctl.fuzz.steps import Ask, Frame, data

NOWHERE = "/wsctl-fuzz"
"""a namespace that nobody serves: a server that lives says so, in its turn"""
MAX_HEAD = 4000
"""characters of an HTTP answer's headers that an ending keeps"""


async def outcome(link: Link, ask: Ask, deadline: float, *, may_stay: bool, in_words: bool) -> Ending:
    """Of a connection that was to become a WebSocket. `may_stay`: to stay open is an ending; else it is waited for
    another. `in_words`: there is a session, that can be asked in its own.
    """
    await link.until(lambda: link.upgraded or link.answers > 0, deadline)
    if not link.upgraded:
        return ended(link) if link.status is None else seen("answered", link.status, link=link)
    if not may_stay and await link.until(lambda: link.close_code is not None, deadline):
        return ended(link)
    if link.ended or link.close_code is not None:
        return ended(link)
    if ask == "session" and in_words:
        return ended(link) if not await _answers(link, deadline) else seen("alive", link=link)
    if not await _pongs(link, deadline):
        return ended(link)
    if ask == "both" and in_words and not await _answers(link, deadline):
        return seen("silent", reason="it waits for more of what was begun", link=link)
    return seen("alive", link=link)


def answered(link: Link) -> Ending:
    """Of a request."""
    if link.status is not None:
        return seen("answered", link.status, link=link)
    return seen("cut" if link.ended else "silent", link=link)


def ended(link: Link) -> Ending:
    """Of a connection that is over, or does not answer."""
    if link.close_code is not None:
        return seen("closed", link.close_code, link.close_reason, link=link)
    return seen("cut" if link.ended else "silent", reason=link.close_reason, link=link)


def seen(kind: Kind, code: int | None = None, reason: str = "", *, link: Link) -> Ending:
    """With the beginnings of what was received."""
    said = [text[:SHOWN] for text in link.said[-KEPT:]]
    if link.status is not None:
        head = (f"HTTP {link.status}", *(f"{name}: {value}" for name, value in link.headers.items()))
        said.append("\n".join(head)[:MAX_HEAD])
        said.append(link.body.decode("utf-8", "replace")[:SHOWN])
    return Ending(kind=kind, code=code, reason=reason[:SHOWN], said=tuple(said), answers=link.answers)


async def _answers(link: Link, deadline: float) -> bool:
    """Whether the session is of use yet."""
    await link.say(f"40{NOWHERE},")

    def answered() -> bool:
        return any(NOWHERE in text for text in link.said)

    if not await link.until(lambda: answered() or link.close_code is not None, deadline):
        return False
    # What a server says in a later turn of its loop than the one in which it heard of something comes before this.
    await _pongs(link, deadline)
    return link.close_code is None and not link.ended


async def _pongs(link: Link, deadline: float) -> bool:
    """Whether the connection is."""
    # As long as a ping may be: what comes back has to be all of it.
    token = Random().randbytes(MAX_PING)  # noqa: S311 - only has to differ from what was sent before
    await link.send(Frame(opcode=9, data=data(token)))
    await link.until(lambda: token in link.pongs or link.close_code is not None, deadline)
    return token in link.pongs and link.close_code is None
