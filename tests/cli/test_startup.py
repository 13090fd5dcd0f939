"""Start-up: what the first command shows, what help imports, and which version this is."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.namespace import Namespace, own_port_3000
from tests.cli.program import Program, Server, environment, wsctl, wsctl_alone

HEAVY = (
    *("rich", "socketio", "engineio", "aiohttp", "uvicorn", "starlette", "websockets", "yaml", "locust", "gevent"),
    *("jwt", "uvloop", "jmespath", "httptools", "ssl", "wsctl.server.app", "wsctl.client.sio"),
    *("hypothesis", "psutil", "wsctl.fuzz.catalogue"),
)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["subscribe", "--help"], ["serve", "--help"], ["fuzz", "--help"], ["--version"]]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """Help and version come at once: none of the heavy libraries is imported for them."""
    program = f"""
import sys
sys.argv = ["wsctl", *{arguments!r}]
from wsctl.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, done.stderr) == (0, "[]\n")


def test_version() -> None:
    """`wsctl --version` prints name and version."""
    result = wsctl_alone("--version")
    assert (result.code, result.err) == (0, "")
    assert re.fullmatch(r"wsctl \d+\.\d+\.\d+\n", result.out)


def test_usage_of_lists_is_readable() -> None:
    """Help shows values as people write them."""
    assert "Usage: wsctl subscribe [OPTIONS] [SYMBOL...]\n" in wsctl("subscribe", "--help").out
    assert not re.search("<(str|int|float|list)", wsctl("serve", "--help").out)


LINES = {
    "": 2,
    "token --user a:b": 2,
    "schema result": 0,
    "doctor --users 10": 0,
    "serve --rate 0": 2,
    "emit x --url http://127.0.0.1:1": 3,
    "record A --url http://127.0.0.1:1 -o t": 3,
    "replay lines --print": 2,
    "run no.yaml": 2,
    "load --users 5": 2,
    "ordering-check --tape lines": 1,
    "subscribe A --url http://127.0.0.1:1": 3,
}


@pytest.mark.parametrize("line", LINES)
def test_what_tests_run_in_their_own_process_is_what_people_start(tmp_path: Path, line: str) -> None:
    """What is said, where, and how it ends."""
    seen = '{"received_at":1,"conn":"","channel":"","event":"","epoch":"","seq":%d,"sent_at":1,"latency_ms":0,"data":1}'
    (tmp_path / "lines").write_text("".join(f"{seen % seq}\n" for seq in (1, 3)))
    started, called = (by(*line.split(), cwd=tmp_path) for by in (wsctl_alone, wsctl))
    assert started == called
    assert started.code == LINES[line]


@pytest.fixture
def alone() -> Iterator[Namespace]:
    """A place where nobody listens on port 3000."""
    with own_port_3000() as namespace:
        yield namespace


def test_embedded_mock(alone: Namespace, tmp_path: Path) -> None:
    """Nothing configured and nobody there: prices of wsctl's own, and one line that cannot be mistaken."""
    with Program("subscribe", "FOO/BAR", "--count", "3", cwd=tmp_path, prefix=alone.prefix) as program:
        result = program.finish()
    assert result.code == 0
    assert [line["data"]["symbol"] for line in result.observations] == ["FOO/BAR"] * 3
    first, summary = result.err.splitlines()
    assert "mock prices" in first
    assert first.startswith("no feed at http://127.0.0.1:3000: ")
    assert summary.startswith("3 messages in ")


def test_no_mock_beside_a_feed(alone: Namespace, tmp_path: Path) -> None:
    """Nothing configured and a feed on port 3000: that one is watched."""
    with ExitStack() as stack:
        stack.enter_context(Server(tmp_path, "--port", "3000", "--symbols", "X/Y", prefix=alone.prefix))
        program = stack.enter_context(Program("subscribe", "X/Y", "--count", "2", cwd=tmp_path, prefix=alone.prefix))
        result = program.finish()
    assert result.code == 0
    assert "mock" not in result.err


def test_configured_by_file(alone: Namespace, tmp_path: Path) -> None:
    """A target that wsctl.yaml names is never replaced by a mock."""
    (tmp_path / "wsctl.yaml").write_text("feeds:\n  local: {url: 'http://127.0.0.1:3000'}\n")
    with Program("subscribe", "X/Y", cwd=tmp_path, prefix=alone.prefix) as program:
        result = program.finish()
    assert result.code == 3
    assert result.err.startswith("wsctl: error: http://127.0.0.1:3000: connection refused\n")


def test_module_and_script_are_the_same() -> None:
    """The console script beside this interpreter is `python -m wsctl`."""
    script = Path(sys.executable).with_name("wsctl")
    if not script.exists():
        pytest.skip("not installed as a script")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, env=dict(os.environ), timeout=20)
    assert done.stdout == wsctl("--version").out
