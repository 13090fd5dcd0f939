"""wsctl fuzz, as people run it: what it takes, what it prints and writes, how it ends."""

import json
import re
import socket
import sys
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import jsonschema
import pytest
import typer

from tests.cli.program import Program, Server, wait_until, wsctl
from tests.scenario.suite import python_path
from wsctl.cli import fuzzing
from wsctl.cli.app import app
from wsctl.errors import ExitCode, UsageError
from wsctl.fuzz.catalogue import PROBES
from wsctl.fuzz.options import CASES, FuzzOptions, ServeFuzzOptions

HERE = "http://127.0.0.1:9"
BROKEN = Path(__file__).parents[1] / "scenario" / "broken"


def made(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[FuzzOptions | ServeFuzzOptions, fuzzing.Reports]:
    """What a command line means."""
    found: list[Any] = []

    async def take(options: Any, reports: fuzzing.Reports, *more: Any) -> ExitCode:
        found.append((options, reports))
        return ExitCode.PASSED

    monkeypatch.setattr(fuzzing, "fuzz_target", take)
    monkeypatch.setattr(fuzzing, "fuzz_clients", take)
    app(["fuzz", *arguments], standalone_mode=False)
    (one,) = found
    return one


@pytest.mark.parametrize(
    ("arguments", "probes", "cases"),
    [
        ((), (), CASES),
        (("--group", "frames"), (), CASES),
        (("--probe", "F1,F2", "--probe", "S4"), ("F1", "F2", "S4"), 0),
        (("--probe", "F1", "--cases", "7"), ("F1",), 7),
        (("--probe", "F1", "--corpus", "a.jsonl"), ("F1",), CASES),
        (("--cases", "0"), (), 0),
    ],
)
def test_who_names_a_probe_wants_nothing_generated(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], probes: tuple[str, ...], cases: int
) -> None:
    options, _ = made(monkeypatch, HERE, *arguments)
    assert isinstance(options, FuzzOptions)
    assert (options.probes, options.cases) == (probes, cases)


def test_how_to_play_it_again_means_the_same_target_without_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    given = ("--command", "serve it", "--token", "secret", "--namespace", "/a", "--probe", "F1", "--seed", "7")
    _, reports = made(monkeypatch, f"{HERE}/?key=secret", *given)
    assert reports.command == f"wsctl fuzz {HERE}/ --command 'serve it' --namespace /a --token …"
    given = ("--pid", "7", "--max-stall", "500ms", "--insecure", "--transport", "polling", "--path", "/a/")
    secret = ("--header", "A: secret", "--header", "B: secret", "--auth", '{"key":"secret"}')
    _, reports = made(monkeypatch, HERE, *given, *secret, "--dialect", "socketio")
    assert reports.command == (
        f"wsctl fuzz {HERE} --pid 7 --max-stall 0.5s --dialect socketio --path /a/ --auth … --header … --header … "
        "--transport polling --insecure"
    )
    options, reports = made(monkeypatch, "--serve", "--port", "5", "--client-pid", "1")
    assert isinstance(options, ServeFuzzOptions)
    assert (options.port, options.client_pid, reports.command) == (5, 1, "wsctl fuzz --serve --port 5")


CLASHES = {
    "no target": ((), "nobody says what to attack; expected a URL, --url or --feed"),
    "two targets": ((HERE, "--url", HERE), "a URL and --url both say where the server is; give one of them"),
    "group": ((HERE, "--group", "frame"), "there is no group 'frame'; expected handshake, frames, engineio, "),
    "format": ((HERE, "--format", "xml"), "--format is 'xml'; expected table or json"),
    "two processes": (
        (HERE, "--pid", "1", "--command", "x"),
        "--pid and --command both say which process the server is; give one of them",
    ),
    "repro and more": (
        (HERE, "--repro", "x", "--cases", "5"),
        "--repro plays its file and nothing else; --cases says what else",
    ),
    "of serving": ((HERE, "--client-pid", "1"), "--client-pid is about clients that connect; expected --serve as well"),
    "a server and clients": (
        ("--serve", HERE),
        "a URL is about a server that is attacked; with --serve clients connect",
    ),
    "of attacking": (
        ("--serve", "--cases", "5"),
        "--cases is about a server that is attacked; with --serve clients connect",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), CLASHES.values(), ids=CLASHES)
