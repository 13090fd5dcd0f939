"""What load does around the run: the profile, the feed it may start, reports that listen, files at the end."""

import asyncio
import math
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory
from typing import Any

from msgspec import Struct, structs

from wsctl.cli.console import print_text, reader_may_leave, say
from wsctl.cli.drawing import drawn
from wsctl.cli.files import make_folder, make_place, write_whole
from wsctl.cli.groups import Aim
from wsctl.cli.live import redrawn
from wsctl.cli.loop import on_signals
from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.errors import ExitCode, UsageError
from wsctl.load import preflight
from wsctl.load.messages import Ready, Second
from wsctl.load.options import Control, LoadOptions, tokens_of
from wsctl.load.outcome.result import LoadResult
from wsctl.load.outcome.verdict import check_measured, check_tried
from wsctl.load.plan import LoadPlan
from wsctl.load.profile import AbortSpec, ProfileSpec, TokensSpec
from wsctl.load.read import read_profile
from wsctl.load.remote import RemoteLoad
from wsctl.load.run import Event, Listener, LoadRun
from wsctl.model.expectation import Expectation, expect_all, parse_expectation
from wsctl.model.finding import Verdict
from wsctl.report.junit import junit
from wsctl.report.load_lines import LoadLines
from wsctl.report.load_live import LoadLive
from wsctl.report.load_table import LoadTable
from wsctl.report.result_json import as_run, result_json
from wsctl.report.words import counted
from wsctl.scenario import programs
from wsctl.scenario.services import Service, Usage
from wsctl.server.sockets import is_loopback
from wsctl.spec.document import Document
from wsctl.spec.typed import written

_NO_TARGET = "nobody says where the feed is; expected --url, --feed, or a profile that does"
_NO_TARGET_HINT = "a profile with serve starts a mock feed of its own"


class Asked(Struct, frozen=True, kw_only=True):
    """The options of the command, as typed; None where not given."""

    profile: Path | None
    spec: dict[str, Any]
    """by key of the profile"""
    mint: int | None
    tokens: Path | None
    jwt_secret: str | None
    control: Control
    expected: tuple[Expectation, ...]
    abort_after: float | None
    find_limit: str | None
    target_metrics: str | None
    out: Path | None


async def run_load(asked: Asked, aim: Aim) -> ExitCode:
    """Run, show and write. Whatever ends it, reports are written and no process is left behind."""
    profile, document = _profile(asked)
    if asked.out is not None:
        make_folder(asked.out)
    for file in (asked.control.html, asked.control.csv):
        if file is not None:
            make_place(file)
    asked = structs.replace(asked, control=preflight.require_free(asked.control))
    async with AsyncExitStack() as stack:
        service = None
        found = aim(profile.url, profile.feed, profile.dialect)
        ours = found is None and profile.serve is not None
        if found is None and not ours:
            raise UsageError(_NO_TARGET, hint=_NO_TARGET_HINT)
        options = _options(asked, profile, Target(url="") if found is None else found.target, ours=ours)
        if ours:
            service = await _start(stack, profile, document)
            say(f"mock feed at {service.url}")
            made = aim(service.url, None, None)
            assert made is not None, "a URL was given"
            options = structs.replace(options, target=structs.replace(made.target, direct=True))
        options = _prepared(options)
        _warn(options)
        clock = SystemClock()
        usage = None if service is None else Usage(service.pid, clock.monotonic())
        result, failure = await _run(options, usage, asked.out)
    if failure is not None and not result.interrupted:
        raise failure
    return _exit_code(result)


def _warn(options: LoadOptions) -> None:
    """Say so where others could read what lets users in."""
    control, target = options.control, options.target
    secrets = {
        "the tokens": options.tokens or target.token is not None,
        "the handshake auth": target.auth,
        "the headers": target.headers,
        "the query of the URL": "?" in target.url,
    }
    told = [what for what, is_there in secrets.items() if is_there]
    if control.master and told and not is_loopback(control.bind):
        what = " and ".join(told)
        say(f"warning: whoever reaches {control.bind} at the master's port is told {what}, unencrypted")


async def be_worker(host: str, port: int) -> ExitCode:
    """Do as a master says, until it has had enough.

    Raises UsageError for a host that nobody knows, and TargetError where no master comes.
    """
    await _resolve(host, port)
    preflight_note = preflight.this_machine()
    say(f"worker for the master at {host}:{port}; {preflight_note.descriptors or 'any number of'} connections at most")
    stop = _Stop()
    with on_signals(stop, lambda: stop.called):
        async with RemoteLoad(LoadPlan(role="worker", host=host, port=port)) as load:
            stop.able(lambda: asyncio.create_task(load.stop()))
            if stop.called:  # before there was anything to stop
                await load.stop()
            say("waits for that master to take it in")
            async for report in load:
                if isinstance(report, Ready):
                    say("the master took it in")
    return ExitCode.INTERRUPTED if stop.called else ExitCode.PASSED


async def _resolve(host: str, port: int) -> None:
    """Raise UsageError for a host that nobody knows: Locust would wait for it."""
    try:
        await asyncio.get_running_loop().getaddrinfo(host, port)
    except (OSError, UnicodeError) as error:
        hint = "a name or an address alone; the port is --master-port" if "/" in host or ":" in host else None
        raise UsageError(f"the master's host {host} is not known", hint=hint) from error


class _Stop:
    """Called, it ends a load in good order; called again, at once."""

    def __init__(self) -> None:
        self.called = False
        self._end: Callable[[], Any] = lambda: None
        self._kill: Callable[[], Any] = lambda: None

    def __call__(self) -> None:
        if self.called:
            self._kill()
        else:
            say("stopping: what was counted is gathered")
            self._end()
        self.called = True

    def able(self, end: Callable[[], Any], kill: Callable[[], Any] = lambda: None) -> None:
        """What to do the first time, and the second."""
        self._end, self._kill = end, kill


