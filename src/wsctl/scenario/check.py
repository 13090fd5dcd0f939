"""What types cannot see in a scenario: unknown services, metrics that nobody measures, steps that are too short."""

import re
from collections.abc import Iterable
from pathlib import Path as File
from typing import Any

from msgspec import structs

from wsctl.chaos.faults.stall import StallSpec
from wsctl.chaos.presets import PRESETS
from wsctl.client.target import DEFAULT_URL, Target, normalise_url
from wsctl.errors import UsageError
from wsctl.load.options import LoadOptions
from wsctl.model.expectation import Expectation, expect
from wsctl.scenario.check_speech import check_dialect, check_file, check_recording, check_replay, check_speech
from wsctl.scenario.harms import HARMS, faults_of, last_strike, outage
from wsctl.scenario.skipping import users_of
from wsctl.scenario.spec import (
    COMMANDS,
    OF_FEEDS,
    ActionSpec,
    ChaosServiceSpec,
    CommandSpec,
    FuzzSpec,
    ListenSpec,
    LoadStepSpec,
    ReplaySpec,
    ScenarioSpec,
    StepSpec,
    SubscribeSpec,
    WatchSpec,
    is_url,
    returns,
)
from wsctl.scenario.speech import beside
from wsctl.scenario.steps import kind_of
from wsctl.scenario.steps.listening import MEASURED_BY_ONE
from wsctl.scenario.steps.load import measured_for
from wsctl.scenario.steps.subscribe import MEASURED_BY_MANY
from wsctl.spec.document import Document, Path
from wsctl.spec.kinds import either
from wsctl.spec.nearest import nearest
from wsctl.spec.units import write_duration
from wsctl.swarm.clocks import is_loopback

_SERVICE = re.compile(r"\w[\w.-]*")
"""its log is a file of that name"""
_MANY = ("users", "connect_rate", "warmup", "spread", "slow", "slow_for")
"""options of subscribe that need `clients`"""
_ACTIONS = f"one of {', '.join(OF_FEEDS)}, or a fault of a proxy"
_ONE = ("notifications", "events", "max_silence", "seq_path", "time_path", "channel_path")
"""options that one client has and many have not"""


def check(document: Document, spec: ScenarioSpec, folder: File) -> None:
    """Raise UsageError, located, for the first thing that makes no sense. `folder` is that of the scenario's file."""
    for name, service in spec.services.items():
        if not _SERVICE.fullmatch(name):
            raise document.key_error(
                ("services", name), f"bad name of a service: {name!r}; expected letters, digits and . _ -"
            )
        if service.chaos is not None:
            _check_proxy(document, ("services", name, "chaos"), service.chaos, tuple(spec.services), folder)
        if service.replay is not None:
            check_recording(document, ("services", name, "replay"), service.replay, folder)
    names: dict[str, Path] = {}
    for path, step in spec.every_step():
        _check_shape(document, path, step)
        if step.parallel:
            continue
        assert step.name is not None
        if step.name in names:
            first = document.where(names[step.name])
            raise document.value_error((*path, "name"), f"step {step.name!r} is there twice; first in {first}")
        names[step.name] = (*path, "name")
        _Step(document, path, step, spec, folder).check()


def _check_proxy(
    document: Document, path: Path, options: ChaosServiceSpec, names: tuple[str, ...], folder: File
) -> None:
    """What it stands before starts before it."""
    name = path[1]
    earlier = names[: names.index(str(name))]
    for upstream in options.upstream:
        if is_url(upstream):
            _check_upstream(document, (*path, "upstream"), upstream)
        elif upstream not in earlier:
            why = f"there is no service {upstream!r}" if upstream not in names else f"{upstream} comes after {name}"
            raise document.value_error((*path, "upstream"), f"{why}; expected a service before it, or a URL")
    if options.dialect is not None:
        check_dialect(document, (*path, "dialect"), beside(folder, options.dialect))
    if options.preset is not None and options.preset not in PRESETS:
        close = _did_you_mean(options.preset, PRESETS) or f"known: {', '.join(PRESETS)}"
        raise document.value_error((*path, "preset"), f"there is no preset {options.preset!r}", hint=close)
    for index, fault in enumerate(options.faults):
        if len(given := list(faults_of(fault))) != 1:
            what = f"both {given[0]} and {given[1]}" if given else "no type"
            raise document.value_error((*path, "faults", index), f"the fault has {what}; expected one")


