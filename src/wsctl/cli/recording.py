"""What record does around the engines: where the tape goes, a line of progress, a summary at every end."""

import asyncio
import random
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wsctl.cli.console import say
from wsctl.cli.loop import until_terminated
from wsctl.cli.progress_line import ProgressLine
from wsctl.cli.ready_file import announced
from wsctl.cli.subscribing import tell
from wsctl.client.config import TargetOptions, find_target
from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.errors import ExitCode, UsageError
from wsctl.model.expectation import shown
from wsctl.report.words import counted, whole_seconds
from wsctl.tape.deck import Deck, DeckOptions
from wsctl.tape.passthrough import PassThrough
from wsctl.tape.recorder import Recorder
from wsctl.watch.options import WatchOptions
from wsctl.wire.dialects import SOCKETIO


def tape_path(target: Target, feed: str | None) -> Path:
    """A file in the current folder for who named none: by the feed's name or host, and the time."""
    name = feed or urlsplit(target.url).netloc.replace(":", "-")
    path = Path(f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.jsonl")
    say(f"recording to {path}")
    return path


async def record_feed(watch: WatchOptions, options: DeckOptions) -> ExitCode:
    """Record until the time or the count is up, SIGTERM, or what Recorder raises."""

    def tell_above(text: str) -> None:
        line.erase()
        say(text)

    recorder = Recorder(
        watch.target,
        watch.subscriptions(),
        options,
        SystemClock(),
        random.Random(),  # noqa: S311 - spreads attempts, protects nothing
        reconnect=watch.reconnect,
        duration=watch.duration,
        tell=tell_above,
    )
    line = ProgressLine(Progress(recorder.deck))

    async def work() -> None:
        async with recorder:
            with line:
                async for stage in recorder:
                    line.erase()
                    tell(stage)

    return await _summed_up(work(), recorder.deck)


def find_upstream(url: str, *, dialect: str | None, cacert: str | None, insecure: bool) -> Target:
    """The server behind a pass-through. Who connects to it are others, with credentials of their own."""
    asked = TargetOptions(url=url, dialect=dialect, cacert=cacert, insecure=insecure)
    return find_target(asked, environ={}, directory=Path.cwd()).target


def parse_listen(text: str) -> tuple[str | None, int]:
    """`:8080` is port 8080 on loopback, `0.0.0.0:8080` on every address. Raises UsageError."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise UsageError(f"bad address {text!r}; expected :PORT or HOST:PORT, such as :8080")
    return host.strip("[]") or None, int(port)


async def record_clients(
    upstream: Target,
    named: str | None,
    listen: tuple[str | None, int],
    options: DeckOptions,
    *,
    duration: float | None,
    ready: Path | None,
) -> ExitCode:
    """Let clients in until the time or the count is up, or SIGTERM. `named` is the dialect that was asked for."""

    def tell_above(text: str) -> None:
        line.erase()
        say(text)

    deck = Deck(options, SystemClock(), dialect=named or _spoken_at(upstream), url=upstream.url, tell=tell_above)
    line = ProgressLine(Progress(deck))

    async def work() -> None:
        with line:
            async with deck, PassThrough(upstream, deck, *listen, tell_above) as passing:
                with announced(ready, passing.url):
                    tell_above(f"passing on what comes to {passing.url} to {upstream.shown}")
                    with suppress(TimeoutError):
                        async with asyncio.timeout(duration):
                            await deck.over.wait()

    return await _summed_up(work(), deck)


def _spoken_at(upstream: Target) -> str | None:
    """The dialect of a known host; Socket.IO where the path says so; else nobody knows."""
    if upstream.dialect != SOCKETIO or "/socket.io" in upstream.url:
        return upstream.dialect
    return None


async def _summed_up(work: Coroutine[Any, Any, None], deck: Deck) -> ExitCode:
    """Do it, and say what is on tape, however it ends; where the tape broke, the error says it."""
    try:
        await until_terminated(work)
    finally:
        if deck.records and not deck.broken:
            say(summary(deck))
    return ExitCode.PASSED


class Progress:
    """`12 s  2,412 frames  201/s  1.2 MB in feed.jsonl  2 connections`; the rate is since the last look."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck
        self._looked = (0.0, 0)

    def __call__(self) -> str:
        deck = self._deck
        now, frames = deck.elapsed, deck.received + deck.sent
        then, before = self._looked
        self._looked = now, frames
        parts = [
            whole_seconds(now),
            counted(frames, "frame"),
            f"{(frames - before) / max(now - then, 0.001):,.0f}/s",
            f"{_size(deck)} {_place(deck.paths[-1:])}",
        ]
        if deck.opens > 1:
            parts.append(counted(deck.opens, "connection"))
        return "  ".join(parts)


def summary(deck: Deck) -> str:
    """`2,400 frames in, 12 out, 2 opens, 1 close in 12.0 s: 1.2 MB in feed.jsonl`"""
    parts = [f"{counted(deck.received, 'frame')} in", f"{deck.sent:,} out"]
    parts += [counted(deck.opens, "open"), counted(deck.closes, "close")]
    if deck.answers:
        parts.append(counted(deck.answers, "HTTP answer"))
    return f"{', '.join(parts)} in {deck.elapsed:.1f} s: {_size(deck)} {_place(deck.paths)}"


def _size(deck: Deck) -> str:
    return shown("messages.bytes", deck.size)


def _place(paths: Sequence[Path]) -> str:
    if str(paths[0]) == "-":
        return "to stdout"
    return f"in {paths[0]}" if len(paths) == 1 else f"in {len(paths)} files, {paths[0]} to {paths[-1].name}"