def test_what_does_not_go_together(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(typer.BadParameter) as raised:
        app(["fuzz", *arguments], standalone_mode=False)
    assert raised.value.message.startswith(message)


UNSOUND = {
    "elsewhere": (
        ("http://feed.example",),
        "http://feed.example is not on this machine; fuzzing may harm what it meets",
        "--i-own-this-target says that you may do that to it",
    ),
    "probe": ((HERE, "--probe", "F99"), "no probe 'F99'", None),
    "metric": ((HERE, "--expect", "latency.p95 < 50 ms"), "latency.p95 is not measured by fuzzing", None),
    "cases": (
        (HERE, "--cases", "0", "--expect", "fuzz.failures == 0"),
        "fuzz.failures is not measured by this fuzzing",
        None,
    ),
    "canary": (
        ("--serve", "--port", "0", "--expect", "canary.time.p95 < 1 s"),
        "canary.time.p95 is not measured by this fuzzing",
        None,
    ),
    "listed for clients": (
        ("--list", "--serve", "--probe", "F7"),
        "no probe attacks such clients",
        "wsctl fuzz --list --serve names those that do",
    ),
    "for servers": ((HERE, "--probe", "F5C"), f"none of F5C applies to {HERE}", None),
    "no file": ((HERE, "--repro", "none.json"), "cannot read none.json: no such file or directory", None),
    "listed": (("--list", "--probe", "Q1"), "no probe 'Q1'", None),
}


@pytest.mark.parametrize(("arguments", "message", "hint"), UNSOUND.values(), ids=UNSOUND)
def test_what_makes_no_sense(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str, hint: str | None
) -> None:
    monkeypatch.setattr("wsctl.cli.loop.interruptible", lambda: None)  # pytest has a handler of its own
    with pytest.raises(UsageError) as raised:
        app(["fuzz", *arguments], standalone_mode=False)
    assert raised.value.message == message
    assert hint in (None, raised.value.hint)


def test_the_catalogue_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    app(["fuzz", "--list", "--format", "json"], standalone_mode=False)
    listed = json.loads(capsys.readouterr().out)
    assert [one["id"] for one in listed] == [probe.id for probe in PROBES]
    (frame,) = (one for one in listed if one["id"] == "F1")
    assert (frame["group"], frame["attacks"], frame["safe"]) == ("frames", "server", ["close 1002"])
    app(["fuzz", "--list", "--serve", "--group", "socketio"], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "socketio, against clients (--serve)"
    ids = [line.split()[0] for line in lines if re.match(r"  S\d", line)]
    assert ids == [one["id"] for one in listed if one["group"] == "socketio" and one["attacks"] == "client"]


def test_a_server_that_survives(feed: Server, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = wsctl(
        *("fuzz", feed.url, "--probe", "f1,E6", "--cases", "5", "--seed", "7", "--pid", str(feed.process.pid)),
        *("--out", str(out), "--format", "json", "--expect", "fuzz.failed == 0", "--expect", "canary.time.max < 20 s"),
    )
    assert ended.code == 0, ended.err
    assert "2 probes and 5 generated cases for" in ended.err
    result = json.loads(ended.out)
    assert result == json.loads((out / "result.json").read_text())
    jsonschema.Draft202012Validator(json.loads(wsctl("schema", "fuzz-result").out)).validate(result)
    assert (result["wsctl"], result["verdict"], result["seed"], result["interrupted"]) == ("fuzz", "pass", 7, False)
    assert [(one["id"], one["verdict"]) for one in result["probes"]] == [("F1", "passed"), ("E6", "passed")]
    assert result["metrics"]["fuzz.passed"] == 2
    assert result["metrics"]["fuzz.cases"] >= 5
    assert result["metrics"]["canary.time.p50"] > 0
    suite = fromstring((out / "junit.xml").read_bytes())[0]
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("0", "0", "0")
    names = [case.get("name") for case in suite.iter("testcase")]
    assert names[0] == "F1 reserved bits without an extension"
    assert names[2:] == ["generated cases", "expected: fuzz.failed == 0", "expected: canary.time.max < 20 s"]


def test_a_server_that_dies(tmp_path: Path) -> None:
    """Of a probe: it is started anew, and the next one passes; a missed expectation beside it is told, too."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    env = {"PYTHONPATH": python_path(BROKEN), "WSCTL_TEST_BREAK": "die-of-an-event"}
    command = f"{sys.executable} -m wsctl serve --port {port}"
    url = f"http://127.0.0.1:{port}"
    arguments = ("--command", command, "--probe", "S4,S9", "--expect", "fuzz.passed == 2")
    with Program("fuzz", url, *arguments, cwd=tmp_path, env=env) as program:
        ended = program.finish()
    assert ended.code == 1
    lines = [line.strip() for line in ended.out.splitlines()]
    assert re.match(r"passed +S9 ", lines[0])
    assert re.match(r"failed +S4 ", lines[1])
    assert {"error: cut without a close", "a connection beside it was cut"} <= set(lines)
    assert f"again: wsctl fuzz {url} --command '{command}' --probe S4" in " ".join(lines)
    assert "✗ fuzz.passed  expected == 2, observed 1" in lines
    assert lines[-1] == "verdict: fail"
    assert "  failed: S4 events with reserved names: " in ended.err


def test_interrupted(feed: Server, tmp_path: Path) -> None:
    """What there is is printed and written."""
    with Program("fuzz", feed.url, "--probe", "E8,F1", "--out", str(tmp_path)) as program:
        program.wait_err("1 of 2 probes: 1 passed; waits for E8")
        ended = program.interrupt()
    assert (ended.code, ended.out.splitlines()[-1]) == (130, "verdict: error (interrupted)")
    result = json.loads((tmp_path / "result.json").read_text())
    assert [one["id"] for one in result["probes"]] == ["F1"]
    assert (result["interrupted"], result["reason"]) == (True, "interrupted")


def test_nobody_there(tmp_path: Path) -> None:
    ended = wsctl("fuzz", HERE, "--probe", "F1", "--out", str(tmp_path))
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.splitlines()[-1].startswith(f"wsctl: error: {HERE}: no connection: ")


def test_clients_are_waited_for(tmp_path: Path) -> None:
    """It listens, and says where; that nobody comes proves nothing."""
    ready = tmp_path / "ready.json"
    with Program(
        "fuzz", "--serve", "--port", "0", "--ready-file", str(ready), "--probe", "S1C", "--wait", "1s"
    ) as program:
        wait_until(ready.exists)
        url = json.loads(ready.read_text())["url"]
        ended = program.finish()
    assert (ended.code, ready.exists()) == (1, False)
    assert f"1 probe for clients of {url}" in ended.err
    assert ended.out.splitlines()[-2:] == ["no client connected within 1 s", "verdict: unverifiable"]