def _check_upstream(document: Document, path: Path, url: str) -> None:
    """Nothing harms another machine: `wsctl chaos --allow-remote` does, for `wsctl run --url`."""
    try:
        target = Target(url=normalise_url(url))
    except UsageError as error:
        raise document.value_error(path, error.message, hint=error.hint) from error
    if not is_loopback(target):
        hint = "wsctl chaos --allow-remote stands before it, and wsctl run --url aims at that"
        raise document.value_error(path, f"{target.shown} is not on this machine", hint=hint)


def _check_shape(document: Document, path: Path, step: StepSpec) -> None:
    """A step is one command with a name, or a list of such steps."""
    given = [*step.commands, *(("parallel",) if step.parallel else ())]
    if len(given) != 1:
        what = f"both {given[0]} and {given[1]}" if given else "no command"
        raise document.value_error(path, f"the step has {what}; expected one of {', '.join((*COMMANDS, 'parallel'))}")
    if not step.parallel:
        if step.name is None:
            raise document.value_error(path, "the step has no name; expected a few words that say what it shows")
    elif len(path) > 2:
        raise document.value_error(path, "parallel inside parallel; expected steps with a command")
    elif step.during or step.expect:
        key = "during" if step.during else "expect"
        raise document.key_error((*path, key), f"{key} beside parallel; expected inside one of its steps")


