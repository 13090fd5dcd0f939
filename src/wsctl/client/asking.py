"""Asking: channels asked for on a raw feed, and what the server said of them so far."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

GRACE: Final = 0.5
"""seconds after an objection that names no channel, in which others may yet be answered"""


class Asking:
    """`done` comes true once the server spoke of every channel, or has objected and says no more."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(dict.fromkeys(names))
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending = dict.fromkeys(self.names)
        self._taken: list[str] = []
        self._objections: dict[str, None] = {}
        self._grace: asyncio.TimerHandle | None = None
        self._look()

    def taken(self, channels: Sequence[str]) -> None:
        """The server took channels. None named: all of them, unless it has objected."""
        if not channels and not self._objections:
            channels = tuple(self._pending)
        for channel in channels:
            if channel in self._pending:
                del self._pending[channel]
                self._taken.append(channel)
        self._look()

    def refused(self, message: str, channels: Sequence[str]) -> None:
        """The server objected: to channels, or to who knows which."""
        self._objections[message] = None
        for channel in channels:
            self._pending.pop(channel, None)
        self._look()

    def close(self) -> None:
        """Nobody waits any more."""
        if self._grace is not None:
            self._grace.cancel()

    @property
    def unheard(self) -> bool:
        """Whether the server said nothing at all."""
        return bool(self._pending) and not self._taken and not self._objections

    @property
    def answer(self) -> dict[str, Any]:
        """As the platform acknowledges: `{"ok": true}`, or a code and who was served all the same."""
        if self._objections:
            return self._no("refused", "; ".join(self._objections))
        if self._pending and self._taken:
            return self._no("not_acknowledged", f"{', '.join(self._pending)} not acknowledged")
        return {"ok": True, "subscribed": list(self.names)}

    def _no(self, code: str, message: str) -> dict[str, Any]:
        refused = [name for name in self.names if name not in self._taken]
        return {"ok": False, "code": code, "message": message, "subscribed": self._taken, "refused": refused}

    def _look(self) -> None:
        """See whether that was all; after an objection it may be, though channels were not spoken of."""
        if self._grace is not None:
            self._grace.cancel()
        if not self._pending:
            self._finish()
        elif self._objections:
            self._grace = asyncio.get_running_loop().call_later(GRACE, self._finish)

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
