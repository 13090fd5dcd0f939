"""What a load profile may say: how many, over what time, doing what, and what is expected of the target."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from wsctl.client.backoff import USUAL
from wsctl.client.target import Policy, Reconnect
from wsctl.errors import UsageError
from wsctl.server.options import ServeOptions
from wsctl.spec.typed import Duration, Names

Users = Annotated[int, Meta(ge=1)]
Positive = Annotated[Duration, Meta(gt=0)]
Bounds = str | float | tuple[str | float, ...]


class StageSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stretch of the load's course; `ramp`, `hold`, `step` or `spike`."""

    ramp: Annotated[
        Annotated[int, Meta(ge=0)] | None, Meta(description="Go to so many users, evenly, `over` a time.")
    ] = None
    hold: Annotated[Annotated[Duration, Meta(gt=0)] | None, Meta(description="Stay for so long.")] = None
    step: Annotated[Users | None, Meta(description="Add so many users `every` so often, up to `until`.")] = None
    spike: Annotated[
        Users | None, Meta(description="Add so many users at once and take them away after `lasting`.")
    ] = None
    over: Annotated[Annotated[Duration, Meta(ge=0)] | None, Meta(description="Of a ramp: how long it takes.")] = None
    every: Annotated[Annotated[Duration, Meta(gt=0)] | None, Meta(description="Of steps: how long each is held.")] = (
        None
    )
    until: Annotated[Users | None, Meta(description="Of steps: how many users are enough.")] = None
    lasting: Annotated[Annotated[Duration, Meta(gt=0)] | None, Meta(description="Of a spike: how long it stays.")] = (
        None
    )

    def __post_init__(self) -> None:
        kinds = [name for name in _BELONGING if getattr(self, name) is not None]
        if len(kinds) != 1:
            said = " and ".join(kinds) or "nothing"
            raise UsageError(f"a stage says {said}; expected one of {', '.join(_BELONGING)}")
        wanted = _BELONGING[kinds[0]]
        for name in ("over", "every", "until", "lasting"):
            if (getattr(self, name) is not None) is not (name in wanted):
                verb = "lacks" if name in wanted else "knows no"
                raise UsageError(f"{kinds[0]} {verb} {name!r}")


_BELONGING: dict[str, tuple[str, ...]] = {
    "ramp": ("over",),
    "hold": (),
    "step": ("every", "until"),
    "spike": ("lasting",),
}
"""what must stand beside each kind of stage"""


class JourneySpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a user does, and how many of them do it."""

    do: Annotated[
        Literal["prices", "channels", "bots", "churn", "returning", "several"],
        Meta(
            description="prices: subscribe and stay. channels: the same with `channels`. bots: watch the user's bots; "
            "takes tokens. churn: give a symbol up and take another, again and again. returning: leave, be away, come "
            "back. several: so many `connections` of one user."
        ),
    ]
    weight: Annotated[int, Meta(ge=1, description="Its share of the users, beside the weights of the others.")] = 1
    symbols: Annotated[
        int, Meta(ge=0, description="To how many of the symbols each subscribes, in turn; 0: to all.")
    ] = 1
    think: Annotated[
        Positive | tuple[Positive, ...] | None,
        Meta(description="Time between two doings of a user: one, or the least and the most of it."),
    ] = None
    away: Annotated[
        Positive | tuple[Positive, ...] | None,
        Meta(description="Of returning: how long a user is away, likewise."),
    ] = None
    polite: Annotated[bool, Meta(description="Of returning: false leaves without a word, as a cut line does.")] = True
    connections: Annotated[int, Meta(ge=1, description="Of several: so many of one user.")] = 1

    def __post_init__(self) -> None:
        for name in ("think", "away"):
            between(getattr(self, name), name)
        for name, journeys in _ONLY_OF.items():
            if self.do not in journeys and getattr(self, name) != _UNASKED[name]:
                raise UsageError(f"{self.do} knows no {name!r}; {' and '.join(journeys)} may have it")
        if self.do == "several" and self.connections < 2:
            raise UsageError("several lacks 'connections', how many of one user; expected 2 or more")


_ONLY_OF = {
    "think": ("churn", "returning"),
    "away": ("returning",),
    "polite": ("returning",),
    "connections": ("several",),
}
_UNASKED = {"think": None, "away": None, "polite": True, "connections": 1}


def between(time: float | tuple[float, ...] | None, name: str) -> tuple[float, float] | None:
    """The least and the most of a time, in seconds. Raises UsageError for what are not two of them, in order."""
    if time is None or isinstance(time, float):
        return None if time is None else (time, time)
    if len(time) != 2 or time[0] > time[1]:
        raise UsageError(f"{name} is a list; expected two times, the shorter one first, such as [2s, 10s]")
    return time[0], time[1]


class TokensSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who the connections are; connection i shows token i, from the first again when there are no more."""

    users: Annotated[Users | None, Meta(description="Mint tokens of so many users, load-1 and so on.")] = None
    jwt_secret: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="What they are signed with; if not given that of `serve`, or serve's usual."),
    ] = None
    file: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="Take them from this file, one a line, beside the profile."),
    ] = None

    def __post_init__(self) -> None:
        if (self.users is None) == (self.file is None):
            what = "both users and file" if self.file is not None else "neither users nor file"
            raise UsageError(f"tokens has {what}; expected one of them")
        if self.file is not None and self.jwt_secret is not None:
            raise UsageError("tokens of a file are signed already; jwt_secret is for users")


class BackoffSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What clients do after a loss."""

    attempts: Annotated[
        int, Meta(ge=0, description="Failed attempts in a row before a client gives up; 0: a loss ends it.")
    ] = 10
    policy: Annotated[
        Policy,
        Meta(
            description="How long they wait: full-jitter anything up to a limit that doubles, and longer where a "
            "server says so (Retry-After); fixed always `delay`; the others as the client of that name does."
        ),
    ] = "full-jitter"
    delay: Annotated[
        Annotated[Duration, Meta(gt=0)] | None,
        Meta(description="The first delay, of full-jitter its limit; if not given as the policy has it, mostly 1s."),
    ] = None
    delay_max: Annotated[
        Annotated[Duration, Meta(gt=0)] | None,
        Meta(description="The longest; if not given as the policy has it, 30s of full-jitter. fixed has none."),
    ] = None
    always: Annotated[bool, Meta(description="Come back even where the server says not to: the naive client.")] = False

    def options(self) -> Reconnect:
        """What clients are told."""
        delay, delay_max = USUAL[self.policy]
        return Reconnect(
            attempts=self.attempts,
            policy=self.policy,
            delay=delay if self.delay is None else self.delay,
            delay_max=delay_max if self.delay_max is None else self.delay_max,
            always=self.always,
        )


class AbortSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """When to end before the course is over."""

    on_breach: Annotated[bool, Meta(description="As soon as an expectation is missed for longer than `grace`.")] = True
    grace: Annotated[Duration, Meta(ge=0, description="How long one may be missed.")] = 10.0


class LoadSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many connections, over what time, doing what."""

    users: Annotated[Users | None, Meta(description="So many connections; `stages` instead say it over time.")] = None
    duration: Annotated[Positive | None, Meta(description="With users: how long they stay once all have set out.")] = (
        None
    )
    ramp: Annotated[
        Annotated[Duration, Meta(ge=0)] | None,
        Meta(description="With users: over how long they set out; if not given as connect_rate allows."),
    ] = None
    stages: Annotated[
        tuple[StageSpec, ...], Meta(description="The course of the load, one stage after the other.")
    ] = ()
    warmup: Annotated[
        Annotated[Duration, Meta(ge=0)] | None,
        Meta(
            description=(
                "Latencies and rates this soon after the start are left out; if not given the first ramp, a second at "
                "least."
            )
        ),
    ] = None
    symbols: Annotated[Names, Meta(description="Prices of these symbols.")] = ()
    channels: Annotated[Names, Meta(description="Any channels, for the journey of that name.")] = ()
    journeys: Annotated[
        tuple[JourneySpec, ...],
        Meta(
            description="What users do. If none is given each stays with one of the symbols, in turn, or with channels."
        ),
    ] = ()
    tokens: Annotated[TokensSpec | None, Meta(description="Who they are; nobody, if not given.")] = None
    connect_rate: Annotated[
        float, Meta(gt=0, description="New connections per second, evenly paced, of all workers.")
    ] = 1000.0
    format: Annotated[Literal["full", "compact"], Meta(description="Form of the prices to ask for.")] = "full"
    reconnect: Annotated[BackoffSpec, Meta(description="What clients do after a loss.")] = BackoffSpec()
    workers: Annotated[
        Annotated[int, Meta(ge=0)], Meta(description="Processes that hold the connections, on this machine; 0: one.")
    ] = 0
    seed: Annotated[int | None, Meta(description="Of everything that chance decides; if not given a new one.")] = None
    abort: Annotated[AbortSpec | None, Meta(description="When to end early; if not given never.")] = None

    def __post_init__(self) -> None:
        given = [name for name in ("users", "duration", "ramp") if getattr(self, name) is not None]
        if self.stages and given:
            raise UsageError(f"both stages and {given[0]}; expected one way to say how many users")
        if given and self.users is None:
            raise UsageError(f"{given[0]} without users; expected how many")


class ProfileSpec(LoadSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A load profile."""

    name: Annotated[str, Meta(min_length=1, description="What is tried, in a few words.")] = "load"
    description: Annotated[str, Meta(description="Why, and what to make of it.")] = ""
    serve: Annotated[
        ServeOptions | None,
        Meta(description="Start a mock feed for it, unless --url or --feed names one; `wsctl serve`, underscored."),
    ] = None
    url: Annotated[str | None, Meta(description="Where the feed is; --url and --feed come first.")] = None
    feed: Annotated[str | None, Meta(description="The same, named in wsctl.yaml.")] = None
    dialect: Annotated[str | None, Meta(description="How it speaks: socketio, binance, … or a file.")] = None
    target_metrics: Annotated[
        str | None, Meta(description="Where it tells its own figures in Prometheus' form, such as its /metrics.")
    ] = None
    expect: Annotated[
        dict[str, Bounds],
        Meta(description="Metrics and their bounds, such as `latency.p95: < 50 ms`; several bounds in a list."),
    ] = {}
