"""Node's socket.io-client against `wsctl serve`: the tutorial's test, refusals, acknowledgements, a restart."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Serve, serve
from tests.cli.namespace import own_port_3000
from tests.cli.program import Program, Server, wsctl

SCRIPTS = Path(__file__).parents[1] / "node"

__all__ = ["serve"]


class Session(Program):
    """session.mjs, and what it told."""

    def __init__(self, node: str, url: str, **auth: Any) -> None:
        super().__init__(argv=[node, str(SCRIPTS / "session.mjs"), url, json.dumps(auth)])

    @property
    def told(self) -> list[list[Any]]:
        """Everything so far: the event and its facts."""
        return [json.loads(line) for line in self.out]

    def wait_told(self, event: str, count: int = 1) -> list[list[Any]]:
        """Wait until an event was told so many times; each time's facts."""
        return self.wait_for(lambda: len(found := self._facts(event)) >= count and found)

    def _facts(self, event: str) -> list[list[Any]]:
        return [facts for name, *facts in self.told if name == event]


@contextmanager
def session(node: str, url: str, **auth: Any) -> Iterator[Session]:
    """A client for as long as the block lasts."""
    with Session(node, url, **auth) as client:
        yield client


def test_tutorial(node: str, tmp_path: Path) -> None:
    """The four lines that every tutorial shows pass verbatim in a JavaScript test runner."""
    with own_port_3000() as alone, Server(tmp_path, "--port", "3000", prefix=alone.prefix):
        argv = [node, "--test", "--test-reporter=tap", str(SCRIPTS / "tutorial.test.mjs")]
        with Program(argv=argv, prefix=alone.prefix) as program:
            result = program.finish()
    assert result.code == 0, result
    assert "# pass 1\n" in result.out
    assert "# fail 0\n" in result.out


def test_bad_token(node: str, serve: Serve) -> None:
    """A bad token arrives as a connect error whose message is `Authentication error`."""
    with session(node, serve().url, token="nonsense") as client:
        assert client.wait_told("connect_error")[0] == ["Authentication error"]
        assert not client._facts("connect")


def test_good_token(node: str, serve: Serve) -> None:
    """A minted token lets in."""
    server = serve()
    with session(node, server.url, token=wsctl("token", "--user", "bob").out.strip()) as client:
        client.wait_told("price:update")
        server.wait_err("as bob")


def test_acknowledgements(node: str, serve: Serve) -> None:
    """A request is acknowledged with what was subscribed; so is one that cannot be served."""
    with session(node, serve("--symbols", "BTC/USDT").url) as client:
        assert client.wait_told("ack")[0] == [{"ok": True, "subscribed": ["BTC/USDT"]}]
    with session(node, serve("--symbols", "ETH/USDT").url) as client:
        answer = client.wait_told("ack")[0][0]
        assert (answer["ok"], answer["code"], answer["refused"]) == (False, "unknown_symbol", ["BTC/USDT"])


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_restart(node: str, serve: Serve, end: signal.Signals) -> None:
    """A server that ends and comes back on its port: the client reconnects by itself and resumes."""
    server = serve("--symbols", "BTC/USDT", "--rate", "50")
    with session(node, server.url) as client:
        epoch = client.wait_told("price:update", 5)[0][0]
        server.signal(end)
        client.wait_told("disconnect")
        serve("--symbols", "BTC/USDT", "--rate", "50", "--port", str(server.port))
        client.wait_told("reconnect")
        client.wait_for(lambda: [facts for facts in client._facts("price:update") if facts[0] != epoch])
        assert client.wait_told("ack", 2) == [[{"ok": True, "subscribed": ["BTC/USDT"]}]] * 2
        if end is not signal.SIGKILL:
            assert client._facts("connection:closing") == [[{"reason": "shutdown", "retry": True}]]
            assert client._facts("disconnect") == [["transport close", 1012]]
