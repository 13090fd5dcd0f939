"""One step, run: its engine, what happens `during` it, and an eye on the server meanwhile."""

import asyncio
import math
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
from msgspec import structs

from wsctl.client.target import Target
from wsctl.clock import Clock
from wsctl.errors import TargetError, UsageError
from wsctl.model.finding import Verdict
from wsctl.model.metrics import Metrics
from wsctl.model.observation import Observation
from wsctl.model.run import ActionDone, Listener, StepProgress, StepResult
from wsctl.scenario.actions import NeverFired, perform
from wsctl.scenario.harming import Harm
from wsctl.scenario.harms import HARMS
from wsctl.scenario.judge import judge
from wsctl.scenario.services import Service, Usage
from wsctl.scenario.spec import ActionSpec, ListenSpec, StepSpec
from wsctl.scenario.steps import kind_of
from wsctl.scenario.steps.kind import Context, Files, Outcome
from wsctl.swarm.messages import Fault

LOOK_INTERVAL = 0.25
"""seconds between two looks at the server's process"""


class StepRun:
    """A step and everything around it. `slug` is its name as part of others.

    `service` is the feed that it is about, `aimed` what it connects to: that feed, or a proxy before it. None: a server
    that wsctl did not start.
    """

    def __init__(
        self,
        step: StepSpec,
        *,
        slug: str,
        target: Target,
        tokens: dict[str, str],
        service: Service | None,
        aimed: Service | None,
        services: dict[str, Service],
        upstreams: Mapping[str, int],
        files: Files,
        clock: Clock,
        tell: Listener,
    ) -> None:
        self.observations: tuple[Observation, ...] = ()
        """evidence, once it has run"""
        self.files: tuple[Path, ...] = ()
        """the same, in the folder of the run"""
        self._step = step
        self._name = step.name or ""
        self._slug = slug
        self._service = service
        self._aimed = aimed
        self._upstreams = upstreams
        """how many each proxy has"""
        self._harms: list[Harm] = []
        """faults of chaos proxies that are in force"""
        self._stack = AsyncExitStack()
        # who attacks a service says itself what became of it
        self._watched = [one for one in services.values() if step.fuzz is None or one is not service]
        self._services = services
        self._clock = clock
        self._tell = tell
        self._context = Context(
            target=target,
            tokens=tokens,
            files=files,
            clock=clock,
            progress=self._progress,
            measuring=self._begin,
            measured=self._end,
            pid=None if service is None else service.pid,
        )
        self._usage: Usage | None = None
        """of the service's process, once measuring began"""
        self._sampling = True
        self._acting: asyncio.Task[None] | None = None
        self._left = sorted(step.during, key=lambda action: action.at)
        self._ends_at = math.inf
        """unix seconds: when a step that listens ends, once measuring began"""
        self._unfired: str | None = None

    async def run(self) -> StepResult:
        """The step's result, also where the target was not there, or there is no doing what was asked for.

        Raises what is wsctl's own fault.
        """
        began = self._clock.monotonic()
        try:
            async with self._stack:
                try:
                    outcome = await self._work()
                finally:
                    await self._end_harms()
        except (TargetError, UsageError) as error:
            return self._broken(error.message, began)
        if self._unfired is None and self._left:
            name, _ = self._left[0].kind
            self._unfired = f"{name} never happened: the step was over before" + (
                f" ({outcome.reason})" if outcome.reason else ""
            )
        self.observations, self.files = outcome.observations, outcome.files
        if self._context.on_fault is not None:  # somebody is counted
            outcome.notes += tuple(note for harm in self._harms if (note := harm.left_out()) is not None)
        result = judge(self._step, outcome, duration=self._clock.monotonic() - began, ours=self._service is not None)
        if self._unfired is not None:
            result = structs.replace(result, verdict=Verdict.ERROR, reason=self._unfired)
        return result

    async def _work(self) -> Outcome:
        """The engine, for as long as the server lives; with the server's own figures."""
        for service in self._services.values():
            service.check()
        if self._left:
            # its HTTP library: a tenth of a second that must not fall into what is measured
            import wsctl.client.control
            import wsctl.client.toxics  # noqa: F401
        engine = asyncio.ensure_future(kind_of(self._step).run(self._step, self._context))
        looking = asyncio.create_task(self._look())
        try:
            await asyncio.wait((engine, looking), return_when=asyncio.FIRST_COMPLETED)
            if not engine.done():
                await _ended(engine)
                looking.result()  # raises why
            outcome = await engine
            if outcome.reason is not None and self._service in self._watched:
                await self._service.check_soon(LOOK_INTERVAL)
        finally:
            for task in (engine, looking, self._acting):
                if task is not None:
                    await _ended(task)
        if self._acting is not None and not self._acting.cancelled():
            self._acting.result()  # raises what is wsctl's own fault
        if self._usage is not None:
            outcome.metrics |= self._usage.metrics()
        return outcome

    async def _look(self) -> None:
        """Sample the server's process; raises TargetError once it is gone."""
        while True:
            await asyncio.sleep(LOOK_INTERVAL)
            for service in self._watched:
                service.check()
            self._sample()
            for harm in self._harms:
                await self._look_at(harm)

    def _sample(self) -> None:
        if self._usage is not None and self._sampling:
            with suppress(psutil.Error):  # it is just ending: the next check says so
                self._usage.sample(self._clock.monotonic())

    def _begin(self) -> None:
        """Everybody is subscribed."""
        if self._acting is None:
            if self._service is not None:
                with suppress(psutil.Error):
                    self._usage = Usage(self._service.pid, self._clock.monotonic())
            _, options = self._step.command
            if isinstance(options, ListenSpec):
                self._ends_at = self._clock.now() + options.duration
            self._acting = asyncio.create_task(self._act())

    def _end(self) -> None:
        """Everybody is about to leave."""
        self._sample()
        self._sampling = False

    async def _act(self) -> None:
        began = self._clock.monotonic()
        while self._left:
            action = self._left[0]
            await asyncio.sleep(began + action.at - self._clock.monotonic())
            try:
                await self._perform(action)
            except NeverFired as error:
                self._unfired = str(error)
                return
            self._left.pop(0)

    async def _perform(self, action: ActionSpec) -> None:
        name, options = action.kind
        service = self._services[options.target] if options.target is not None else self._does(name)
        assert service is not None, "without a service the step was skipped"
        if service.control != service.url:
            await self._harm(service, action)
            return
        from wsctl.client.control import Control

        async with Control(service.url) as control:
            outcome, fault = await perform(control, action)
        self._tell(ActionDone(self._name, name, outcome))
        if fault is not None:
            await self._tell_fault(fault)

    def _does(self, name: str) -> Service | None:
        """Who does what an action says, if it does not: prices are the feed's own, faults those of what is aimed at."""
        return self._aimed if name in HARMS or name == "flash" else self._service

    async def _harm(self, service: Service, action: ActionSpec) -> None:
        from wsctl.client.toxics import Toxics

        toxics = await self._stack.enter_async_context(Toxics(service.control))
        harm = Harm(
            toxics,
            action,
            name=f"{self._slug}-{len(self._harms) + 1}-{action.kind[0]}",
            upstreams=self._upstreams.get(service.name, 1),
            ends_at=self._ends_at,
            clock=self._clock,
            tell=self._tell_fault,
        )
        self._harms.append(harm)
        self._tell(ActionDone(self._name, action.kind[0], await harm.begin()))

    async def _look_at(self, harm: Harm) -> None:
        try:
            await harm.look()
        except NeverFired as error:
            self._unfired = self._unfired or str(error)

    async def _end_harms(self) -> None:
        """They are over with the step; one that never struck makes it an error."""
        for harm in self._harms:
            try:
                await harm.end()
            except NeverFired as error:
                self._unfired = self._unfired or str(error)

    async def _tell_fault(self, fault: Fault) -> None:
        if self._context.on_fault is not None:
            await self._context.on_fault(fault)

    def _progress(self, metrics: Metrics) -> None:
        server = {} if self._usage is None else self._usage.metrics()
        self._tell(StepProgress(self._name, {**metrics, **server}))

    def _broken(self, reason: str, began: float) -> StepResult:
        seconds = self._clock.monotonic() - began
        return StepResult(name=self._name, verdict=Verdict.ERROR, duration=seconds, reason=reason)


async def _ended(task: "asyncio.Future[Any]") -> None:
    """End a task, if it has not; what it raised is for its owner, who has asked or has something graver to tell."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # else asyncio would print that nobody asked
