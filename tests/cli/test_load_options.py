"""What the options of wsctl load come to, without any load."""

from typing import Any

import pytest

from wsctl.cli import loading
from wsctl.cli.app import app
from wsctl.errors import ExitCode
from wsctl.load.options import LoadOptions
from wsctl.load.outcome.verdict import MEASURED, OF_A_COURSE
from wsctl.model.metrics import METRICS, Unit

TARGET = ("--url", "http://127.0.0.1:9", "--users", "5", "--symbols", "A/B", "--target-metrics", "http://127.0.0.1:9/")
BOUNDS = {
    Unit.SECONDS: "< 5 s",
    Unit.RATIO: "> 5 %",
    Unit.BYTES: "< 5 MB",
    Unit.RATE: "> 5 /s",
    Unit.CORES: "< 5 cores",
}


def made(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> LoadOptions:
    """The options that a command line means, beside a feed of wsctl's own."""
    found: list[LoadOptions] = []

    async def take(asked: loading.Asked, aim: Any) -> ExitCode:
        profile, _ = loading._profile(asked)
        found.append(loading._options(asked, profile, aim(None, None, None).target, ours=True))
        return ExitCode.PASSED

    monkeypatch.setattr(loading, "run_load", take)
    app(["load", *TARGET, *arguments], standalone_mode=False)
    return found[0]


@pytest.mark.parametrize("limit", [False, True])
def test_everything_that_a_load_measures_can_be_expected(monkeypatch: pytest.MonkeyPatch, limit: bool) -> None:
    """Of a course and of a search; neither is asked what one client that watches can measure."""
    not_this = OF_A_COURSE if limit else ("connections.limit",)
    names = sorted(name for name in MEASURED if not name.startswith(not_this))
    assert {"generator.lost", "target.rss", "server.rss", "fanout.reach", "connections.refused"} <= set(names)
    texts = [f"{name} {BOUNDS.get(METRICS[name].unit, '>= 5')}" for name in names]
    arguments = [part for text in texts for part in ("--expect", text)]
    searching = ("--find-limit", "latency.p95 < 5 s") if limit else ()
    assert [one.metric for one in made(monkeypatch, *arguments, *searching).expected] == names
