"""What a load can be told; the command line, a profile and scenario steps fill the same struct."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from wsctl.client.target import Target, without_secrets
from wsctl.errors import UsageError
from wsctl.load.course import Course, Leg
from wsctl.load.plan import Journey, LoadPlan, Work
from wsctl.load.profile import JourneySpec, LoadSpec, StageSpec, TokensSpec, between
from wsctl.model.expectation import Expectation
from wsctl.server.defaults import JWT_SECRET
from wsctl.watch.wanted import Wanted
from wsctl.wire.dialect import Dialect
from wsctl.wire.dialects import spoken

DURATION = 30.0
"""seconds that users stay where nobody says how long"""
PACE = 1.25
"""how much faster than a ramp asks its users may set out, so that the last ones of a second are in time"""


class Control(Struct, frozen=True, kw_only=True):
    """Where Locust's processes are, and what of Locust's own is wanted."""

    workers: int = 0
    """processes on this machine"""
    master: bool = False
    """wait for workers of other machines, too"""
    expect_workers: int = 0
    """in all; 0: those of this machine"""
    bind: str = "127.0.0.1"
    """where workers find the master, an IP address or `*`; they are told the tokens, unencrypted"""
    port: int = 0
    web_host: str = "127.0.0.1"
    web_port: int | None = None
    html: Path | None = None
    csv: Path | None = None
    """the beginning of the files' names"""

    @property
    def awaited(self) -> int:
        """Workers that must be there before the load begins, wherever they run."""
        return max(self.expect_workers, self.workers)


