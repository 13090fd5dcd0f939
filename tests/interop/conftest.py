"""What the tests with other people's clients share."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.program import Server
from tests.interop import prices
from tests.interop.prices import Recording

Play = Callable[[Recording], Server]


@pytest.fixture(params=["small", "capture"])
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> Recording:
    """Recorded trades, with equal and simultaneous ones among them."""
    if request.param == "capture":
        if not prices.CAPTURE.exists():
            pytest.skip("no captures beside the repository")
        return prices.read(prices.CAPTURE, "2000")
    file = tmp_path / "small.csv"
    file.write_text(prices.SMALL)
    return prices.read(file, "20")


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """Serves a recording; its clock starts at the first subscription."""
    with ExitStack() as stack:
        yield lambda recording: stack.enter_context(
            Server(tmp_path, "--prices", str(recording.file), "--price-speed", recording.speed)
        )


@pytest.fixture(scope="session")
def node() -> str:
    """Node, with socket.io-client beside its scripts."""
    found = shutil.which("node")
    if found is None or not (Path(__file__).parents[1] / "node" / "node_modules" / "socket.io-client").exists():
        pytest.skip("no Node, or its packages are not installed: make test installs them")
    return found
