"""What a scenario file may say: the typed specs that validation, messages, JSON Schema and docs come from."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct, field

from wsctl.errors import UsageError
from wsctl.fuzz import options as fuzz
from wsctl.fuzz.probe import Group
from wsctl.load.profile import BackoffSpec, Bounds, LoadSpec
from wsctl.scenario.harms import HARMS, TARGET, FaultChoice, Harms
from wsctl.server.options import ServeOptions
from wsctl.spec.document import Path
from wsctl.spec.typed import Duration, Names

Percent = Annotated[float, Meta(ge=0, le=100)]


def is_url(name: str) -> bool:
    """Whether what a scenario names is a URL, and no service."""
    return "://" in name


class ReconnectSpec(BackoffSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What clients do after a loss."""

    resubscribe: Annotated[
        bool,
        Meta(
            description="Subscribe anew on each connection; false stands for clients that forget to. Takes `clients`."
        ),
    ] = True


class ClientSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a step's client goes and who it is."""

    target: Annotated[str | None, Meta(description="Name of the service to aim at; not needed where there is one.")] = (
        None
    )
    user: Annotated[
        str | None,
        Meta(description="Connect as this user: a token is minted, or with --url taken from `tokens`."),
    ] = None
    token: Annotated[
        str | None,
        Meta(description="A token as it is, instead of a user, for tokens that must be refused; empty: nobody's."),
    ] = None
    transport: Annotated[
        Literal["auto", "websocket", "polling"] | None,
        Meta(description="How to connect. auto, if not given: WebSocket, else long-polling; with `clients` WebSocket."),
    ] = None


