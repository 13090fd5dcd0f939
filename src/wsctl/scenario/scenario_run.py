"""One scenario, run: services up, steps, services down, evidence kept where something failed."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import structs

from wsctl.client.target import Target
from wsctl.clock import Clock
from wsctl.errors import TargetError, WsctlError
from wsctl.model import observation
from wsctl.model.finding import Verdict
from wsctl.model.run import (
    Listener,
    ScenarioEnded,
    ScenarioResult,
    ScenarioStarted,
    ServiceStarted,
    StepEnded,
    StepResult,
    StepStarted,
    overall,
)
from wsctl.scenario import programs
from wsctl.scenario.harming import idle_fault
from wsctl.scenario.options import RunOptions
from wsctl.scenario.read import Scenario
from wsctl.scenario.services import Service
from wsctl.scenario.skipping import skip_reason, users_of
from wsctl.scenario.slugs import unique_slugs
from wsctl.scenario.spec import CommandSpec, ReplaySpec, StepSpec, is_url
from wsctl.scenario.speech import dialect_for, own_dialect, service_dialect
from wsctl.scenario.step_run import StepRun
from wsctl.scenario.steps import kind_of
from wsctl.scenario.steps.kind import Files
from wsctl.server.defaults import JWT_SECRET
from wsctl.spec.typed import written

INTERRUPTED = "interrupted"
_KEPT = (Verdict.PASS, Verdict.SKIPPED)
"""verdicts that need no evidence"""


class ScenarioRun:
    """A scenario under way. `result()` is true at any time, so that a run that breaks half-way can be reported."""

    def __init__(
        self,
        scenario: Scenario,
        options: RunOptions,
        clock: Clock,
        tell: Listener,
        *,
        name: str,
        folder: str,
        why: Callable[[], str],
    ) -> None:
        """`folder` is for its evidence, inside --out; `why` tells what to say of it when it is cancelled."""
        self.name = name
        self._scenario = scenario
        self._spec = scenario.spec
        self._options = options
        self._clock = clock
        self._tell = tell
        self._began = clock.monotonic()
        self._results: dict[str, StepResult] = {}
        self._running: dict[str, float] = {}
        """steps under way, and when they began"""
        self._services: dict[str, Service] = {}
        self._why = why
        self._folder = Path() if options.out is None else options.out / folder
        self._evidence: tuple[str, ...] = ()
        steps = [step.name or "" for _, step in self._spec.every_step() if not step.parallel]
        self._tapes = [step.record.file for _, step in self._spec.every_step() if step.record is not None]
        """that are recorded, which stay"""
        self._slugs = dict(zip(steps, unique_slugs(steps), strict=True))
        """of each step"""

    async def run(self) -> ScenarioResult:
        """Run it, and tell of each thing that happens. Raises what is wsctl's own fault, the result told before."""
        self._tell(ScenarioStarted(self.name))
        reason: str | None = None
        try:
            reason = await self._run()
        except asyncio.CancelledError:
            reason = self._why()
            raise
        except BaseException as error:
            reason = f"wsctl itself failed: {error}"
            raise
        finally:
            result = self._result(reason)
            self._tell(ScenarioEnded(result))
        return result

    def kill(self) -> None:
        """End the services at once."""
        for service in self._services.values():
            service.kill()

    async def _run(self) -> str | None:
        """The steps; answers why there are none, if so."""
        self._make_folder()
        try:
            async with AsyncExitStack() as stack:
                try:
                    if self._options.target is None:
                        await self._start_services(stack)
                except WsctlError as error:
                    return error.message
                for step in self._spec.steps:
                    await self._at_once(step.parallel or (step,))
                return await self._idle_fault()
        finally:
            self._keep_evidence()

    async def _start_services(self, stack: AsyncExitStack) -> None:
        for name in self._spec.services:
            service = self._services[name] = Service(name, self._program(name), self._folder)
            await stack.enter_async_context(service)
            self._tell(ServiceStarted(name, service.url))

    async def _idle_fault(self) -> str | None:
        """A fault that a proxy was given from the start and that never struck, in words."""
        for name, service in self._services.items():
            options = self._spec.services[name].chaos
            if options is not None and (options.faults or options.preset is not None):
                from wsctl.client.toxics import Toxics  # its HTTP library: a tenth of a second

                try:
                    async with Toxics(service.control) as toxics:
                        idle = await idle_fault(toxics, options)
                except TargetError as error:
                    return error.message
                if idle is not None:
                    return f"service {name}: {idle}"
        return None

    def _program(self, name: str) -> programs.Program:
        service = self._spec.services[name]
        if service.replay is not None:
            return programs.replay(service.replay, self._scenario.folder)
        if service.chaos is not None:
            upstreams = [
                upstream if is_url(upstream) else self._services[upstream].url for upstream in service.chaos.upstream
            ]
            return programs.chaos(service.chaos, upstreams, service_dialect(name, self._spec, self._scenario.folder))
        assert service.serve is not None, "a service is one of them"
        given = self._scenario.document.data["services"][name]["serve"] or {}
        return programs.serve(written(service.serve, given))

    async def _at_once(self, steps: tuple[StepSpec, ...]) -> None:
        """Run them. Whatever ends one, be it wsctl's own fault, has ended all of them when this returns or raises."""
        try:
            async with asyncio.TaskGroup() as group:
                for step in steps:
                    group.create_task(self._step(step))
        except ExceptionGroup as several:
            raise several.exceptions[0] from several

    async def _step(self, step: StepSpec) -> None:
        name = step.name or ""
        self._running[name] = self._clock.monotonic()
        self._tell(StepStarted(name, kind_of(step).seconds(step)))
        result, running = await self._judged(step)
        if step.record is not None:
            result = self._with_tape(result, self._folder / step.record.file)
        del self._running[name]
        self._results[name] = result
        if result.verdict not in _KEPT and running is not None and self._options.out is not None:
            result = self._results[name] = self._with_evidence(result, running, self._options.out)
        self._tell(StepEnded(result))

    def _with_tape(self, result: StepResult, tape: Path) -> StepResult:
        """The result, and the tape where it stays."""
        if self._options.out is None or not tape.exists():
            return result
        return structs.replace(result, evidence=(str(tape.relative_to(self._options.out)),))

    def _with_evidence(self, result: StepResult, running: StepRun, out: Path) -> StepResult:
        """The result, with the files that the step wrote, and its Observations in another."""
        written = tuple(str(file.relative_to(out)) for file in running.files)
        result = structs.replace(result, evidence=(*result.evidence, *written))
        seen = running.observations
        if not seen:
            return result
        path = self._folder / f"{self._slugs[result.name]}.jsonl"
        try:
            path.write_bytes(b"".join(observation.encode(one) + b"\n" for one in seen))
        except OSError as error:
            note = f"its Observations could not be kept: {(error.strerror or str(error)).lower()}"
            return structs.replace(result, notes=(*result.notes, note))
        return structs.replace(result, evidence=(*result.evidence, str(path.relative_to(out))))

    async def _judged(self, step: StepSpec) -> tuple[StepResult, StepRun | None]:
        if self._options.target is not None and (reason := skip_reason(step, self._spec)) is not None:
            return StepResult(name=step.name or "", verdict=Verdict.SKIPPED, duration=0.0, reason=reason), None
        _, options = step.command
        name = self._spec.service_of(options.target)
        aimed, service = (self._services.get(one or "") for one in (name, self._spec.origin_of(name)))
        tokens = {user: self._token(user, options.target) for user in users_of(step)}
        target = self._target(aimed, options)
        token = options.token if options.token is not None else tokens.get(options.user or "")
        if token is not None:
            target = structs.replace(target, token=token or None)  # an empty one is nobody's
        if options.transport is not None:
            target = structs.replace(target, transport=options.transport)
        running = StepRun(
            step,
            slug=self._slugs[step.name or ""],
            target=target,
            tokens=tokens,
            service=service,
            aimed=aimed,
            services=self._services,
            upstreams={name: len(one.chaos.upstream) for name, one in self._spec.services.items() if one.chaos},
            files=Files(self._scenario.folder, self._folder),
            clock=self._clock,
            tell=self._tell,
        )
        return await running.run(), running

    def _target(self, service: Service | None, options: CommandSpec) -> Target:
        if isinstance(options, ReplaySpec) and options.url is not None:
            return Target(url=options.url)
        if service is None:
            assert self._options.target is not None, "a scenario without services needs --url"
            target = self._options.target
            dialect = own_dialect(options, self._scenario.folder)
        else:
            origin = self._spec.origin_of(service.name) or ""
            place = urlsplit(origin)._replace(scheme="", netloc="").geturl() if is_url(origin) else ""
            target = Target(url=service.url + place, direct=True, insecure=True)
            dialect = dialect_for(options, self._spec, self._scenario.folder)
        return target if dialect is None else structs.replace(target, dialect=dialect)

    def _token(self, user: str, target: str | None) -> str:
        origin = self._spec.origin_of(self._spec.service_of(target)) or ""
        if self._options.target is not None or is_url(origin):
            return self._spec.tokens[user]
        from wsctl.server.auth import mint  # its library takes a while to import

        serve = self._spec.services[origin].serve
        return mint(user, (serve and serve.jwt_secret) or JWT_SECRET)

    def _result(self, reason: str | None) -> ScenarioResult:
        """What is known by now; steps under way count as interrupted."""
        now = self._clock.monotonic()
        for name, began in self._running.items():
            self._results[name] = StepResult(name=name, verdict=Verdict.ERROR, duration=now - began, reason=reason)
        steps = tuple(self._results.values())
        verdicts = [step.verdict for step in steps]
        return ScenarioResult(
            name=self.name,
            file=self._scenario.file,
            verdict=overall(verdicts if reason is None else [Verdict.ERROR, *verdicts]),
            duration=now - self._began,
            steps=steps,
            reason=reason,
            evidence=self._evidence,
        )

    def _make_folder(self) -> None:
        if self._options.out is None:
            self._folder = Path(tempfile.mkdtemp(prefix="wsctl-"))
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._remove_files()  # of an earlier run
            for tape in self._tapes:
                (self._folder / tape).unlink(missing_ok=True)
        except OSError as error:
            cause = (error.strerror or str(error)).lower()
            raise WsctlError(f"cannot use the folder {self._folder}: {cause}") from error

    def _keep_evidence(self) -> None:
        """Logs of a scenario that failed are kept where there is an --out; everything else goes."""
        out = self._options.out
        complete = not self._running and len(self._results) == sum(
            1 for _, step in self._spec.every_step() if not step.parallel
        )
        passed = complete and all(result.verdict in _KEPT for result in self._results.values())
        if out is None:
            shutil.rmtree(self._folder, ignore_errors=True)
        elif passed:
            self._remove_files()
            with suppress(OSError):  # somebody else keeps something there
                self._folder.rmdir()
        else:
            self._evidence = tuple(str(service.log.relative_to(out)) for service in self._services.values())

    def _remove_files(self) -> None:
        """What a run writes, and nothing else: the folder is the user's, and its name is not ours alone."""
        logs = (f"{name}.log" for name in self._spec.services)
        observations = (f"{slug}.jsonl" for slug in self._slugs.values())
        repros = (file.name for file in self._folder.glob("wsctl-fuzz-*.json"))
        for file in (*logs, *repros, *observations):
            (self._folder / file).unlink(missing_ok=True)
