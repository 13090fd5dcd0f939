"""The gevent side of a shard: greenlets tell it what its clients are to do and wait for the answers.

A process has one greenlet that writes and one that reads, however many clients there are.
"""

import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gevent
import msgspec
from gevent import subprocess
from gevent.event import AsyncResult

from wsctl.client.losses import AckTimeout, Lost
from wsctl.client.subscription import ACK_TIMEOUT, Subscription
from wsctl.errors import TargetError, UsageError, WsctlError
from wsctl.load.locust.line_writer import LineWriter
from wsctl.spec.units import format_duration
from wsctl.swarm import shard_messages
from wsctl.swarm.child import raised
from wsctl.swarm.delta import Delta
from wsctl.swarm.shard_messages import (
    Broken,
    Counted,
    Emit,
    Enter,
    Flush,
    Heard,
    Leave,
    ShardOptions,
    Subscribe,
    Unsubscribe,
)

FLUSH_TIMEOUT = 10.0
"""seconds"""
SILENCE = 15
"""seconds without a word after which the shard hangs: it tells every second, but while it starts"""
PATIENCE = 2.0
"""seconds from closing the shard's input to killing it"""
_DONE = AsyncResult()
_DONE.set(None)


class Link:
    """A shard's process. What it counts goes to `told`, once a second and before each `flush` is over.

    `broken` is called once, with what made it useless, unless it was closed. Both are called from the reading greenlet.
    """

    def __init__(
        self, options: ShardOptions, told: Callable[[Delta], None], broken: Callable[[WsctlError], None]
    ) -> None:
        self.error: WsctlError | None = None
        """why it is of no use any more"""
        self._told = told
        self._broken = broken
        self._closed = False
        self._numbers = itertools.count(1)
        """of users, calls and flushes"""
        self._entering: dict[int, AsyncResult[None]] = {}
        self._gone: dict[int, str] = {}
        """why users that were in, or nearly, are no longer"""
        self._calls: dict[int, AsyncResult[Any]] = {}
        self._flushes: dict[int, AsyncResult[None]] = {}
        # -P: no module beside the user's files takes the place of one of ours; a session of its own: Ctrl-C is ours
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "wsctl.swarm.shard_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._writer = LineWriter(self._process.stdin)
        self._writer.put(shard_messages.encode(options))
        self._heard = False
        """since `_watch` looked last"""
        self._reading = gevent.spawn(self._read)
        self._watching = gevent.spawn(self._watch)

    @property
    def pid(self) -> int:
        """Of the shard's process."""
        pid: int = self._process.pid
        return pid

    def client(self) -> "ShardClient":
        """A client that has not set out."""
        return ShardClient(self)

    def flush(self, within: float = FLUSH_TIMEOUT) -> bool:
        """Have everything told that was counted; False where that did not come in time, or cannot come any more."""
        number = next(self._numbers)
        told = self._flushes[number] = AsyncResult()
        try:
            self._put(Flush(number=number))
            told.get(timeout=within)
        except (gevent.Timeout, WsctlError):
            return False
        finally:
            del self._flushes[number]
        return True

    def close(self) -> None:
        """End the process: its clients leave politely. May be called twice."""
        self._closed = True
        self._watching.kill()
        self._writer.close(PATIENCE)
        with gevent.Timeout(PATIENCE, False):
            self._process.wait()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    # What clients do

    def _put(self, command: shard_messages.Command) -> None:
        if self.error is not None:
            raise self.error
        self._writer.put(shard_messages.encode(command))

    def _enter(
        self, token: str | None, auth: Mapping[str, Any], subscriptions: Sequence[Subscription]
    ) -> "tuple[int, AsyncResult[None]]":
        number = next(self._numbers)
        entered = self._entering[number] = AsyncResult()
        self._put(Enter(user=number, token=token, auth=dict(auth), subscriptions=tuple(subscriptions)))
        return number, entered

    def _ask(self, command: Subscribe | Unsubscribe | Emit) -> Any:
        answer = self._calls[command.call] = AsyncResult()
        try:
            self._put(command)
            answer.wait(command.within)  # a Timeout that comes out of it is somebody else's
        finally:
            del self._calls[command.call]
        if not answer.ready():
            raise AckTimeout(f"{_event(command)} was not acknowledged within {format_duration(command.within)}")
        return answer.get()

    def _leave(self, number: int, *, polite: bool) -> None:
        self._entering.pop(number, None)
        self._gone.pop(number, None)
        if self.error is None:
            self._put(Leave(user=number, polite=polite))

    # What the shard says

    def _read(self) -> None:
        try:
            for line in self._process.stdout:
                self._heard = True
                self._take(shard_messages.decode_report(line))
        except msgspec.DecodeError as error:
            self._break(WsctlError(f"the shard's process said what cannot be read: {error}"))
        except OSError as error:
            self._break(WsctlError(f"the shard's process cannot be heard: {error}"))
        except Exception as error:  # of whoever is told: without this one nobody would hear the shard any more
            self._break(WsctlError(f"what the shard's process told could not be taken in: {error!r}"))
        if not self._closed:
            self._break(WsctlError(_ending(self._process.wait())))

    def _watch(self) -> None:
        """Second by second: greenlets that were all held up for a while do not take that for silence."""
        silent = 0
        while silent < SILENCE:
            gevent.sleep(1.0)
            silent = 0 if self._heard else silent + 1
            self._heard = False
        self._break(WsctlError(f"the shard's process hangs: it said nothing for {silent} s"))

    def _take(self, report: shard_messages.Report) -> None:
        match report:
            case Heard(entered=entered, failed=failed, answers=answers):
                for number in entered:
                    if (entering := self._entering.get(number)) is not None:
                        entering.set(None)
                for number, reason in failed:
                    if (entering := self._entering.get(number)) is not None:
                        self._gone[number] = reason
                        if not entering.ready():
                            entering.set_exception(TargetError(reason))
                for call, answer, why in answers:
                    if (asked := self._calls.get(call)) is not None:
                        if why is None:
                            asked.set(answer)
                        else:
                            asked.set_exception(Lost(why))
            case Counted(delta=delta, flush=flush):
                self._told(delta)
                if flush is not None and (told := self._flushes.get(flush)) is not None:
                    told.set(None)
            case Broken(message=message, hint=hint, exit_code=exit_code):
                self._break(raised(message, hint, exit_code))

    def _break(self, error: WsctlError) -> None:
        """It is of no use any more; the first reason is the one that is told."""
        if self.error is not None or self._closed:
            return
        self.error = error
        for waiting in (*self._entering.values(), *self._calls.values(), *self._flushes.values()):
            if not waiting.ready():
                waiting.set_exception(error)
        self._broken(error)


