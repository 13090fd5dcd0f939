"""wsctl chaos and chaos ctl as people run them."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Program, Result, Server, command, environment, wait_until, wsctl
from wsctl.chaos.faults import FAULTS
from wsctl.chaos.presets import PRESETS

UPSTREAM = ("chaos", "--upstream", "http://127.0.0.1:9")


class Proxy(Program):
    """`wsctl chaos`, listening; `url` and `control` are where."""

    def __init__(self, folder: Path, upstream: str, *arguments: str, **options: Any) -> None:
        ready = folder / "proxy.json"
        ready.unlink(missing_ok=True)
        places = ("--port", "0", "--control-port", "0", "--ready-file", str(ready))
        super().__init__("chaos", "--upstream", upstream, *places, *arguments, **options)
        wait_until(lambda: ready.exists() or self.process.poll() is not None)
        assert ready.exists(), self.finish()
        said = json.loads(ready.read_text())
        assert said["pid"] == self.process.pid
        self.url: str = said["url"]
        self.control: str = said["control"]

    def ctl(self, *arguments: str) -> Result:
        """Ask it something."""
        return wsctl("chaos", "ctl", *arguments, env={"WSCTL_CHAOS": self.control})


@pytest.fixture(scope="module")
def proxy(feed: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """One before the feed, for the tests that only ask it."""
    with Proxy(tmp_path_factory.mktemp("proxy"), feed.url, "--seed", "7") as running:
        yield running


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (
            ("chaos", "--fault", "drop"),
            "nobody says where the server is; expected --upstream URL",
            "wsctl chaos --help",
        ),
        (("chaos", "--upstream", ""), "nobody says where the server is; expected --upstream URL", "wsctl chaos --help"),
        (
            ("chaos", "--upstream", "https://stream.example"),
            "https://stream.example is not on this machine; chaos may harm who uses it",
            "--allow-remote says that you may do that to it",
        ),
        (
            ("chaos", "--upstream", "localhost:3001"),
            "http://localhost:3001 is where the proxy itself is to listen; expected a server behind it",
            "--port 0 picks a free one",
        ),
        ((*UPSTREAM, "--fault", "drop:p=3"), "fault drop:p=3: drop.p is 3; expected at most 1", None),
        ((*UPSTREAM, "--fault", "drop:p"), "fault drop:p: 'p' is no option; expected KEY=VALUE", None),
        (
            (*UPSTREAM, "--fault", "delay:dely=1s"),
            "fault delay:dely=1s: unknown key 'dely' in delay",
            "did you mean delay?",
        ),
        ((*UPSTREAM, "--fault", "drup"), "no fault 'drup'", "did you mean drop?"),
        (
            (*UPSTREAM, "--fault", "flash:at=1"),
            "fault flash:at=1: flash.at is a number; expected a number and a unit, such as 10s",
            None,
        ),
        (
            (*UPSTREAM, "--fault", "drop", "--fault", "drop"),
            "2 faults are called 'drop'; expected a name for each",
            "give them names with name=",
        ),
        ((*UPSTREAM, "--preset", "wify"), "no preset 'wify'", "did you mean wifi?"),
        ((*UPSTREAM, "--log", "/nix/log"), "cannot write /nix/log: no such file or directory", None),
        ((*UPSTREAM, "--faults", "/nix"), "/nix cannot be read: no such file or directory", None),
        (
            ("chaos", "--seed", "3", "ctl", "list"),
            "chaos ctl talks to a proxy that runs; expected no options before ctl",
            "wsctl chaos --help",
        ),
        (("chaos", "ctl", "add", "drop:p=3"), "fault drop:p=3: drop.p is 3; expected at most 1", None),
    ],
)
def test_what_makes_no_sense(arguments: tuple[str, ...], error: str, hint: str | None) -> None:
    """Exit 2, a sentence, and how to mend it."""
    more = ("--port", "0", "--control-port", "0") if arguments[:3] == UPSTREAM else ()
    said = f"wsctl: error: {error}\n" + (f"  hint: {hint}\n" if hint else "")
    assert wsctl(*arguments, *more) == (2, "", said)


def test_places_in_a_file(tmp_path: Path) -> None:
    """What is wrong in a file is told with its line."""
    file = tmp_path / "faults.yaml"
    file.write_text("- drop: {p: 0.1}\n- delay:\n    jitter: 5\n")
    result = wsctl(*UPSTREAM, "--port", "0", "--control-port", "0", "--faults", str(file))
    expected = f"{file}:3:13: [1].delay.jitter is a number; expected a number and a unit, such as 10s"
    assert (result.code, result.err) == (2, f"wsctl: error: {expected}\n")


@pytest.mark.parametrize(
    ("option", "other", "what"), [("--port", "--control-port", ""), ("--control-port", "--port", "control: ")]
)
def test_port_in_use(option: str, other: str, what: str) -> None:
    """Which port it is, and the option that picks another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = wsctl(*UPSTREAM, option, str(port), other, "0")
    said = f"wsctl: error: {what}port {port} on 127.0.0.1 is already in use\n  hint: {option} 0 picks a free one\n"
    assert result == (2, "", said)