class _Step:
    """The checks of one step that has a command."""

    def __init__(self, document: Document, path: Path, step: StepSpec, spec: ScenarioSpec, folder: File) -> None:
        self._folder = folder
        self._document = document
        self._path = path
        self._step = step
        self._spec = spec
        self._command, self._options = step.command
        self._at = (*path, self._command)

    def check(self) -> None:
        """Each in turn."""
        self._check_target(self._at, self._options)
        self._check_client(self._options)
        if isinstance(self._options, ListenSpec):
            self._check_listening(self._options)
        if isinstance(self._options, SubscribeSpec):
            self._check_clients(self._options)
        if isinstance(self._options, LoadStepSpec):
            self._check_load(self._options)
        if isinstance(self._options, FuzzSpec):
            self._check_fuzz(self._options)
        if self._step.record is not None:
            check_file(self._document, self._at, self._step, self._spec)
        if self._step.replay is not None:
            check_replay(self._document, self._at, self._step, self._spec, self._folder)
        check_speech(self._document, self._path, self._step, self._spec, self._folder)
        for index, action in enumerate(self._step.during):
            self._check_action((*self._path, "during", index), action)
        self._check_holds()
        self._check_expectations()

    def _check_target(self, path: Path, options: CommandSpec) -> None:
        if isinstance(options, ReplaySpec):
            if options.url is None:
                self._check_service(path, "to", options.to)
        else:
            self._check_service(path, "target", options.target)

    def _check_service(self, path: Path, key: str, name: str | None) -> None:
        services = self._spec.services
        if name is not None and name not in services:
            hint = _did_you_mean(name, services) or f"known: {', '.join(services) or 'none'}"
            raise self._document.value_error((*path, key), f"there is no service {name!r}", hint=hint)
        if name is None and len(services) > 1:
            raise self._document.value_error(path, f"no {key}, and several services; expected {either(services)}")

    def _check_client(self, options: CommandSpec) -> None:
        names = ("tokens", "token") if isinstance(options, LoadStepSpec) else ("user", "users", "token")
        given = [name for name in names if getattr(options, name, None) not in (None, ())]
        if len(given) > 1:
            raise self._document.key_error(
                (*self._at, given[1]), f"both {given[0]} and {given[1]}; expected one of them"
            )
        if is_url(origin := self._spec.origin_of(self._spec.service_of(options.target)) or ""):
            for user in users_of(self._step):
                if not self._spec.tokens.get(user):
                    raise self._document.value_error(self._at, f"no token for {user} at {origin}; expected in tokens")

    def _check_listening(self, options: ListenSpec) -> None:
        names = ("symbols", "channels", "events", "bots", "notifications")
        if not any(getattr(options, name, ()) for name in names):
            raise self._document.value_error(self._at, "nothing to listen to; expected symbols or channels")

    def _check_load(self, options: LoadStepSpec) -> None:
        """What the engine would object to, said before anything starts."""
        try:
            target = Target(url=DEFAULT_URL, token="" if options.tokens is not None else None)
            LoadOptions(target=target, spec=options).plan()
        except UsageError as error:
            raise self._document.value_error(self._at, error.message, hint=error.hint) from error

    def _check_fuzz(self, options: FuzzSpec) -> None:
        """Probes that there are, and files that are beside the scenario."""
        from wsctl.fuzz.catalogue import chosen  # hundreds of cases: for scenarios that play them

        recorded = {one.record.file for _, one in self._spec.every_step() if one.record is not None}
        try:
            chosen(options.probes, options.groups)
        except UsageError as error:
            raise self._document.value_error((*self._at, "probes"), error.message, hint=error.hint) from error
        for key, files in (("corpus", options.corpus), ("repro", [options.repro] if options.repro else [])):
            for name in files:
                if name not in recorded and not (self._folder / name).is_file():
                    raise self._document.value_error((*self._at, key), f"there is no {self._folder / name}")

    def _check_clients(self, options: SubscribeSpec) -> None:
        """One client and many have different options."""
        unasked = {field.name: field.default for field in structs.fields(SubscribeSpec)}
        many = options.clients is not None
        for name in _ONE if many else _MANY:
            if getattr(options, name) != unasked[name]:
                only = "is for one client; it cannot stand beside clients" if many else "needs clients"
                raise self._document.key_error((*self._at, name), f"{name} {only}")
        if many and options.transport not in (None, "websocket"):
            raise self._document.value_error(
                (*self._at, "transport"), f"clients connect over WebSocket only; transport is {options.transport}"
            )
        if not many and not options.reconnect.resubscribe:
            raise self._document.key_error((*self._at, "reconnect", "resubscribe"), "resubscribe: false needs clients")
        for name, time, asked in (("warmup", options.warmup, True), ("slow_for", options.slow_for, options.slow)):
            if asked and time >= options.duration:
                raise self._document.value_error(
                    (*self._at, name),
                    f"the step is too short: duration is {write_duration(options.duration)}; "
                    f"expected more than {name}, {write_duration(time)}",
                )
        if many and options.clients is not None and options.slow > options.clients:
            raise self._document.value_error(
                (*self._at, "slow"), f"slow is {options.slow}; expected no more than the {options.clients} clients"
            )

    def _check_action(self, path: Path, action: ActionSpec) -> None:
        given = list(action.kinds)
        if len(given) != 1:
            what = f"both {given[0]} and {given[1]}" if given else "nothing to do"
            raise self._document.value_error(path, f"the action has {what}; expected {_ACTIONS}")
        name, options = action.kind
        target = options.target or self._options.target
        self._check_service((*path, name), "target", target)
        if not isinstance(self._options, ListenSpec | LoadStepSpec):
            raise self._document.key_error(
                (*self._path, "during"), f"during beside {self._command}, which has no duration"
            )
        self._check_doer((*path, name), name, options.target)
        if isinstance(options, StallSpec) and options.every is not None and self._looks_at("reconnect."):
            raise self._document.key_error(
                (*path, name, "every"),
                "every beside expectations of reconnect.*: a connection that outlives a stall is told of once; "
                "expected an action for each stall",
            )
        if isinstance(self._options, LoadStepSpec):
            self._check_beside_load(path, action.at, name, options)
        else:
            self._check_length(path, action.at, name, options)

    def _check_doer(self, path: Path, name: str, target: str | None) -> None:
        """Prices are a mock feed's to move; faults a proxy's; both can cut all off."""
        aimed = self._spec.service_of(target or self._options.target)
        doer = aimed if target is not None or name in HARMS or name == "flash" else self._spec.origin_of(aimed)
        service = self._spec.services.get(doer or "")
        if service is None:
            if doer is not None and is_url(doer):
                raise self._document.key_error(path, f"{name} takes a mock feed (serve); {doer} is another's")
            return
        able = {"serve": name in OF_FEEDS, "chaos": name in HARMS or name == "flash"}
        kind = next(kind for kind in ("serve", "chaos", "replay") if getattr(service, kind) is not None)
        if not able.get(kind, False):
            needed = "a proxy (chaos)" if name in HARMS else "a mock feed (serve)"
            what = {"serve": "a mock feed", "chaos": "a proxy", "replay": "a recording"}[kind]
            raise self._document.key_error(path, f"{name} takes {needed}; {doer} is {what}")

    def _proxy_of(self, target: str | None) -> ChaosServiceSpec | None:
        service = self._spec.services.get(self._spec.service_of(target or self._options.target) or "")
        return None if service is None else service.chaos

    def _check_beside_load(self, path: Path, at: float, name: str, options: Any) -> None:
        """A load says whom it lost at its peak and at its end, not who was back within what time."""
        assert isinstance(self._options, LoadStepSpec)
        if "within" in options.__struct_fields__:
            unasked = {field.name: field.default for field in structs.fields(type(options))}
            for key in ("within", "hold"):
                if getattr(options, key) != unasked[key]:
                    raise self._document.key_error(
                        (*path, name, key), f"{key} is about reconnect.*, which no load measures"
                    )
        seconds = measured_for(self._options)
        if at >= seconds:
            raise self._document.value_error(
                path,
                f"the step is too short: {write_duration(seconds)} once it is warm; "
                f"expected more than {write_duration(at)}, when {name} happens",
            )

    def _check_length(self, path: Path, at: float, name: str, options: Any) -> None:
        """An action must happen, and what comes of it be seen, before the step ends."""
        assert isinstance(self._options, ListenSpec)
        duration = self._options.duration
        needed, why = at, ""
        if "within" in options.__struct_fields__ and self._looks_at("reconnect."):
            chaos = self._proxy_of(options.target)
            upstreams = 1 if chaos is None else len(chaos.upstream)
            away = outage(options, upstreams)
            last = at + last_strike(options, upstreams)
            needed = round(last + away + options.within + options.hold, 9)  # 0.1 + 0.2 is 0.3
            why = f" with {name} at {write_duration(round(last, 9))}"
            why += f", outage {write_duration(away)}" if away else ""
            why += f", within {write_duration(options.within)} and hold {write_duration(options.hold)}"
        if needed > duration or (not why and needed == duration):
            time = write_duration(needed)
            expected = f"at least {time}{why}" if why else f"more than {time}, when {name} happens"
            where = (*self._at, "duration") if (*self._at, "duration") in self._document.values else path
            raise self._document.value_error(
                where, f"the step is too short: duration is {write_duration(duration)}; expected {expected}"
            )

    def _check_holds(self) -> None:
        """A client that comes back from one fault may meet the next: there is one H for all."""
        holds = {
            (index, name): write_duration(options.hold)
            for index, action in enumerate(self._step.during)
            for name, options in (action.kind,)
            if returns(action)
        }
        first = next(iter(holds.values()), None)
        for (index, name), hold in holds.items():
            if hold != first:
                path = (*self._path, "during", index, name, "hold")
                raise self._document.value_error(
                    path, f"hold is {hold}, and {first} before; expected one for all faults"
                )

    def _looks_at(self, family: str) -> bool:
        return any(metric.startswith(family) for metric in self._step.expect)

    def _check_expectations(self) -> None:
        measured = kind_of(self._step).measures(self._step)
        for metric, bounds in self._step.expect.items():
            path = (*self._path, "expect", metric)
            several = bounds if isinstance(bounds, tuple) else (bounds,)
            if not several:
                raise self._document.value_error(path, f"{metric} has no bound; expected one, such as 0 or < 50 ms")
            for bound in several:
                self._check_expectation(path, metric, bound)
            if metric not in measured:
                self._object_to_unmeasured(path, metric, measured)

    def _check_expectation(self, path: Path, metric: str, bound: str | float) -> Expectation:
        try:
            return expect(metric, bound)
        except UsageError as error:
            raise self._document.key_error(path, error.message, hint=error.hint) from error

    def _object_to_unmeasured(self, path: Path, metric: str, measured: Iterable[str]) -> None:
        options = self._options
        family = metric.partition(".")[0]
        alike = [name for name in measured if name.partition(".")[0] == family]
        if family == "reconnect" and isinstance(options, WatchSpec):
            hint = "it takes a flash, a disconnect or another fault that cuts, in during"
        elif family == "limit" and isinstance(options, SubscribeSpec):
            hint = "it takes clients, and a user or users"
        elif isinstance(options, SubscribeSpec) and options.clients is None and metric in MEASURED_BY_MANY:
            hint = "it takes clients"
        elif isinstance(options, SubscribeSpec) and metric in MEASURED_BY_ONE:
            hint = "it is measured by one client, without clients"
        else:
            families = {f"{name.partition('.')[0]}.*" if "." in name else name for name in measured}
            hint = f"measured are {', '.join(sorted(alike or families))}"
        raise self._document.key_error(path, f"{metric} is not measured by this {self._command} step", hint=hint)


def _did_you_mean(name: str, known: Iterable[str]) -> str | None:
    close = nearest(name, known)
    return f"did you mean {close}?" if close else None
