"""What serve does around the mock feed: banner, connection log, ready file, the end."""

import gc
import time
from contextlib import AsyncExitStack, closing
from pathlib import Path

from wsctl.cli.console import say
from wsctl.cli.loop import until_terminated
from wsctl.cli.ready_file import announced
from wsctl.cli.samples import Samples
from wsctl.errors import ExitCode
from wsctl.server import defaults
from wsctl.server.app import MockFeed
from wsctl.server.endpoint import ConnectionLog
from wsctl.server.options import ServeOptions
from wsctl.swarm.process import raise_descriptor_limit


async def serve_until_stopped(
    options: ServeOptions,
    *,
    ready_file: Path | None,
    metrics: bool,
    metrics_file: Path | None,
    until_stdin_ends: bool = False,
) -> ExitCode:
    """Serve until SIGTERM or the end of stdin (exit 0), or Ctrl-C (KeyboardInterrupt from the runner, exit 130)."""
    raise_descriptor_limit(0)
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        samples = stack.enter_context(closing(Samples(metrics_file, say_them=metrics)))
        feed = await stack.enter_async_context(MockFeed(options, on_log=_log, on_sample=samples.take))
        _tune_collector()
        stack.enter_context(announced(ready_file, feed.url))
        _greet(feed)
        try:
            await until_terminated(feed.wait(), or_stdin_ends=until_stdin_ends)
        finally:
            if feed.platform.connections:
                clients = len(feed.platform.connections)
                say(f"stopping: telling {clients} client{'s' * (clients > 1)}")
            ledger = feed.platform.hub.ledger().values()
            delivered = sum(channel["delivered"] for channel in ledger)
            say(f"served for {time.monotonic() - began:.0f} s, {delivered} messages delivered")
    return ExitCode.PASSED


def _tune_collector() -> None:
    """Full collections over ten thousand live connections cost half the connection rate otherwise."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def _greet(feed: MockFeed) -> None:
    options = feed.options
    first = feed.symbols[0]
    shown = ", ".join(feed.symbols[:8]) + (f" and {len(feed.symbols) - 8} more" if len(feed.symbols) > 8 else "")
    what = f"real trades from {options.prices}" if options.prices else f"simulated prices, seed {feed.seed}"
    say(f"mock feed at {feed.url}  ({what})")
    say(f"symbols: {shown}")
    if options.jwt_secret == defaults.JWT_SECRET:
        say(f"tokens are checked with the public secret {defaults.JWT_SECRET!r}: loopback only")
    if options.control:
        say(f"control: {feed.url}/control")
    say("")
    url = feed.url.replace("127.0.0.1", "localhost")
    say(f"  JavaScript  io('{url}').on('price:update', console.log).emit('price:subscribe', ['{first}'])")
    say(
        "  Python      s = socketio.Client(); s.on('price:update', print); "
        f"s.connect('{url}'); s.emit('price:subscribe', ['{first}'])"
    )
    say(f"  wsctl       wsctl subscribe {first} --url {feed.url}")
    say("")


def _log(log: ConnectionLog) -> None:
    who = f" as {log.user}" if log.user else ""
    why = f": {log.reason}" if log.reason else ""
    say(f"{time.strftime('%H:%M:%S')} {log.what} {log.address} ({log.transport}){who}{why}")
