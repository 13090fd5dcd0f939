"""What tests of several rooms share."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.peers.background import Background

# A busy machine is no failure: tests assert what happens, not how fast.
settings.register_profile("wsctl", deadline=None)
settings.load_profile("wsctl")


@pytest.fixture
def background() -> Iterator[Background]:
    """An event loop in a thread, for peers that live beside the test."""
    running = Background()
    yield running
    running.stop()
