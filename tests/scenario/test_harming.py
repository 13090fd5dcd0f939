"""Faults of a proxy: names, which of them never struck, and who is told of those that they cut."""

import asyncio
from typing import Any

import msgspec
import pytest

from tests.watch.seen import T0, HandClock
from wsctl.client.toxics import Toxics
from wsctl.scenario.actions import NeverFired
from wsctl.scenario.harming import LATE, Harm, Strike, idle_fault
from wsctl.scenario.harms import named, preset_names
from wsctl.scenario.spec import ActionSpec, ChaosServiceSpec
from wsctl.swarm.messages import Fault


class Told(Toxics):
    """A proxy that answers this: type, matched and applied by name."""

    def __init__(self, **told: tuple[str, int, int]) -> None:
        self.told = told

    async def proxy(self) -> dict[str, Any]:
        toxics = [
            {"name": name.replace("_", "-"), "type": kind, "matched": matched, "applied": applied}
            for name, (kind, matched, applied) in self.told.items()
        ]
        return {"toxics": toxics}


def spec(**given: Any) -> ChaosServiceSpec:
    return msgspec.convert({"upstream": ["feed"], **given}, ChaosServiceSpec)


def test_names_are_their_own() -> None:
    """The type, as of `wsctl chaos --fault`, so that a seed means the same; then with numbers."""
    faults = spec(faults=[{"drop": {}}, {"drop": {"p": 0.5}}, {"stall": {}}], preset="flaky").faults
    assert list(named(faults, None)) == ["drop", "drop-2", "stall"]
    assert "drop" in preset_names("flaky")
    assert list(named(faults, "flaky")) == ["drop-2", "drop-3", "stall"]


@pytest.mark.parametrize(
    ("given", "told", "said"),
    [
        ({}, {}, None),
        ({"faults": [{"drop": {}}]}, {"drop": ("drop", 3, 1)}, None),
        (
            {"faults": [{"drop": {}}, {"drop": {}}]},
            {"drop": ("drop", 3, 1), "drop_2": ("drop", 1, 0)},
            "drop never struck: 1 time it might have",
        ),
        (
            {"preset": "exchange-maintenance"},
            {"close": ("close", 0, 0), "reject": ("reject", 5, 0)},
            "nothing of the preset exchange-maintenance ever struck",
        ),
        ({"preset": "exchange-maintenance"}, {"close": ("close", 9, 9), "reject": ("reject", 0, 0)}, None),
        ({"faults": [{"limit": {"attempts": 9}}]}, {"limit": ("limit", 3, 0)}, None),
        (
            {"faults": [{"limit": {"attempts": 9}}]},
            {"limit": ("limit", 0, 0)},
            "limit never struck: it met nothing that it is about",
        ),
    ],
    ids=[
        "nothing given",
        "struck",
        "one of two never did",
        "a preset that never did",
        "a preset of which one did",
        "a limit that was kept to",
        "a limit that met nobody",
    ],
)
def test_what_never_struck(given: dict[str, Any], told: dict[str, tuple[str, int, int]], said: str | None) -> None:
    """Each fault of its own has to; of a preset one is enough."""
    assert asyncio.run(idle_fault(Told(**told), spec(**given))) == said


class Struck(Toxics):
    """A proxy with one fault, which strikes whom a test says."""

    def __init__(self, *at_once: Strike) -> None:
        self.strikes = list(at_once)
        self.names: list[str | None] = []

    async def create(self, type_name: str, *, name: str | None = None, **options: Any) -> dict[str, Any]:
        self.names.append(name)
        return {"struck": list(self.strikes)}

    async def struck(self, name: str, start: int = 0) -> list[Strike]:
        return self.strikes[start:]

    async def show(self, name: str) -> dict[str, Any]:
        return {"type": "close", "matched": len(self.strikes), "applied": len(self.strikes)}

    async def delete(self, name: str) -> None:
        self.names.remove(name)


DURATION = 20.0
"""seconds that the step takes from T0"""


def strike(client: str | None, at: float, port: int = 0) -> Strike:
    return {"conn": "c1", "client": client, "port": port, "at": T0 + at}


