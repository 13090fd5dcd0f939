"""Subscribing: what is asked for on each new connection, and what the answers mean."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from wsctl.client.losses import AckTimeout, Lost
from wsctl.errors import Denied, Unserved

ACK_TIMEOUT = 2.0
"""seconds to wait for an acknowledgement; feeds of others give none"""

ACCESS = ("access_denied", "auth_required")
"""codes of a server that serves it to others"""


class Subscription(Struct, frozen=True):
    """An event that asks for data and the names it asks for, such as `("price:subscribe", ("BTC/USDT",))`.

    Raw WebSocket dialects have no events: there it is only what messages call the request.
    """

    event: str
    names: tuple[str, ...] = ()
    arguments: tuple[Any, ...] | None = None
    """what the event carries, where that is not a list of the names"""

    @property
    def sent(self) -> tuple[Any, ...]:
        """The event's arguments."""
        if self.arguments is not None:
            return self.arguments
        return (list(self.names),) if self.names else ()


class Answer(Struct, frozen=True):
    """How one subscription was answered; `body` is None when it was not."""

    subscription: Subscription
    body: Any = None
    acknowledged: bool = True

    @property
    def refused(self) -> bool:
        """Whether the server said no, at least to some names. Feeds of others acknowledge in their own ways."""
        return isinstance(self.body, dict) and self.body.get("ok") is False

    @property
    def in_vain(self) -> bool:
        """Whether it left nothing subscribed."""
        return self.refused and not self.body.get("subscribed")

    @property
    def code(self) -> str:
        """The server's code, such as `unknown_symbol`."""
        return str(self.body.get("code", "")) if self.refused else ""

    def __str__(self) -> str:
        if not self.acknowledged:
            return f"{self.subscription.event} was not acknowledged"
        return str(self.body.get("message") or self.code or "refused") if self.refused else "subscribed"


class Askable(Protocol):
    """What can be asked for data: a Connection, or whatever stands for one."""

    async def ask(self, subscription: Subscription, *, timeout: float) -> Any:  # noqa: ASYNC109
        """As of Connection. Raises AckTimeout or Lost."""


async def subscribe(connection: Askable, subscriptions: Sequence[Subscription]) -> list[Answer] | None:
    """Send every subscription and collect the answers, in at most `ACK_TIMEOUT` seconds; None if the connection ended.

    They are sent in order and waited for together.
    """
    answers = await asyncio.gather(*(_ask(connection, subscription) for subscription in subscriptions))
    answered = [answer for answer in answers if answer is not None]
    return answered if len(answered) == len(answers) else None


def settle(answers: Sequence[Answer], *, first: bool) -> tuple[bool, str | None]:
    """Whether the server acknowledges at all, and a note on what is not as asked for.

    Raises Denied when a subscription was in vain for want of access, and Unserved when on the first connection
    all were in vain: there would be nothing to watch.
    """
    denied = next((answer for answer in answers if answer.in_vain and answer.code in ACCESS), None)
    if denied is not None:
        hint = "--token, --token-file or $WSCTL_TOKEN" if denied.code == "auth_required" else None
        raise Denied(f"{denied.subscription.event} was refused: {denied}", hint=hint, codes=refused_codes(answers))
    if first and answers and all(answer.in_vain for answer in answers):
        message = "; ".join(dict.fromkeys(str(answer) for answer in answers))
        raise Unserved(message, hint=_names_hint(answers, message), codes=refused_codes(answers))
    notes = dict.fromkeys(str(answer) for answer in answers if answer.refused or not answer.acknowledged)
    acknowledged = not answers or any(answer.acknowledged for answer in answers)
    return acknowledged, "; ".join(notes) or None


def refused_codes(answers: Sequence[Answer]) -> tuple[str, ...]:
    """The server's codes, one for each subscription that it did not serve, or not all of."""
    return tuple(answer.code for answer in answers if answer.refused)


async def _ask(connection: Askable, subscription: Subscription) -> Answer | None:
    try:
        body = await connection.ask(subscription, timeout=ACK_TIMEOUT)
    except AckTimeout:
        return Answer(subscription, acknowledged=False)
    except Lost:
        return None
    return Answer(subscription, body)


def _names_hint(answers: Sequence[Answer], message: str) -> str | None:
    """What was asked for, where the server's message does not say."""
    names = [name for answer in answers for name in answer.subscription.names if name not in message]
    return f"asked for: {', '.join(names)}" if names else None
