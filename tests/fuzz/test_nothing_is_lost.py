"""What was found is told, whatever goes wrong; what would go wrong is told before anything is played."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.fuzz.campaigns import fuzzed, only_failure, options, serving, started

from wsctl.cli.fuzzing import Reports, fuzz_target
from wsctl.errors import TargetError, UsageError
from wsctl.fuzz.events import Event, Planned
from wsctl.fuzz.generate.generation import Generation
from wsctl.fuzz.run import FuzzRun


def test_a_file_that_cannot_be_written_loses_no_find(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def spoil(_: FuzzRun, event: Event) -> None:
        if isinstance(event, Planned):
            out.rmdir()
            out.touch()

    result = fuzzed(started("nested", seed=21, cases=30, out=out), spoil)
    failure = only_failure(result)
    assert failure.repro is None
    assert "the process is gone" in failure.harms
    (note,) = result.notes
    assert note.startswith(f"cannot write {out}")
    assert note.endswith(": file exists")


def test_an_error_on_the_way_comes_after_the_result_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> None:
        raise TargetError("it went away")

    monkeypatch.setattr(Generation, "run", fails)
    reports = Reports(command="wsctl fuzz", json=True, out=tmp_path, expected=())
    with serving("none") as url, pytest.raises(TargetError, match="it went away"):
        asyncio.run(fuzz_target(options(url, cases=5, out=tmp_path), reports))
    result = json.loads((tmp_path / "result.json").read_text())
    assert [one["id"] for one in result["probes"]] == ["F1"]
    assert (result["verdict"], result["reason"]) == ("error", "ended early: it went away")


def test_tapes_and_places_are_looked_at_before_anything_is_played(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.jsonl: no such file"):
        fuzzed(options("http://127.0.0.1:9", cases=5, corpus=(tmp_path / "none.jsonl",)))
    place = tmp_path / "file"
    place.touch()
    with pytest.raises(UsageError, match=r"cannot make the folder .*: file exists"):
        fuzzed(options("http://127.0.0.1:9", cases=5, out=place))


def test_fewer_cases_than_were_asked_for_are_told() -> None:

    with serving("none") as url:
        result = fuzzed(options(url, cases=5000, duration=0.5))
    assert result.generated is not None
    assert f"{result.generated.cases:,} of 5,000 cases were played: out of time" in result.notes
