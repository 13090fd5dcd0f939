"""What chaos does around the proxy: upstreams, faults, the log, the control API, a summary at every end."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from random import SystemRandom
from urllib.parse import urlsplit

from msgspec import Struct

from wsctl.chaos.asked import Asked, as_attributes, read_fault, read_faults
from wsctl.chaos.control import served
from wsctl.chaos.faults import FAULTS
from wsctl.chaos.presets import PRESETS
from wsctl.chaos.proxy import Proxy
from wsctl.chaos.upstream import open_upstream
from wsctl.cli.chaos_log import FiringLog
from wsctl.cli.chaos_telling import Progress, Strikes
from wsctl.cli.console import print_text, say
from wsctl.cli.drawing import drawn
from wsctl.cli.loop import until_terminated
from wsctl.cli.progress_line import ProgressLine
from wsctl.cli.ready_file import announced
from wsctl.cli.recording import find_upstream
from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.errors import ExitCode, UsageError
from wsctl.report.chaos_list import FaultList
from wsctl.report.words import counted
from wsctl.server.sockets import is_loopback as is_local
from wsctl.spec.nearest import nearest
from wsctl.swarm.clocks import is_loopback
from wsctl.swarm.process import raise_descriptor_limit
from wsctl.wire.dialects import spoken

PIPED_WIDTH = 100


class ChaosOptions(Struct, frozen=True, kw_only=True):
    """What was asked for."""

    upstreams: tuple[str, ...]
    faults: tuple[str, ...]
    file: Path | None
    preset: str | None
    seed: int | None
    host: str | None
    port: int
    control_port: int
    log: Path | None
    dialect: str | None
    cacert: str | None
    insecure: bool
    ready_file: Path | None
    allow_remote: bool
    until_stdin_ends: bool


async def run_chaos(options: ChaosOptions) -> ExitCode:
    """Proxy until SIGTERM or the end of stdin (exit 0), or Ctrl-C; a log that cannot be written ends it too."""
    raise_descriptor_limit(0)
    faults = asked_for(options)
    targets = [_target(url, options) for url in options.upstreams]
    seed = SystemRandom().randrange(2**32) if options.seed is None else options.seed
    dialect = spoken(targets[0].dialect)

    def tell(text: str) -> None:
        line.erase()
        say(f"{time.strftime('%H:%M:%S')} {text}")

    async with AsyncExitStack() as stack:
        log = stack.enter_context(closing(FiringLog(options.log)))
        proxy = Proxy(
            [await open_upstream(target) for target in targets],
            SystemClock(),
            seed=seed,
            host=options.host,
            port=options.port,
            dialect=dialect if dialect is not None and dialect.over == "websocket" else None,
            faults=faults,
            on_firing=log,
            say=tell,
        )
        proxy.hear(Strikes(tell))
        line = ProgressLine(Progress(proxy))
        await stack.enter_async_context(proxy)
        control = await stack.enter_async_context(_control(proxy, options.control_port))
        stack.enter_context(announced(options.ready_file, proxy.url, control=control))
        _greet(proxy, control)
        try:
            with line:
                await until_terminated(_until(log.broken), or_stdin_ends=options.until_stdin_ends)
        finally:
            _sum_up(proxy)
    return ExitCode.PASSED


async def _until(broken: asyncio.Future[None]) -> None:
    await broken


@asynccontextmanager
async def _control(proxy: Proxy, port: int) -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        try:
            control = await stack.enter_async_context(served(proxy, port))
        except UsageError as error:
            hint = error.hint.replace("--port", "--control-port") if error.hint else None
            raise UsageError(f"control: {error.message}", hint=hint) from error
        yield control


def asked_for(options: ChaosOptions) -> list[Asked]:
    """The faults of a preset, those of a file, and those that were asked for by themselves. Raises UsageError."""
    preset = options.preset
    if preset is not None and preset not in PRESETS:
        near = nearest(preset, PRESETS)
        raise UsageError(
            f"no preset {preset!r}", hint=f"did you mean {near}?" if near else f"there are {', '.join(PRESETS)}"
        )
    return [
        *map(read_fault, PRESETS[preset] if preset else ()),
        *(read_faults(options.file) if options.file is not None else ()),
        *map(read_fault, options.faults),
    ]


def show_faults() -> None:
    """The faults and presets, with all options."""
    print_text(drawn(FaultList(FAULTS, PRESETS), piped_width=PIPED_WIDTH))


def _target(url: str, options: ChaosOptions) -> Target:
    target = find_upstream(url, dialect=options.dialect, cacert=options.cacert, insecure=options.insecure)
    if not options.allow_remote and not is_loopback(target):
        raise UsageError(
            f"{target.shown} is not on this machine; chaos may harm who uses it",
            hint="--allow-remote says that you may do that to it",
        )
    if is_loopback(target) and urlsplit(target.url).port == options.port and is_local(options.host):
        raise UsageError(
            f"{target.shown} is where the proxy itself is to listen; expected a server behind it",
            hint="--port 0 picks a free one",
        )
    if urlsplit(target.url).path not in ("", "/"):
        say(f"the path of {target.shown} is not added to what clients ask for: theirs pass as they are")
    return target


def _greet(proxy: Proxy, control: str) -> None:
    behind = ", ".join(one.shown for one in proxy.upstreams)
    say(f"proxy at {proxy.url}, before {behind}  (seed {proxy.seed})")
    for fault in proxy.faults:
        options = ", ".join(f"{key}={value}" for key, value in as_attributes(fault.spec).items())
        called = fault.name if fault.name == fault.type_name else f"{fault.name} ({fault.type_name})"
        say(f"  {called}  {options}".rstrip())
    if not proxy.faults:
        say("no fault: everything passes")
    say(f"control: {control}  (wsctl chaos ctl list)")
    say("permessage-deflate is left out of what clients offer: compressed messages could not be told apart")


def _sum_up(proxy: Proxy) -> None:
    passed = proxy.passed
    say(f"passed on {counted(passed['down'], 'message')} down, {passed['up']:,} up")
    for fault in proxy.faults:
        of = f" of {fault.matched:,} that matched" if fault.matched else ""
        say(f"{fault.name}: struck {fault.applied:,}{of}")