async def _run(options: LoadOptions, usage: Usage | None, out: Path | None) -> tuple[LoadResult, Exception | None]:
    """From beginning to end, and its files."""
    clock = SystemClock()
    stop = _Stop()
    shows: list[Listener] = []

    def tell(event: Event) -> None:
        for show in shows:
            show(event)

    run = LoadRun(options, clock, tell)
    with on_signals(stop, lambda: stop.called):
        async with _showing(run, clock) as show:
            shows.append(show)
            if options.control.master:
                shows.append(_Awaited(options.control.awaited).listen)
            if usage is not None:
                shows.append(lambda event: usage.sample(clock.monotonic()))
            task = asyncio.create_task(run.run(dict if usage is None else usage.metrics))
            stop.able(run.stop, run.kill)
            result = await task
        _report(result, out, options.source or "", failed=run.failure is not None)
    return result, run.failure


class _Awaited:
    """Says `1 of 2 workers are there` whenever that changes, until the course begins."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._there: int | None = None

    def listen(self, event: Event) -> None:
        """Say it, if there is something to say."""
        if isinstance(event, Second) and event.elapsed <= 0 and len(event.processes) != self._there:
            self._there = len(event.processes)
            say(f"{self._there} of {counted(self._expected, 'worker')} there")


@asynccontextmanager
async def _showing(run: LoadRun, clock: SystemClock) -> AsyncIterator[Listener]:
    """A live view on a terminal, lines elsewhere; both on stderr."""
    if not sys.stderr.isatty():
        yield LoadLines(run, say).listen
        return
    with LoadLive(run, clock) as live:
        async with redrawn(live):
            yield live.listen


def _profile(asked: Asked) -> tuple[ProfileSpec, Document | None]:
    """What the file says, options before it. Raises UsageError."""
    profile, document = (ProfileSpec(), None) if asked.profile is None else read_profile(asked.profile, os.environ)
    given = {name: value for name, value in asked.spec.items() if value is not None}
    if "users" in given and profile.stages:
        given["stages"] = ()
    if asked.mint is not None or asked.tokens is not None:
        file = None if asked.tokens is None else str(asked.tokens.absolute())
        given["tokens"] = TokensSpec(users=asked.mint, file=file)
    if asked.abort_after is not None:
        given["abort"] = AbortSpec(grace=asked.abort_after)
    if not profile.symbols and "symbols" not in given and profile.serve is not None and profile.serve.symbols:
        given["symbols"] = profile.serve.symbols
    if profile.seed is None and "seed" not in given:
        given["seed"] = SystemRandom().randrange(2**32)
    if asked.target_metrics is not None:
        given["target_metrics"] = asked.target_metrics
    return structs.replace(profile, **given), document


def _options(asked: Asked, profile: ProfileSpec, target: Target, *, ours: bool) -> LoadOptions:
    """Everything but where our own feed is. Raises UsageError."""
    folder = Path() if asked.profile is None else asked.profile.parent
    secret = asked.jwt_secret or (profile.serve.jwt_secret if ours and profile.serve is not None else None)
    limit = None if asked.find_limit is None else parse_expectation(asked.find_limit)
    expected = (*expect_all(profile.expect), *asked.expected) if limit is None else asked.expected
    told = profile.target_metrics is not None
    check_measured(expected, server=ours, target=told, limit=limit is not None)
    if limit is not None:
        check_tried(limit)
    workers = profile.workers
    return LoadOptions(
        target=target,
        spec=profile,
        name=profile.name,
        source=None if asked.profile is None else str(asked.profile),
        tokens=tokens_of(profile.tokens, folder, secret),
        expected=expected,
        limit=limit,
        target_metrics=profile.target_metrics,
        control=structs.replace(asked.control, workers=workers),
    )


def _prepared(options: LoadOptions) -> LoadOptions:
    """With as many source addresses as it takes. Raises UsageError for what this machine cannot hold."""
    machine = preflight.this_machine()
    if options.limit is not None and options.spec.users is None:
        most = preflight.most_users(machine, workers=options.control.workers)
        options = structs.replace(options, spec=structs.replace(options.spec, users=most, stages=()))
    control = options.control
    addresses = preflight.source_addresses(options.target, options.most, machine)
    held = options.most
    if control.master:  # workers elsewhere look for themselves
        held = math.ceil(held * control.workers / control.awaited)
    if held:
        for note in preflight.require(machine, held, workers=control.workers, addresses=len(addresses)):
            say(f"note: {note}")
    return structs.replace(options, addresses=addresses)


async def _start(stack: AsyncExitStack, profile: ProfileSpec, document: Document | None) -> Service:
    """The profile's own feed."""
    assert profile.serve is not None
    assert document is not None, "only a file has serve"
    options: Mapping[str, Any] = written(profile.serve, document.data["serve"] or {})
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="wsctl-")))
    return await stack.enter_async_context(Service("feed", programs.serve(dict(options)), folder))


def _report(result: LoadResult, out: Path | None, file: str, *, failed: bool) -> None:
    """Files first: they are written even where stdout cannot be."""
    if out is not None:
        write_whole(out / "result.json", result_json(result))
        write_whole(out / "junit.xml", junit(as_run(result, file)))
    if result.series or not failed:  # else the error, which follows, is all there is to say
        with reader_may_leave():
            print_text(drawn(LoadTable(result), piped_width=110))
    if out is not None:
        say(f"wrote {out / 'result.json'} and {out / 'junit.xml'}")


def _exit_code(result: LoadResult) -> ExitCode:
    if result.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.PASSED if result.verdict is Verdict.PASS else ExitCode.FINDINGS