class ShardClient:
    """One connection of a shard as its greenlet holds it; across losses, for the shard connects again.

    What it is asked raises Lost without a connection at that moment, AckTimeout without an answer, and WsctlError
    where the shard is gone.
    """

    __slots__ = ("_entered", "_link", "_number")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._number: int | None = None
        self._entered = _DONE

    def enter(
        self,
        *,
        token: str | None = None,
        auth: Mapping[str, Any] | None = None,
        subscriptions: Sequence[Subscription] = (),
    ) -> None:
        """Set out, as soon as it is this one's turn, and ask for the subscriptions on each connection."""
        assert self._number is None, "it is there already"
        self._number, self._entered = self._link._enter(token, auth or {}, subscriptions)  # noqa: SLF001

    def wait(self) -> None:
        """Until it is in. Raises TargetError when it will never be."""
        self._entered.get()

    @property
    def gone(self) -> str | None:
        """Why it is there no longer and will not come back; None: as far as is known it will."""
        return None if self._number is None else self._link._gone.get(self._number)  # noqa: SLF001

    def subscribe(self, subscription: Subscription, within: float = ACK_TIMEOUT) -> Any:
        """Ask for more; what the server answered."""
        return self._ask(Subscribe(user=self._user(), call=self._call(), subscription=subscription, within=within))

    def unsubscribe(self, subscription: Subscription, within: float = ACK_TIMEOUT) -> Any:
        """Give channels up, named as they were asked for; what the server answered."""
        return self._ask(Unsubscribe(user=self._user(), call=self._call(), subscription=subscription, within=within))

    def emit(self, event: str, *args: Any, within: float = ACK_TIMEOUT) -> Any:
        """Send an event; what the server acknowledged it with."""
        return self._ask(Emit(user=self._user(), call=self._call(), event=event, args=args, within=within))

    def leave(self, *, polite: bool = True) -> None:
        """Have enough. It may enter again, as somebody new unless `auth` names the same `client`."""
        if self._number is not None:
            number, self._number = self._number, None
            self._link._leave(number, polite=polite)  # noqa: SLF001

    def _user(self) -> int:
        if self._number is None:
            raise UsageError("not connected", hint="connect() comes first")
        return self._number

    def _call(self) -> int:
        return next(self._link._numbers)  # noqa: SLF001

    def _ask(self, command: Subscribe | Unsubscribe | Emit) -> Any:
        try:
            return self._link._ask(command)  # noqa: SLF001
        except Lost as error:
            if self.gone is None:
                raise
            raise Lost(f"not connected: {self.gone}") from error


def _event(command: Subscribe | Unsubscribe | Emit) -> str:
    return command.event if isinstance(command, Emit) else command.subscription.event


def _ending(code: int) -> str:
    how = f"was ended by signal {-code}" if code < 0 else f"exited with {code}"
    return f"the shard's process {how}: its connections are gone"
