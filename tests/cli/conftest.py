"""What whole-program tests share: feeds to run against."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.program import Server

Serve = Callable[..., Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts `wsctl serve` with some options; ended with the test."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(Server(tmp_path, *arguments))


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A quick mock feed of two symbols for all tests of a module."""
    with Server(tmp_path_factory.mktemp("feed"), "--symbols", "BTC/USDT,ETH/USDT", "--rate", "50") as server:
        yield server