def test_list_shows_everything() -> None:
    """Each fault, each option of its own with its default, each preset."""
    out = wsctl("chaos", "--list").out
    for name, fault in FAULTS.items():
        assert re.search(rf"^{name} +[A-Z]", out, re.MULTILINE)
        for option in fault.options.__struct_encode_fields__:
            assert re.search(rf"^  {option}(=\S+)? +\S", out, re.MULTILINE), option
    assert "  direction=down" in out
    for name in PRESETS:
        assert re.search(rf"^  {name} +\w+:", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 100


def test_faults_of_all_kinds_are_in_force(feed: Server, tmp_path: Path) -> None:
    """A preset's, a file's and those of the command line, in this order, told at both ends; Ctrl-C is exit 130."""
    file = tmp_path / "faults.yaml"
    file.write_text("- drop: {p: 0.25, name: loss}\n- noop:\n")
    given = ("--preset", "exchange-maintenance", "--faults", str(file), "--fault", "close:reason=a, b,at=1h,name=late")
    with Proxy(tmp_path, feed.url, *given, "--seed", "3") as proxy:
        proxy.wait_err("permessage-deflate is left out")
        assert proxy.err[:6] == [
            f"proxy at {proxy.url}, before {feed.url}  (seed 3)",
            "  close  at=10s, code=1012, reason=maintenance",
            "  reject  at=10s, for=15s, status=503, retry_after=5",
            "  loss (drop)  p=0.25",
            "  noop",
            "  late (close)  at=3600s, reason=a, b",
        ]
        result = proxy.interrupt()
    assert result.code == 130
    assert result.err.splitlines()[-6:] == [
        "passed on 0 messages down, 0 up",
        *(f"{name}: struck 0" for name in ("close", "reject", "loss", "noop", "late")),
    ]


def test_firings_are_logged_and_told(feed: Server, tmp_path: Path) -> None:
    """The log has a line for each that was dropped, which are those that the client missed; SIGTERM is exit 0."""
    log = tmp_path / "firings.jsonl"
    with Proxy(tmp_path, feed.url, "--fault", "drop:name=loss,nth=5", "--log", str(log), "--seed", "1") as proxy:
        watch = wsctl("subscribe", "BTC/USDT", "--url", proxy.url, "--count", "30")
        proxy.wait_err("loss: dropped")
        result = proxy.signal(signal.SIGTERM)
    firings = [json.loads(line) for line in log.read_text().splitlines()]
    assert result.code == 0
    assert result.err.splitlines()[-1].startswith(f"loss: struck {len(firings)} of ")
    assert re.search(r"^\d\d:\d\d:\d\d loss: dropped", result.err, re.MULTILINE)
    seqs = [one["seq"] for one in watch.observations if one.get("event") == "price:update"]
    missed = {one["seq"] for one in firings if seqs[0] < one["seq"] < seqs[-1]}
    assert missed == set(range(seqs[0], seqs[-1])) - set(seqs)
    assert {(one["fault"], one["type"], one["action"], one["conn"], one["channel"]) for one in firings} == {
        ("loss", "drop", "dropped", "c1", "symbol:BTC/USDT:ticker")
    }


def test_stdin_as_a_lifeline(feed: Server) -> None:
    """Whoever holds the other end of it ends the proxy by going: exit 0."""
    arguments = ("--upstream", feed.url, "--port", "0", "--control-port", "0", "--until-stdin-ends")
    with subprocess.Popen(
        command("chaos", *arguments), env=environment(), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        while b"permessage-deflate" not in process.stderr.readline():
            assert process.poll() is None
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_a_lifeline_that_nobody_holds() -> None:
    """`</dev/null`, and any file: it ends at once, as with a pipe that was closed."""
    result = wsctl(*UPSTREAM, "--port", "0", "--control-port", "0", "--until-stdin-ends", stdin=b"a file")
    assert (result.code, result.err.splitlines()[-1]) == (0, "passed on 0 messages down, 0 up")


@pytest.mark.parametrize("upset", ["reader leaves", "disk full"])
def test_a_log_that_cannot_be_written(feed: Server, tmp_path: Path, upset: str) -> None:
    """`| head` ends 0 and silent; a full disk ends with 4: what struck could not be told."""
    log = "/dev/full"
    if upset == "reader leaves":
        log = str(tmp_path / "pipe")
        os.mkfifo(log)
        reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    with Proxy(tmp_path, feed.url, "--log", log, "--fault", "noop") as proxy:
        if upset == "reader leaves":
            os.close(reader)
        with Program("subscribe", "BTC/USDT", "--url", proxy.url):
            result = proxy.finish()
    last = result.err.splitlines()[-1]
    if upset == "disk full":
        assert (result.code, last) == (4, "wsctl: error: cannot write the output: no space left on device")
    else:
        assert (result.code, "error" in result.err) == (0, False)


def test_an_upstream_that_is_not_there(tmp_path: Path) -> None:
    """Clients are answered with 502; it is told once, and again only after it was there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with Proxy(tmp_path, nobody) as proxy:
        for _ in range(2):
            assert wsctl("subscribe", "A", "--url", proxy.url, "--reconnect-attempts", "1").code == 3
        told = [line for line in proxy.interrupt().err.splitlines() if "cannot be reached" in line]
    assert [line.partition(" ")[2] for line in told] == [f"upstream {nobody} cannot be reached: connection refused"]


def test_ctl(proxy: Proxy, feed: Server, tmp_path: Path) -> None:
    """Faults are added, changed, listed, replaced and taken away; the proxy goes down and up."""
    assert proxy.ctl("list") == (0, f"{proxy.url} before {feed.url}, seed 7\nno fault: everything passes\n", "")
    assert proxy.ctl("add", "drop:p=0.5,name=loss,p_connection=0.5").out == "loss is in force\n"
    assert (
        proxy.ctl("update", "loss", "p=1", "nth=2", "direction=both").out
        == "loss, both: p=1.0, nth=2, p_connection=0.5\n"
    )
    assert re.search(r"\nloss +drop +both +0 +0 +p=1.0, nth=2, p_connection=0.5 *\n", proxy.ctl("list").out)
    file = tmp_path / "faults.yaml"
    file.write_text("- noop: {name: seen}\n- delay: {delay: 1ms, direction: up}\n")
    assert proxy.ctl("populate", str(file)).out == "in force: seen, delay\n"
    assert proxy.ctl("remove", "delay").out == "delay is gone\n"
    assert proxy.ctl("connections").out == "no connection is open\n"
    assert proxy.ctl("toggle").out == "down: nobody gets in\n"
    assert ", down: nobody gets in\n" in proxy.ctl("list").out
    assert proxy.ctl("toggle").out == "up: everybody gets in\n"
    assert proxy.ctl("reset").out == "no fault: everything passes\n"
    refused = proxy.ctl("update", "loss", "p=1")
    assert refused == (2, "", "wsctl: error: no fault is called 'loss'\n")


def test_ctl_shows_who_is_there(proxy: Proxy) -> None:
    """Connections by number, name and port."""
    with Program("subscribe", "BTC/USDT", "--url", proxy.url) as watch:
        watch.wait_out(1)
        out = proxy.ctl("connections").out
    assert re.search(r"^c\d+ +[0-9a-f]{32} +127.0.0.1 port \d+ +http", out, re.MULTILINE)


def test_ctl_refused_with_a_hint(proxy: Proxy) -> None:
    """What the proxy says no to is told as it would be on its own command line."""
    proxy.ctl("add", "drop:name=other")
    result = proxy.ctl("update", "other", "propability=1", "symbl=A")
    assert result.code == 2
    assert result.err.splitlines()[0] == "wsctl: error: fault: unknown key 'propability' in drop"
    assert result.err.splitlines()[1].startswith("  hint: known: enabled, ")
    proxy.ctl("reset")


def test_ctl_without_a_proxy() -> None:
    """Nobody is there: exit 3."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    said = f"wsctl: error: no chaos proxy can be asked at {nobody}: connection refused\n"
    hint = "  hint: wsctl chaos says where its control is\n"
    assert wsctl("chaos", "ctl", "list", "--control", nobody) == (3, "", said + hint)


def test_a_line_moves_on_a_terminal(feed: Server) -> None:
    """How far it is, and what struck; lines that stay are written above it."""
    ours, theirs = pty.openpty()
    arguments = ("--upstream", feed.url, "--port", "0", "--control-port", "0", "--fault", "noop:name=seen")
    with subprocess.Popen(
        command("chaos", *arguments), env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = ""
        while not re.search(r"\r\x1b\[K\d+ s  0 connections  0 messages  0/s  seen 0", shown):
            shown += os.read(ours, 4096).decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    os.close(ours)
