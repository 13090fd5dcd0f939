"""Ctrl-C at any moment: services stopped, reports written, exit 130, no process left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import psutil
import pytest

from tests.cli.program import WAIT, Program, Result, wait_until
from tests.scenario.runs import read_report
from wsctl.report.result_json import result_schema

INTERRUPTED = 130

SERVICE = "  {name}: {{serve: {{symbols: BTC/USDT, rate: 50}}}}\n"
TEXT = f"""\
name: Interrupted
services:
{SERVICE.format(name="one")}{SERVICE.format(name="two")}steps:
  - parallel:
      - name: watch
        subscribe: {{target: one, symbols: BTC/USDT, duration: 50s}}
        during:
          - {{at: 200ms, price: {{symbol: BTC/USDT, price: 3}}}}
          - {{at: 20s, flash: {{percent: 100}}}}
        expect: {{errors: 0}}
      - name: a crowd
        subscribe: {{target: two, symbols: BTC/USDT, clients: 20, duration: 50s}}
  - name: never
    emit: {{target: one, event: x}}
"""
LATER = "name: Later\nservices:\n  feed: {serve: {}}\nsteps: [{name: later, emit: {event: x}}]\n"

LEADER = "import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])"
"""a process group of its own, as a shell gives to what it starts in a terminal"""


def processes_with(mark: str) -> list[psutil.Process]:
    """Every process whose environment says that it was started by this test."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("WSCTL_TEST_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue  # gone, or not ours to look into
    return found


@contextmanager
def running(folder: Path) -> Iterator[Program]:
    """A run in its own process group; afterwards nothing that it started may live."""
    (folder / "a.yaml").write_text(TEXT)
    (folder / "b.yaml").write_text(LATER)
    mark = str(folder)
    argv = [sys.executable, "-c", LEADER, sys.executable, "-m", "wsctl", "run", ".", "--out", "results"]
    try:
        with Program(cwd=folder, argv=argv, env={"WSCTL_TEST_MARK": mark}) as program:
            yield program
        wait_until(lambda: not processes_with(mark))
    finally:
        for process in processes_with(mark):
            process.kill()


def check(folder: Path, result: Result, *, steps: dict[str, str]) -> dict[str, Any]:
    """Exit 130; both reports are whole and say where it was interrupted; nothing reads like a failure of wsctl."""
    assert result.code == INTERRUPTED, result
    assert "Traceback" not in result.err
    assert "never retrieved" not in result.err
    assert "wsctl: error" not in result.err
    report = read_report(folder)
    jsonschema.validate(report, result_schema())
    assert (report["interrupted"], report["verdict"]) == (True, "error")
    first, later = report["scenarios"]
    assert (first["verdict"], first["reason"]) == ("error", "interrupted")
    assert (later["verdict"], later["reason"], later["steps"]) == ("skipped", "interrupted", [])
    assert {step["name"]: step["verdict"] for step in first["steps"]} == steps
    assert all(step["reason"] == "interrupted" for step in first["steps"])
    suites = ElementTree.parse(folder / "results" / "junit.xml").getroot().findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["Interrupted", "Later"]
    assert suites[0].get("errors") != "0"
    assert "verdict: error (interrupted)" in result.out
    return report


RUNNING = {"watch": "error", "a crowd": "error"}

Send = Callable[[Program], None]


def to_the_process(program: Program) -> None:
    """As `kill -INT` does."""
    program.process.send_signal(signal.SIGINT)


def to_the_group(program: Program) -> None:
    """As a terminal does."""
    os.killpg(program.process.pid, signal.SIGINT)


def terminate(program: Program) -> None:
    """As `kill`, or a CI system, does."""
    program.process.send_signal(signal.SIGTERM)


def to_the_group_twice(program: Program) -> None:
    """As somebody does who is in a hurry."""
    to_the_group(program)
    time.sleep(0.05)  # a finger's pace; whatever it meets must end the same way
    to_the_group(program)


