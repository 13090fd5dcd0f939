"""What tests of several rooms share."""

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.peers.background import Background

# A busy machine is no failure: tests assert what happens, not how fast.
settings.register_profile("wsctl", deadline=None)
settings.load_profile("wsctl")


def pytest_collection_finish() -> None:
    """What is there by now stays: tests that collect garbage need not look through thousands of tests each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def background() -> Iterator[Background]:
    """An event loop in a thread, for peers that live beside the test."""
    running = Background()
    yield running
    running.stop()
