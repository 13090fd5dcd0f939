"""Recorded prices arrive exactly: the same values, none left out, in order, at every client and transport."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.cli.program import Program, Server, wait_until, wsctl
from tests.interop.conftest import Play
from tests.interop.prices import Recording

NODE_CLIENT = Path(__file__).parents[1] / "node" / "prices.mjs"

TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}

Prices = dict[str, list[float]]


class Receiver:
    """Takes `price:update` events until all that were recorded have come."""

    def __init__(self, recording: Recording) -> None:
        self._wanted = recording.count
        self.messages: list[dict[str, Any]] = []

    def take(self, message: dict[str, Any]) -> None:
        self.messages.append(message)

    @property
    def complete(self) -> bool:
        return len(self.messages) >= self._wanted

    @property
    def prices(self) -> Prices:
        return by_symbol(self.messages)


def by_symbol(messages: list[dict[str, Any]]) -> Prices:
    prices: Prices = {}
    for message in messages:
        prices.setdefault(message["symbol"], []).append(message["price"])
    return prices


def judge(messages: list[dict[str, Any]], recording: Recording) -> None:
    """Exactly the recorded prices per symbol, numbered from 1 without a break."""
    assert not any(message.get("snapshot") for message in messages), "before the first value there is none"
    assert by_symbol(messages) == recording.prices
    for symbol, prices in recording.prices.items():
        seqs = [message["seq"] for message in messages if message["symbol"] == symbol]
        assert seqs == list(range(1, len(prices) + 1))


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_wsctl(play: Play, recording: Recording, transport: str) -> None:
    """wsctl subscribe receives every recorded price, and the check of it passes."""
    server = play(recording)
    options = ("--transport", transport, "--count", str(recording.count))
    result = wsctl("subscribe", *recording.symbols, "--url", server.url, *options)
    assert result.code == 0
    judge([line["data"] for line in result.observations], recording)
    verdict = wsctl("ordering-check", "-", "--format", "json", stdin=result.out.encode())
    assert (verdict.code, json.loads(verdict.out)["verdict"]) == (0, "pass")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_python_socketio(play: Play, recording: Recording, transport: str) -> None:
    """So does python-socketio's synchronous client."""
    receiver = Receiver(recording)
    server = play(recording)
    client = socketio.Client(handle_sigint=False)
    client.on("price:update", receiver.take)
    client.connect(server.url, transports=TRANSPORTS[transport])
    client.emit("price:subscribe", recording.symbols)
    try:
        wait_until(lambda: receiver.complete)
        assert client.transport() == ("polling" if transport == "polling" else "websocket")
    finally:
        client.disconnect()
    judge(receiver.messages, recording)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_python_socketio_async(play: Play, recording: Recording, transport: str) -> None:
    """So does python-socketio's asyncio client."""
    receiver = Receiver(recording)
    asyncio.run(_receive(play(recording), recording, receiver, TRANSPORTS[transport]))
    judge(receiver.messages, recording)


async def _receive(server: Server, recording: Recording, receiver: Receiver, transports: list[str]) -> None:
    client = socketio.AsyncClient(handle_sigint=False)
    complete = asyncio.Event()

    def take(message: dict[str, Any]) -> None:
        receiver.take(message)
        if receiver.complete:
            complete.set()

    client.on("price:update", take)
    await client.connect(server.url, transports=transports)
    await client.emit("price:subscribe", recording.symbols)
    async with asyncio.timeout(20):
        await complete.wait()
    await client.disconnect()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_node(play: Play, recording: Recording, transport: str, node: str) -> None:
    """So does Node's socket.io-client."""
    server = play(recording)
    names = ",".join(TRANSPORTS[transport])
    argv = [node, str(NODE_CLIENT), server.url, names, str(recording.count), *recording.symbols]
    with Program(argv=argv) as program:
        result = program.finish()
    assert (result.code, result.err) == (0, "")
    *messages, end = result.observations
    judge(messages, recording)
    assert end == {"transport": "polling" if transport == "polling" else "websocket"}