@pytest.mark.parametrize("send", [to_the_process, to_the_group, to_the_group_twice, terminate])
def test_while_steps_run(tmp_path: Path, send: Send) -> None:
    """In the middle of steps, with an action done and another due."""
    with running(tmp_path) as program:
        program.wait_err("price: BTC/USDT 3")
        send(program)
        report = check(tmp_path, program.finish(), steps=RUNNING)
    assert report["scenarios"][0]["evidence"] == ["interrupted/one.log", "interrupted/two.log"]


@pytest.mark.parametrize("send", [to_the_group, terminate])
def test_while_services_start(tmp_path: Path, send: Send) -> None:
    """With the first one up and the second one on its way."""
    with running(tmp_path) as program:
        program.wait_err("one at http://")
        send(program)
        check(tmp_path, program.finish(), steps={})


def test_as_steps_begin(tmp_path: Path) -> None:
    """Before anybody is connected."""
    with running(tmp_path) as program:
        program.wait_err("a crowd (about")
        to_the_group(program)
        check(tmp_path, program.finish(), steps=RUNNING)


def test_while_it_stops(tmp_path: Path) -> None:
    """Again and again: the end stays the same."""
    with running(tmp_path) as program:
        program.wait_err("price: BTC/USDT 3")
        while program.process.poll() is None and "verdict: error (interrupted)" not in program.out:
            to_the_group(program)
            time.sleep(0.02)
        check(tmp_path, program.finish(), steps=RUNNING)


def test_while_a_target_is_waited_for(tmp_path: Path) -> None:
    """--wait can be interrupted, too."""
    (tmp_path / "a.yaml").write_text(TEXT.replace("Interrupted", "A"))
    arguments = ("run", "a.yaml", "--url", "http://127.0.0.1:1", "--wait", "1m", "--out", "results")
    with Program(*arguments, cwd=tmp_path) as program:
        program.wait_err("1 scenario")
        result = program.interrupt()
    assert result.code == INTERRUPTED
    report = read_report(tmp_path)
    assert (report["interrupted"], report["scenarios"][0]["reason"]) == (True, "interrupted")


def test_a_service_that_does_not_heed(tmp_path: Path) -> None:
    """Stopped services do not hear SIGTERM: they are killed after a while, or at the second Ctrl-C."""
    with running(tmp_path) as program:
        program.wait_err("price: BTC/USDT 3")
        for child in psutil.Process(program.process.pid).children():
            child.suspend()
        began = time.monotonic()
        to_the_group(program)
        program.wait_err("stopping")
        while program.process.poll() is None:
            to_the_group(program)
            time.sleep(0.1)
            assert time.monotonic() - began < WAIT
        check(tmp_path, program.finish(), steps=RUNNING)


def test_killed(tmp_path: Path) -> None:
    """kill -9 leaves no time to stop anything: services and the crowd end with us all the same."""
    with running(tmp_path) as program:
        program.wait_err("price: BTC/USDT 3")
        children = psutil.Process(program.process.pid).children(recursive=True)
        assert len(children) == 3
        program.process.kill()
        _, alive = psutil.wait_procs(children, WAIT)
        assert not alive
    assert "Traceback" not in (tmp_path / "results" / "interrupted" / "one.log").read_text()


def test_serve_ends_with_its_stdin(tmp_path: Path) -> None:
    """What services hang on: the other end of stdin. Ready, it ends in good order; not yet ready, too."""
    arguments = [sys.executable, "-m", "wsctl", "serve", "--port", "0", "--until-stdin-ends", "--ready-file", "ready"]
    for wait in (True, False):
        with subprocess.Popen(arguments, cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdin is not None
            if wait:
                wait_until((tmp_path / "ready").exists)
                process.stdin.write(b"ignored\n")
                process.stdin.flush()
            _, said = process.communicate(timeout=WAIT)
            assert process.returncode == 0, said
            assert b"served for " in said
            assert not (tmp_path / "ready").exists()
