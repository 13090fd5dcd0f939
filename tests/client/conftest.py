"""What the client's tests share: a way to run async tests that leaves nothing behind."""

import asyncio
import gc
import ssl
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import trustme


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Runs a test's coroutine; afterwards no task of it may be left."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)

    def runner(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(_bounded(coroutine))

    yield runner
    gc.collect()  # so that what was not closed warns here, in the test that did it


async def _bounded(coroutine: Coroutine[Any, Any, Any]) -> Any:
    async with asyncio.timeout(30):
        result = await coroutine
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"tasks left behind: {left}"
    return result


@pytest.fixture
def authority() -> trustme.CA:
    """A private certificate authority."""
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """A server's side of TLS as `localhost`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context