class ListenSpec(ClientSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to listen to, and for how long."""

    dialect: Annotated[
        str | None,
        Meta(
            description="How the feed speaks: socketio, binance, … or a file beside the scenario. If not given, what "
            "the service plays; socketio."
        ),
    ] = None
    symbols: Annotated[Names, Meta(description="Prices of these symbols.")] = ()
    channels: Annotated[
        Names, Meta(description="Any channels, such as symbol:BTC/USDT:trades, or as the dialect calls them.")
    ] = ()
    duration: Annotated[
        Duration, Meta(gt=0, description="How long to listen, from the moment that everybody is subscribed.")
    ]
    reconnect: Annotated[ReconnectSpec, Meta(description="What clients do after a loss.")] = ReconnectSpec()


class WatchSpec(ListenSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to look at in what comes."""

    events: Annotated[Names, Meta(description="Look at events of these names only.")] = ()
    seq_path: Annotated[str | None, Meta(description="Where feeds of others keep the sequence number (JMESPath).")] = (
        None
    )
    time_path: Annotated[str | None, Meta(description="Where they keep the time of sending.")] = None
    channel_path: Annotated[str | None, Meta(description="Where they keep the channel.")] = None


class SubscribeSpec(WatchSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Listen to a feed, with one client or with many."""

    bots: Annotated[bool, Meta(description="The bots of the user.")] = False
    notifications: Annotated[bool, Meta(description="The user's notifications and balances, and announcements.")] = (
        False
    )
    max_silence: Annotated[
        Annotated[Duration, Meta(gt=0)] | None,
        Meta(description="Fail as soon as a channel is silent for longer than this. One client only."),
    ] = None
    clients: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="So many connections, held by a process of their own; without it one."),
    ] = None
    users: Annotated[Names, Meta(description="The clients connect as these users, in turn.")] = ()
    connect_rate: Annotated[float, Meta(gt=0, description="New clients per second.")] = 500.0
    warmup: Annotated[Duration, Meta(ge=0, description="Latencies this soon after the start are left out.")] = 0.0
    spread: Annotated[bool, Meta(description="Each client listens to one of the symbols, in turn, instead of all.")] = (
        False
    )
    format: Annotated[Literal["full", "compact"], Meta(description="Form of the prices to ask for.")] = "full"
    slow: Annotated[int, Meta(ge=0, description="So many of the clients stop reading once measuring begins.")] = 0
    slow_for: Annotated[Duration, Meta(gt=0, description="For how long they do.")] = 5.0


class OrderingCheckSpec(WatchSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Judge the order of what comes: fails with any finding, and is unverifiable without sequence numbers."""


class EmitSpec(ClientSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Send one event and look at the answer."""

    event: Annotated[str, Meta(min_length=1, description="Event name, such as bot:subscribe:one.")]
    args: Annotated[tuple[Any, ...], Meta(description="Its arguments.")] = ()
    wait: Annotated[Duration, Meta(gt=0, description="How long to wait for what comes back.")] = 2.0


class RecordSpec(ListenSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Put all that one client hears and says on tape, and look at the tape."""

    file: Annotated[
        str,
        Meta(
            min_length=1,
            description="Name of the tape; .gz and .zst are compressed. It stays in the run's output folder.",
        ),
    ] = "tape.jsonl"


Speed = Annotated[float, Meta(gt=0)] | Literal["max"]


class PlaySpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to play, and how."""

    tape: Annotated[
        Names, Meta(min_length=1, description="A tape or a capture beside the scenario; several of one time together.")
    ]
    dialect: Annotated[str | None, Meta(description="What it speaks, where it does not say: a name, or a file.")] = None
    speed: Annotated[Speed, Meta(description="2 is twice as fast; max does not wait.")] = 1.0
    since: Annotated[Duration, Meta(ge=0, description="Begin here.")] = field(name="from", default=0.0)
    until: Annotated[Annotated[Duration, Meta(gt=0)] | None, Meta(description="End here.")] = None
    restamp: Annotated[bool, Meta(description="Times of sending become now, so that latency can be measured.")] = False

    def __post_init__(self) -> None:
        if self.until is not None and self.until <= self.since:
            raise UsageError("until is before from; expected it to be later")


class ReplayServiceSpec(PlaySpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Play a recorded feed to whoever listens, from the first subscription on."""

    loop: Annotated[bool, Meta(description="Begin anew at the end, in a new epoch.")] = False


class ReplaySpec(PlaySpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Play a recorded feed into a target, or a tape that an earlier step recorded."""

    to: Annotated[
        str | None,
        Meta(
            description="Where to: a service, or http(s)://, ws(s):// or redis://; not needed where there is one "
            "service."
        ),
    ] = None
    token: Annotated[str | None, Meta(description="A token to be let in with.")] = None
    user: ClassVar[None] = None
    transport: ClassVar[None] = None

    @property
    def target(self) -> str | None:
        """The service that it aims at."""
        return None if self.url is not None else self.to

    @property
    def url(self) -> str | None:
        """Where to, if that is no service."""
        return self.to if self.to is not None and is_url(self.to) else None


class LoadStepSpec(LoadSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Put the feed under load; the keys of a profile of `wsctl load`."""

    target: Annotated[str | None, Meta(description="Name of the service to aim at; not needed where there is one.")] = (
        None
    )
    token: Annotated[str | None, Meta(description="A token for all of them, instead of `tokens`.")] = None
    dialect: Annotated[
        str | None,
        Meta(description="How the feed speaks; if not given what the service plays, or socketio."),
    ] = None
    user: ClassVar[None] = None
    transport: ClassVar[None] = None


class FuzzSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Attack a feed as `wsctl fuzz` does: it fails where a probe or a generated case does any harm."""

    target: Annotated[str | None, Meta(description="Name of the service to attack; not needed where there is one.")] = (
        None
    )
    probes: Annotated[Names, Meta(description="Only these probes, such as F7.")] = ()
    groups: Annotated[tuple[Group, ...], Meta(description="Only these groups of probes.", extra={"unit": "names"})] = ()
    cases: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="Generate so many cases as well; 200 if not given, and none beside `probes`."),
    ] = None
    corpus: Annotated[
        Names, Meta(description="Tapes beside the scenario: cases are generated also out of what clients say there.")
    ] = ()
    repro: Annotated[
        str | None, Meta(description="A reproduction file beside the scenario: play it, and nothing else.")
    ] = None
    seed: Annotated[int | None, Meta(description="Of the generated cases; a random one, told in the notes.")] = None
    duration: Annotated[
        Annotated[Duration, Meta(gt=0)] | None, Meta(description="Stop after this long, with what there is by then.")
    ] = None
    max_stall: Annotated[
        Duration, Meta(gt=0, description="A connection beside the hostile ones may wait so long for an answer.")
    ] = fuzz.MAX_STALL
    max_bytes: Annotated[int, Meta(ge=1, description="That one case may send.")] = fuzz.MAX_BYTES
    rate: Annotated[float, Meta(ge=0, description="Cases a second at most; 0: as they come.")] = 0.0
    fail_fast: Annotated[bool, Meta(description="Stop at the first harm.")] = False
    i_own_this_target: Annotated[
        bool, Meta(description="Attack a --url that is not on this machine: you may do that to it.")
    ] = False
    user: Annotated[str | None, Meta(description="Attack as this user, as in subscribe.")] = None
    token: Annotated[str | None, Meta(description="A token as it is, instead of a user.")] = None
    dialect: Annotated[
        str | None,
        Meta(description="How the feed speaks; if not given what the service plays, or socketio."),
    ] = None
    transport: ClassVar[None] = None

    def __post_init__(self) -> None:
        beside = [name for name in ("probes", "groups", "cases", "corpus") if getattr(self, name) not in (None, ())]
        if self.repro is not None and beside:
            raise UsageError(f"repro plays its file and nothing else; {beside[0]} says what else")


CommandSpec = ClientSpec | ReplaySpec | LoadStepSpec | FuzzSpec


class FlashSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cut connections as a network failure would, and refuse new ones for a while."""

    target: Annotated[str | None, Meta(description=TARGET)] = None
    percent: Annotated[Percent, Meta(description="Share of the connections.")] = 100.0
    outage: Annotated[Duration, Meta(ge=0, description="For how long new connections are accepted and reset.")] = 0.0
    within: Annotated[
        Duration, Meta(gt=0, description="W: a client that is not back this long after the outage has failed.")
    ] = 30.0
    hold: Annotated[Duration, Meta(ge=0, description="H: how long a client must stay well to count as back.")] = 5.0


class DisconnectSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Close connections in good order; clients are told that they may come back."""

    target: Annotated[str | None, Meta(description=TARGET)] = None
    percent: Annotated[Percent, Meta(description="Share of the connections.")] = 100.0
    user: Annotated[str | None, Meta(description="Those of this user only.")] = None
    within: Annotated[Duration, Meta(gt=0, description="W, as in flash.")] = 30.0
    hold: Annotated[Duration, Meta(ge=0, description="H, as in flash.")] = 5.0


class PriceSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Move a market."""

    target: Annotated[str | None, Meta(description=TARGET)] = None
    symbol: Annotated[str, Meta(description="Which.")]
    price: Annotated[float, Meta(gt=0, description="Where to.")]


class AnnounceSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tell everybody who listens to `announcement`."""

    target: Annotated[str | None, Meta(description=TARGET)] = None
    title: Annotated[str, Meta(description="What to say.")]
    body: Annotated[str, Meta(description="And at length.")] = ""


class NotifySpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tell one user."""

    target: Annotated[str | None, Meta(description=TARGET)] = None
    user: Annotated[str, Meta(description="Whom.")]
    title: Annotated[str, Meta(description="What to say.")]
    body: Annotated[str, Meta(description="And at length.")] = ""
    level: Annotated[Literal["info", "warning", "error"], Meta(description="How grave it is.")] = "info"


class TargetSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which service."""

    target: Annotated[str | None, Meta(description=TARGET)] = None


class ActionSpec(Harms, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Something that happens while a step runs: a time, and one of the others."""

    at: Annotated[
        Duration,
        Meta(
            ge=0,
            description="When, counted from the moment that everybody is subscribed; of a load that it is warm.",
        ),
    ]
    flash: Annotated[FlashSpec | None, Meta(description="Cut connections as a network failure would.")] = None
    disconnect: Annotated[DisconnectSpec | None, Meta(description="Close connections in good order.")] = None
    price: Annotated[PriceSpec | None, Meta(description="Move a market.")] = None
    announce: Annotated[AnnounceSpec | None, Meta(description="Tell everybody.")] = None
    notify: Annotated[NotifySpec | None, Meta(description="Tell one user.")] = None
    pause: Annotated[TargetSpec | None, Meta(description="Stop prices; closing heartbeats go out.")] = None
    resume: Annotated[TargetSpec | None, Meta(description="Let prices go on.")] = None

    @property
    def kinds(self) -> dict[str, Any]:
        """What happens, by name; a sound action has one."""
        given = {name: getattr(self, name.replace("-", "_")) for name in ACTIONS}
        return {name: options for name, options in given.items() if options is not None}

    @property
    def kind(self) -> tuple[str, Any]:
        """The name and the options of what happens."""
        return next(iter(self.kinds.items()))


OF_FEEDS = ("flash", "disconnect", "price", "announce", "notify", "pause", "resume")
"""what a mock feed does"""
ACTIONS = (*OF_FEEDS, *HARMS)
"""the keys that say what happens"""


def returns(action: ActionSpec) -> bool:
    """Whether clients have to come back from it, so that it says within what time."""
    return "within" in action.kind[1].__struct_fields__


class StepSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """One step: a name, one command, and what is expected of it. Or several at once."""

    name: Annotated[str | None, Meta(description="What it shows, in a few words; required but for `parallel`.")] = None
    subscribe: Annotated[SubscribeSpec | None, Meta(description="Listen, with one client or with many.")] = None
    ordering_check: Annotated[OrderingCheckSpec | None, Meta(description="Judge the order of what comes.")] = None
    emit: Annotated[EmitSpec | None, Meta(description="Send one event and look at the answer.")] = None
    record: Annotated[RecordSpec | None, Meta(description="Put what one client hears on tape.")] = None
    replay: Annotated[ReplaySpec | None, Meta(description="Play a tape into a target.")] = None
    load: Annotated[LoadStepSpec | None, Meta(description="Put it under load, as `wsctl load` does.")] = None
    fuzz: Annotated[FuzzSpec | None, Meta(description="Attack it, as `wsctl fuzz` does.")] = None
    parallel: Annotated[tuple["StepSpec", ...], Meta(description="Steps that run at the same time.")] = ()
    during: Annotated[tuple[ActionSpec, ...], Meta(description="What happens meanwhile.")] = ()
    expect: Annotated[
        dict[str, Bounds],
        Meta(description="Metrics and their bounds, such as `latency.p95: < 50 ms`; several bounds in a list."),
    ] = {}

    @property
    def commands(self) -> dict[str, CommandSpec]:
        """What it does, by name; a sound step has one, or `parallel`."""
        given = {name: getattr(self, name.replace("-", "_")) for name in COMMANDS}
        return {name: options for name, options in given.items() if options is not None}

    @property
    def command(self) -> tuple[str, CommandSpec]:
        """The name and the options of what it does."""
        return next(iter(self.commands.items()))


class ChaosServiceSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A proxy before a feed, as `wsctl chaos` is one: it harms what passes, from the start or `during` a step.

    Steps that are to go through it aim at it. Each of `faults` has to strike somebody before the scenario is over, and
    something of a preset, else its verdict is `error`.
    """

    upstream: Annotated[
        Names,
        Meta(
            min_length=1,
            description="What is behind it: services, which come first, or URLs on this machine; several are taken in "
            "turn.",
        ),
    ]
    faults: Annotated[
        tuple[FaultChoice, ...], Meta(description="In force before anybody comes, such as `drop: {p: 0.01}`.")
    ] = ()
    preset: Annotated[str | None, Meta(description="Faults that go together, as `wsctl chaos --list` shows them.")] = (
        None
    )
    seed: Annotated[int | None, Meta(description="Of everything that chance decides; else one is picked.")] = None
    dialect: Annotated[
        str | None,
        Meta(description="How a feed at a URL speaks: socketio, binance, … or a file beside the scenario."),
    ] = None


class ServiceSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that runs as long as the scenario."""

    serve: Annotated[
        ServeOptions | None, Meta(description="A mock feed; the options of `wsctl serve`, underscored.")
    ] = None
    replay: Annotated[ReplayServiceSpec | None, Meta(description="A recorded feed, as `wsctl replay` plays it.")] = None
    chaos: Annotated[ChaosServiceSpec | None, Meta(description="A proxy that harms what passes.")] = None

    def __post_init__(self) -> None:
        given = [name for name in ("serve", "replay", "chaos") if getattr(self, name) is not None]
        if len(given) != 1:
            what = f"both {given[0]} and {given[1]}" if given else "nothing to run"
            raise UsageError(f"the service has {what}; expected one of serve, replay, chaos")


class ScenarioSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scenario file."""

    name: Annotated[str, Meta(min_length=1, description="What is shown, in a sentence.")]
    description: Annotated[str, Meta(description="Why, and what to make of it.")] = ""
    tags: Annotated[Names, Meta(description="For --tag.")] = ()
    matrix: Annotated[
        dict[str, tuple[Any, ...]],
        Meta(description="Runs the scenario once for each combination; `${matrix.NAME}` is the value."),
    ] = {}
    defaults: Annotated[dict[str, Any], Meta(description="Options for every step that knows them.")] = {}
    tokens: Annotated[
        dict[str, str],
        Meta(description="Tokens of users, for feeds whose secret is not ours; an empty one counts as none."),
    ] = {}
    services: Annotated[
        dict[str, ServiceSpec],
        Meta(description="Started before the first step, stopped after the last; each has a name."),
    ] = {}
    steps: Annotated[tuple[StepSpec, ...], Meta(min_length=1, description="One after the other.")]

    def service_of(self, target: str | None) -> str | None:
        """The service that a step or an action aims at: the one it names, or the only one; None where there is none."""
        return target if target is not None else next(iter(self.services), None)

    def origin_of(self, service: str | None) -> str | None:
        """The feed that is heard at a service: behind a proxy, the first of its upstreams, perhaps a URL."""
        while service in self.services and (chaos := self.services[service].chaos) is not None:
            service = chaos.upstream[0]
        return service

    def every_step(self) -> Iterator[tuple[Path, StepSpec]]:
        """Each step with its place, those of `parallel` after the one that holds them."""
        for index, step in enumerate(self.steps):
            yield ("steps", index), step
            for inner, parallel in enumerate(step.parallel):
                yield ("steps", index, "parallel", inner), parallel


COMMAND_SPECS: Mapping[str, type[CommandSpec]] = {
    "subscribe": SubscribeSpec,
    "ordering-check": OrderingCheckSpec,
    "emit": EmitSpec,
    "record": RecordSpec,
    "replay": ReplaySpec,
    "load": LoadStepSpec,
    "fuzz": FuzzSpec,
}
COMMANDS = tuple(COMMAND_SPECS)
"""the keys that say what a step does"""
