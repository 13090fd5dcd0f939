"""What a proxy was given from the start: names for its faults, and which of them never struck."""

import asyncio
from typing import Any

import msgspec
import pytest

from wsctl.client.toxics import Toxics
from wsctl.scenario.harming import idle_fault
from wsctl.scenario.harms import named, preset_names
from wsctl.scenario.spec import ChaosServiceSpec


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
    ],
    ids=["nothing given", "struck", "one of two never did", "a preset that never did", "a preset of which one did"],
)
def test_what_never_struck(given: dict[str, Any], told: dict[str, tuple[str, int, int]], said: str | None) -> None:
    """Each fault of its own has to; of a preset one is enough."""
    assert asyncio.run(idle_fault(Told(**told), spec(**given))) == said
