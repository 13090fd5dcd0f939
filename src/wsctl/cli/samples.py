"""Where serve's metrics samples go: stderr, a file, a pipe."""

import time
from pathlib import Path

import msgspec

from wsctl.cli.console import say
from wsctl.cli.output import open_lines
from wsctl.errors import WsctlError
from wsctl.server.metrics import Sample


class Samples:
    """Takes the samples and tells them on stderr, if asked to; writes them as JSON Lines as long as that can be done.

    Metrics are secondary: a reader that leaves or a full disk ends them, and not the feed.
    """

    def __init__(self, path: Path | None, *, say_them: bool) -> None:
        self._lines = None if path is None else open_lines(path)
        self._say_them = say_them

    def take(self, sample: Sample) -> None:
        """One sample."""
        if self._say_them:
            _say(sample)
        if self._lines is not None:
            try:
                self._lines.put(msgspec.json.encode(sample))
            except (BrokenPipeError, WsctlError) as error:
                self._lines = None
                say(f"metrics are no longer written ({_reason(error)}); serving goes on")

    def close(self) -> None:
        """Write what waits."""
        if self._lines is not None:
            try:
                self._lines.close()
            except (BrokenPipeError, WsctlError) as error:
                say(f"the last metrics were not written: {_reason(error)}")


def _reason(error: BrokenPipeError | WsctlError) -> str:
    return error.message if isinstance(error, WsctlError) else "their reader has left"


def _say(sample: Sample) -> None:
    memory = "" if sample.rss_mb is None else f", {sample.rss_mb:g} MB"
    say(
        f"{time.strftime('%H:%M:%S')} {sample.connections} connections, {sample.messages_per_second:g} messages/s, "
        f"{sample.reconnections} reconnections, {sample.errors} errors, {sample.evictions} evictions, "
        f"{sample.skipped} skipped, loop {sample.loop_lag_ms:g} ms late{memory}"
    )