class LoadOptions(Struct, frozen=True, kw_only=True):
    """What to do to whom, and what is expected. The repr does not show tokens."""

    target: Target
    spec: LoadSpec
    name: str = "load"
    source: str | None = None
    """the file that says it, for reports"""
    tokens: tuple[str, ...] = ()
    expected: tuple[Expectation, ...] = ()
    limit: Expectation | None = None
    """find the largest number of users that keeps it, instead of following a course"""
    target_metrics: str | None = None
    """URL of the target's own figures; it may hold secrets"""
    addresses: tuple[str, ...] = ()
    """source addresses"""
    control: Control = Control()

    def stages(self) -> tuple[StageSpec, ...]:
        """The course; empty where a limit is looked for. Raises UsageError where nobody says how many users."""
        return () if self.limit is not None else stages_of(self.spec)

    @property
    def most(self) -> int:
        """The most users that there will be; 0: not said yet."""
        return Course(self.stages()).most or self.spec.users or 0

    @property
    def raw(self) -> bool:
        """Whether the target speaks a raw WebSocket dialect."""
        dialect = spoken(self.target.dialect)
        return dialect is not None and dialect.over == "websocket"

    def plan(self) -> LoadPlan:
        """What the Locust process is told. Raises UsageError for what cannot be done."""
        control, spec = self.control, self.spec
        legs = Course(self.stages()).legs
        work = Work(
            target=self.target,
            journeys=self._journeys(),
            reconnect=spec.reconnect.options(),
            symbols=spec.symbols,
            tokens=self.tokens,
            format=spec.format,
            connect_rate=_pace(legs, spec.connect_rate),
            addresses=self.addresses,
            seed=spec.seed,
        )
        return LoadPlan(
            role="master" if control.workers or control.master else "single",
            work=work,
            legs=legs,
            users=self.most,
            workers=control.workers,
            expect_workers=control.awaited,
            bind=control.bind,
            port=control.port,
            web_host=control.web_host,
            web_port=control.web_port,
            html=None if control.html is None else str(control.html.absolute()),
            csv=None if control.csv is None else str(control.csv.absolute()),
        )

    def _journeys(self) -> tuple[Journey, ...]:
        """Those of the spec; none: everybody stays with one of the symbols, and with all of the channels."""
        spec = self.spec
        dialect = spoken(self.target.dialect)
        if dialect is not None:
            self._check_dialect(dialect)
        if not spec.journeys:
            if not spec.symbols and not spec.channels:
                raise UsageError("nothing to subscribe to", hint="--symbols BTC/USDT, or a --channel")
            both = [JourneySpec(do="prices")] * bool(spec.symbols) + [JourneySpec(do="channels")] * bool(spec.channels)
            return tuple(_journey(one, spec) for one in both)
        for journey in spec.journeys:
            self._check(journey)
        return tuple(_journey(one, spec) for one in spec.journeys)

    def _check(self, journey: JourneySpec) -> None:
        """Raise UsageError for what a journey lacks."""
        if journey.do == "bots" and not self.tokens and self.target.token is None:
            raise UsageError("bots are somebody's, and nobody has a token", hint="tokens: {users: 100}, or --mint 100")
        if journey.do == "channels" and not self.spec.channels:
            raise UsageError("the journey channels has none to ask for", hint="channels: [announcement], or --channel")
        if journey.do in ("prices", "churn") and not self.spec.symbols:
            raise UsageError(f"the journey {journey.do} has no symbols", hint="symbols: [BTC/USDT], or --symbols")
        if journey.do == "churn" and journey.symbols >= len(self.spec.symbols):
            raise UsageError(
                f"churn takes another symbol for one that it has; expected more than {len(self.spec.symbols)} symbols"
            )

    def _check_dialect(self, dialect: Dialect) -> None:
        """Raise UsageError for what a feed of others has not."""
        Wanted(dialect, self.target.url, self.spec.symbols, self.spec.channels)
        if dialect.over != "websocket":
            return
        if self.tokens:
            raise UsageError(
                f"{dialect.name} takes no token",
                hint="raw feeds take credentials by --header, or in the dialect file",
            )
        if any(journey.do == "bots" for journey in self.spec.journeys):
            raise UsageError(f"bots are about the platform's own feed; {dialect.name} has none")

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"LoadOptions({fields})"

    def __rich_repr__(self) -> Any:  # msgspec's own would show the tokens in a traceback
        """The fields as rich shows them, tokens and secrets left out."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name == "tokens":
                value = f"{len(value)} tokens"
            elif name == "target_metrics" and value is not None:
                value = without_secrets(value)
            yield name, value


def stages_of(spec: LoadSpec) -> tuple[StageSpec, ...]:
    """The course that a spec means. Raises UsageError where it does not say how many users."""
    if spec.stages:
        return spec.stages
    if spec.users is None:
        raise UsageError("nobody says how many users", hint="--users 1000, or a profile with users or stages")
    ramp = spec.ramp if spec.ramp is not None else PACE * spec.users / spec.connect_rate
    return StageSpec(ramp=spec.users, over=ramp), StageSpec(hold=spec.duration or DURATION)


def minted_users(users: int) -> tuple[str, ...]:
    """The ids of users whose tokens are minted."""
    return tuple(f"load-{number}" for number in range(1, users + 1))


def tokens_of(spec: TokensSpec | None, folder: Path, secret: str | None = None) -> tuple[str, ...]:
    """Minted, or out of a file beside the profile. `secret` is that of our own feed. Raises UsageError."""
    if spec is None:
        return ()
    if spec.users is not None:
        from wsctl.server.auth import mint  # its library takes a while to import

        key = spec.jwt_secret or secret or JWT_SECRET
        return tuple(mint(user, key) for user in minted_users(spec.users))
    assert spec.file is not None
    try:
        lines = (folder / Path(spec.file).expanduser()).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "not text"
        raise UsageError(f"the file of tokens {spec.file} cannot be read: {cause.lower()}") from error
    tokens = tuple(line.strip() for line in lines if line.strip())
    if not tokens:
        raise UsageError(f"the file of tokens {spec.file} is empty; expected one a line")
    return tokens


def _pace(legs: Sequence[Leg], most: float) -> float:
    """At which rate users set out: that of the steepest ramp, so that those of a second do not come all at once."""
    if not legs or any(leg.first != before.last for before, leg in itertools.pairwise(legs)) or legs[0].first:
        return most  # users are asked for at once
    steepest = max((leg.last - leg.first) / max(leg.ends - leg.begins, 1e-9) for leg in legs)
    return min(most, max(1.0, steepest * PACE))


def _journey(one: JourneySpec, spec: LoadSpec) -> Journey:
    times = {name: pair for name in ("think", "away") if (pair := between(getattr(one, name), name)) is not None}
    return Journey(
        kind=one.do,
        weight=one.weight,
        symbols=one.symbols,
        channels=spec.channels if one.do == "channels" else (),
        polite=one.polite,
        connections=one.connections,
        **times,
    )
