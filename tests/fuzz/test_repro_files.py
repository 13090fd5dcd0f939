"""Reproduction files that cannot be played are told as such, and hold no secrets."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.fuzz.campaigns import options

from wsctl.client.target import Target
from wsctl.errors import UsageError
from wsctl.fuzz.options import FuzzOptions
from wsctl.fuzz.repro import Replay, Repro, read, write
from wsctl.fuzz.steps import Case, Cut, Frame, Join, Request, Say, Upgrade, data

CASE = Case(
    steps=(
        Upgrade(headers=(("X", "é"),), optional=True),
        Join(),
        Frame(opcode=9, data=data(b"\xff", ("a", 1000)), length=70_000),
        Say(data=data("42[]", b"\x00"), binary=True, times=3),
        Request(method="PUT", query="{sid}", body=data("x")),
        Cut(how="rst"),
    ),
    ask="ping",
)
GOOD: dict[str, Any] = {
    "wsctl": "fuzz-repro",
    "version": 1,
    "target": "http://x",
    "dialect": "socketio",
    "seed": 1,
    "harms": [],
    "case": {"steps": [{"do": "join"}]},
}


def case(*steps: dict[str, Any], **more: Any) -> str:
    return json.dumps({**GOOD, "case": {"steps": steps or [{"do": "join"}], **more}})


def test_what_is_written_is_read_again_without_secrets(tmp_path: Path) -> None:
    target = Target(
        url="http://127.0.0.1:1/?key=secret1", token="secret2", auth={"a": "secret3"}, headers=(("X", "secret4"),)
    )
    path = write(Repro.of(FuzzOptions(target=target, seed=5), ("it died",), CASE), tmp_path / "new")
    assert "secret" not in path.read_text()
    found = read(path)
    assert found.case == CASE
    assert (found.seed, found.harms, found.dialect, found.target) == (5, ("it died",), "socketio", target.shown)
    assert write(Repro.of(FuzzOptions(target=target, seed=6), (), CASE), tmp_path / "new") == path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "no reproduction file of wsctl fuzz"),
        ('{"wsctl": "tape"}', "no reproduction file of wsctl fuzz"),
        (json.dumps({**GOOD, "version": 2}), "version 2; this wsctl plays version 1"),
        (json.dumps({**GOOD, "version": "1"}), "version '1'; this wsctl plays version 1"),
        (json.dumps({**GOOD, "case": {"steps": [{"do": "dance"}]}}), "'dance' - at `$.case.steps[0].do`"),
        (json.dumps({**GOOD, "case": {"steps": [{"do": "say"}]}}), "missing required field `data`"),
        (json.dumps({**GOOD, "case": {}}), "missing required field `steps`"),
        (case(steps=[]), "expected `array` of length >= 1 - at `$.case.steps`"),
        (case(at_once=0), "expected `int` >= 1 - at `$.case.at_once`"),
        (case({"do": "frame", "times": 0}), "expected `int` >= 1 - at `$.case.steps[0].times`"),
        (case({"do": "frame", "length": -1}), "a frame's length is -1; expected 0 to 2^64 - 1"),
        (case({"do": "frame", "length": 2**64}), "; expected 0 to 2^64 - 1"),
        (case({"do": "frame", "opcode": 16}), "expected `int` <= 15"),
        (case({"do": "wait", "seconds": 1e9}), "expected `float` <= 3600.0"),
        (case({"do": "request", "times": 400}, at_once=10), "a case makes 4,010 connections; expected 1,000 at most"),
    ],
)
def test_what_cannot_be_played_is_told(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "case.json"
    path.write_text(content)
    with pytest.raises(UsageError) as error:
        read(path)
    assert error.value.message.startswith(f"{path}: ")
    assert said in error.value.message


def test_a_file_that_is_not_there_or_of_another_dialect_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*: no such file or directory"):
        read(tmp_path / "none.json")
    path = tmp_path / "case.json"
    path.write_text(json.dumps(GOOD))
    with pytest.raises(UsageError, match="is of the dialect socketio, the target of binance") as error:
        Replay(options("http://127.0.0.1:1", dialect="binance"), path)
    assert error.value.hint == "--dialect socketio"
