"""Generated cases find bugs that were planted, tell them by the fewest steps, and depend on the seed alone."""

import threading
from pathlib import Path

import pytest
from tests.fuzz.campaigns import fuzzed, only_failure, options, serving, started

from wsctl.fuzz import repro
from wsctl.fuzz.events import Event, Played
from wsctl.fuzz.run import FuzzRun
from wsctl.fuzz.steps import Case, Join, Say, Upgrade, data
from wsctl.fuzz.trial import Trial, Trials
from wsctl.model.finding import Verdict
from wsctl.tape.format import Header, TapeFrame, encode_frame, encode_header

SUBSCRIBED = Say(data=data('42["price:subscribe",[]]'))
FATAL = Say(data=data('42["message",[{"":0}]]'))
SOON = 21
"""a seed with which the bug is met soon"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a bug behind a state and a shape, as it was found."""
    folder = tmp_path_factory.mktemp("found")
    result = fuzzed(started("nested", seed=SOON, cases=30, out=folder))
    failure = only_failure(result)
    assert result.verdict is Verdict.FAIL
    assert failure.again
    assert failure.shrunk_from > 3
    assert "a connection beside it was cut" in failure.harms
    assert "the process is gone" in failure.harms
    return Path(failure.repro or "")


def test_a_planted_bug_is_shrunk_to_its_minimal_sequence(found: Path) -> None:
    assert found.name.startswith("wsctl-fuzz-")
    assert repro.read(found).case.steps == (Join(), SUBSCRIBED, FATAL)


def test_what_was_found_harms_again_from_its_file_and_not_once_it_is_mended(found: Path) -> None:
    again = fuzzed(started("nested", repro=found, probes=()))
    assert again.verdict is Verdict.FAIL
    assert only_failure(again).case == repro.read(found).case
    assert again.metrics["fuzz.failures"] == 1
    mended = fuzzed(started("none", repro=found, probes=()))
    assert mended.verdict is Verdict.PASS
    assert mended.generated is not None
    assert (mended.generated.cases, mended.generated.conclusive, mended.generated.failures) == (1, 1, ())


def test_a_harm_that_does_not_come_again_is_told_as_such_and_kept(tmp_path: Path) -> None:
    with serving("once") as url:
        result = fuzzed(options(url, seed=SOON, cases=30, out=tmp_path))
    failure = only_failure(result)
    assert not failure.again
    assert len(failure.case.steps) == failure.shrunk_from
    assert result.verdict is Verdict.FAIL
    assert repro.read(Path(failure.repro or "")).case == failure.case
    assert result.generated is not None
    assert result.generated.cases >= 30  # it goes on


def test_what_clients_said_on_a_tape_is_mutated(tmp_path: Path) -> None:
    tape = tmp_path / "bots.tape"
    sent = '{"op":"subscribe","args":["trades"]}'
    frames = (
        TapeFrame(at_ns=0, conn="c1", direction="open", url="ws://127.0.0.1/"),
        TapeFrame(at_ns=1, conn="c1", direction="in", frame='{"op":"subscribe","args":"no client says this"}'),
        TapeFrame(at_ns=2, conn="c1", direction="out", frame=sent),
    )
    tape.write_bytes(encode_header(Header(started_ns=0, dialect="binance")) + b"".join(map(encode_frame, frames)))
    with serving("typed") as url:
        result = fuzzed(options(url, dialect="binance", seed=24, cases=50, corpus=(tape,), out=tmp_path))
    failure = only_failure(result)
    assert failure.again
    assert failure.case.steps == (Upgrade(), Say(data=data('{"op":"subscribe","args":""}')))


def test_the_same_seed_plays_the_same_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[Case] = []
    play = Trials.play

    async def noted(trials: Trials, case: Case, *arguments: float, **more: float) -> Trial:
        played.append(case)
        return await play(trials, case, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Trials, "play", noted)
    runs = []
    with serving("none") as url:
        for seed in (7, 7, 8):
            played.clear()
            result = fuzzed(options(url, seed=seed, cases=20))
            assert result.verdict is Verdict.PASS
            assert result.generated is not None
            assert result.generated.cases == 20
            runs.append(tuple(played))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_it_stops_at_once_and_nothing_is_printed_or_left(capfd: pytest.CaptureFixture[str]) -> None:
    def stop(run: FuzzRun, event: Event) -> None:
        if isinstance(event, Played):
            run.stop()

    before = threading.active_count()
    result = fuzzed(started("none", cases=1_000_000), stop)
    assert result.interrupted
    assert result.generated is not None
    assert 0 < result.generated.cases < 1000
    assert threading.active_count() <= before
    assert capfd.readouterr() == ("", "")
