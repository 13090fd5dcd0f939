"""What tests of several rooms share."""

from collections.abc import Iterator

import pytest

from tests.peers.background import Background


@pytest.fixture
def background() -> Iterator[Background]:
    """An event loop in a thread, for peers that live beside the test."""
    running = Background()
    yield running
    running.stop()