class Harmed:
    """A fault of a step that begins at T0, and what is told of it."""

    def __init__(self, proxy: Struck, **action: Any) -> None:
        self.told: list[Fault] = []
        spec = msgspec.convert({"at": 0, **action}, ActionSpec)
        self.harm = Harm(
            proxy, spec, name="s-1-x", upstreams=2, ends_at=T0 + DURATION, clock=HandClock(), tell=self._tell
        )

    async def _tell(self, fault: Fault) -> None:
        self.told.append(fault)

    @property
    def clients(self) -> list[tuple[str, ...]]:
        return [fault.clients for fault in self.told]


CLOSE = {"close": {"within": 2, "hold": 1}}


def test_each_instant_is_a_fault_of_its_own() -> None:
    """Whoever came between two strikes was not there at the first; those of one tick are cut together."""

    async def test() -> None:
        proxy = Struck(strike("a", 0.0), strike("b", 0.0004), strike(None, 0.0009, port=7), strike("c", 0.002))
        harmed = Harmed(proxy, **CLOSE)
        assert await harmed.harm.begin() == "close: 4 connections struck"
        proxy.strikes += [strike("d", 0.3), strike("a", 0.45)]
        await harmed.harm.look()
        assert harmed.clients == [("a", "b"), ("c",), ("d",), ("a",)]
        assert [round(fault.at - T0, 4) for fault in harmed.told] == [0.0, 0.002, 0.3, 0.45]
        assert [fault.ports for fault in harmed.told] == [(7,), (), (), ()]
        await harmed.harm.end()
        assert harmed.harm.left_out() is None

    asyncio.run(test())


def test_who_is_struck_too_late_to_be_back_in_time_is_left_out() -> None:
    """Of later rounds those count that have their time; those that nobody was told of are named in the end."""

    async def test() -> None:
        proxy = Struck(strike("a", 0.0))
        harmed = Harmed(proxy, close={"within": 2, "hold": 1, "every": 4})
        await harmed.harm.begin()
        proxy.strikes += [strike("a", DURATION - 3.01), strike("b", DURATION - 2.99)]
        await harmed.harm.look()
        proxy.strikes += [strike("c", DURATION - 0.1)]
        await harmed.harm.end()
        assert harmed.clients == [("a",), ("a",)]
        assert harmed.harm.left_out() == (
            "2 connections struck by close are not counted: "
            "the step ended before the time to be back (within 2s, hold 1s) was over"
        )

    asyncio.run(test())


def test_the_first_round_counts_however_short_the_step_is() -> None:
    """Where something is expected of reconnect.*, a step is long enough for it, but for timers that are late."""

    async def test() -> None:
        proxy = Struck()
        harmed = Harmed(proxy, **{"rolling-restart": {"down": 10, "pause": 5, "within": 9, "hold": 9}})
        assert await harmed.harm.begin() == "rolling-restart is in force"
        proxy.strikes += [strike("a", 15 + LATE / 2), strike("b", 15 + 2 * LATE)]
        await harmed.harm.look()
        await harmed.harm.end()
        assert harmed.clients == [("a",)]
        assert harmed.harm.left_out() == (
            "1 connection struck by rolling-restart is not counted: "
            "the step ended before the time to be back (within 9s, hold 9s) was over"
        )

    asyncio.run(test())


def test_a_stall_that_ends_cuts_nobody_who_outlives_it() -> None:
    async def test() -> None:
        for options, silent in (({"for": 2}, True), ({}, False)):
            harmed = Harmed(Struck(strike("a", 0.0)), stall={**options, "within": 2, "hold": 1})
            await harmed.harm.begin()
            (fault,) = harmed.told
            assert fault.silent is silent
            assert fault.back_at - fault.at == (2 if silent else 0)

    asyncio.run(test())


def test_a_fault_that_does_not_cut_is_told_to_nobody() -> None:
    async def test() -> None:
        proxy = Struck(strike("a", 0.0))
        harmed = Harmed(proxy, drop={})
        await harmed.harm.begin()
        await harmed.harm.look()
        await harmed.harm.end()
        assert (harmed.told, harmed.harm.left_out(), proxy.names) == ([], None, [])

    asyncio.run(test())


def test_one_that_never_struck_is_told_so() -> None:
    async def test() -> None:
        harmed = Harmed(Struck(), **CLOSE)
        await harmed.harm.begin()
        with pytest.raises(NeverFired, match="close never struck: it met nothing that it is about"):
            await harmed.harm.end()

    asyncio.run(test())
