"""Servers take as many connections as the system allows, not as few as a shell usually does."""

import resource
from pathlib import Path

import psutil
import pytest

from tests.cli.program import Program, wait_until

FEW = 150
POOR = ("sh", "-c", f'ulimit -Sn {FEW}; exec "$@"', "sh")


@pytest.mark.parametrize(
    "command",
    [("serve",), ("chaos", "--upstream", "http://127.0.0.1:9", "--control-port", "0")],
    ids=["serve", "chaos"],
)
def test_the_limit_of_open_files_is_the_hard_one(command: tuple[str, ...], tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    with Program(*command, "--port", "0", "--ready-file", str(ready), prefix=POOR) as program:
        wait_until(ready.exists)
        soft, hard = psutil.Process(program.process.pid).rlimit(psutil.RLIMIT_NOFILE)
    assert soft == hard == resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert hard > FEW
