"""The receiver: one process with N Socket.IO connections that counts what arrives, whoever serves.

It also reads the server's CPU clock, so that messages and CPU are taken at the same instant. Prints one
line of JSON.
"""

import argparse
import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psutil
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

SUBSCRIBE = b'42["price:subscribe",["BTC/USDT"]]'
OPEN, PING, PONG, CONNECT, CONNECTED = b"0", b"2", b"3", b"40", b"40"
SHORTEST_PRICE = 100  # bytes; what is shorter is protocol
AT_ONCE = 50  # connections being opened at a time
ATTEMPTS = 3
PATIENCE = 30.0  # seconds to wait for the connections, then for all of them to receive
QUIET = 0.005  # seconds without a message that end a burst


C = TypeVar("C", bound=WSListener)


class ReceiverError(Exception):
    """The round cannot be measured."""


class Tally:
    """What all connections received together."""

    __slots__ = ("bytes", "first", "messages", "sent")

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0
        """of the messages, or whatever else a receiver counts"""
        self.sent = 0
        """bytes sent, where a receiver counts them"""
        self.first = ""
        """the first message, to look at"""


class Client(WSListener):
    """One connection: joins, subscribes, then counts. A raw one counts from the first frame on."""

    def __init__(self, tally: Tally, *, raw: bool, subscribe: bytes = SUBSCRIBE) -> None:
        self.tally = tally
        self._subscribe = subscribe
        self.received = 0
        self.lost: str | None = None
        self._subscribed = raw

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Count a price; leave the rest to the protocol."""
        if self._subscribed and frame.payload_size >= SHORTEST_PRICE and frame.msg_type == WSMsgType.TEXT:
            self.received += 1
            self.tally.messages += 1
            self.tally.bytes += frame.payload_size
            if not self.tally.first:
                self.tally.first = frame.get_payload_as_utf8_text()
        else:
            self._answer(transport, frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Remember that this one is gone."""
        self.lost = self.lost or "connection lost"

    def _answer(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self.lost = f"closed by the server with {frame.get_close_code()}"
            transport.disconnect()
            return
        packet = frame.get_payload_as_bytes()
        if packet == PING:
            transport.send(WSMsgType.TEXT, PONG)
        elif not self._subscribed and packet.startswith(CONNECTED):
            self._subscribed = True
            transport.send(WSMsgType.TEXT, self._subscribe)
        elif not self._subscribed and packet.startswith(OPEN):
            transport.send(WSMsgType.TEXT, CONNECT)
        elif packet.startswith(b"44"):
            self.lost = f"refused: {packet.decode()}"


class Meter:
    """CPU seconds of a process and its children, to the nanosecond where the system has such a clock.

    psutil's figures come in hundredths of a second: a few per cent of a short window.
    """

    def __init__(self, pid: int) -> None:
        process = psutil.Process(pid)
        self.processes = [process, *process.children(recursive=True)]

    def cpu(self) -> float:
        """User and system time so far."""
        return sum(_cpu_seconds(process) for process in self.processes)

    def rss(self) -> int:
        """Resident bytes now."""
        return sum(process.memory_info().rss for process in self.processes)


def _cpu_seconds(process: psutil.Process) -> float:
    if sys.platform == "linux":
        return time.clock_gettime((~process.pid << 3) | 2)  # what clock_getcpuclockid(3) returns
    times = process.cpu_times()
    return times.user + times.system


def own_cpu() -> float:
    """Seconds of CPU that this process used so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def machine_cpu() -> float:
    """Seconds of CPU that everybody used so far; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0.0
    machine = psutil.cpu_times()
    return sum(machine) - machine.idle - machine.iowait - machine.guest - machine.guest_nice


async def connect_all(url: str, count: int, tally: Tally, *, raw: bool) -> list[Client]:
    """Open the connections, some at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> Client:
        async with gate:
            return await connect(url, lambda: Client(tally, raw=raw))

    return await asyncio.gather(*(one() for _ in range(count)))


async def connect(url: str, make: Callable[[], C], **more: Any) -> C:
    """Open one connection, with `more` options of picows; try again a few times."""
    cause: object = None
    for _ in range(ATTEMPTS):
        try:
            _, client = await ws_connect(make, url, **{"websocket_handshake_timeout": PATIENCE, **more})
        except Exception as error:
            cause = error
            continue
        if client is not None:  # None, without an error, when the peer reset before its 101
            return client
        cause = "reset before the handshake was answered"
    raise ReceiverError(f"cannot connect: {cause}")


async def wait_until(condition: Callable[[], bool], seconds: float, interval: float) -> bool:
    """Poll; whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(interval)
    return True


async def all_receive(clients: Sequence[Any]) -> None:
    """Wait until each connection received a message."""
    if not await wait_until(lambda: all(client.received for client in clients), PATIENCE, 0.05):
        silent = [client for client in clients if not client.received]
        cause = next((client.lost for client in silent if client.lost), "no price received")
        raise ReceiverError(f"{len(silent)} of {len(clients)} connections receive nothing: {cause}")


async def burst_end(tally: Tally, period: float) -> None:
    """Wait for the end of a burst, so that a window holds whole bursts with the CPU they cost.

    A server that never pauses is measured at once, after a few periods.
    """
    before = tally.messages
    await wait_until(lambda: tally.messages > before, 3 * period, 0.001)
    last, since = tally.messages, time.monotonic()

    def quiet() -> bool:
        nonlocal last, since
        if tally.messages != last:
            last, since = tally.messages, time.monotonic()
        return time.monotonic() - since >= QUIET

    await wait_until(quiet, 3 * period, 0.001)


def instant(tally: Tally, clients: Sequence[Any], meter: Meter) -> dict[str, Any]:
    """Everything that is read at one end of the window."""
    return {
        "at": time.monotonic(),
        "messages": tally.messages,
        "bytes": tally.bytes,
        "sent": tally.sent,
        "cpu": meter.cpu(),
        "receiver_cpu": own_cpu(),
        "machine_cpu": machine_cpu(),
        "each": [client.received for client in clients],
    }


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Connect, warm up, and measure one window."""
    tally = Tally()
    meter = Meter(options.pid)
    clients = await connect_all(options.url, options.clients, tally, raw=options.raw)
    await all_receive(clients)
    gc.collect()
    gc.disable()
    await asyncio.sleep(options.warmup)
    await burst_end(tally, 1 / options.rate)
    start = instant(tally, clients, meter)
    await asyncio.sleep(options.seconds - 0.5 / options.rate)  # burst_end waits for the rest
    await burst_end(tally, 1 / options.rate)
    end = instant(tally, clients, meter)
    return summary(start, end) | {
        "lost": sum(client.lost is not None for client in clients),
        "rss": meter.rss(),
        "sample": tally.first,
    }


def summary(start: dict[str, Any], end: dict[str, Any]) -> dict[str, Any]:
    """What happened between two instants; shares of CPU count 1.0 for a core."""
    seconds = end["at"] - start["at"]
    messages = end["messages"] - start["messages"]
    spent = {key: (end[key] - start[key]) / seconds for key in ("cpu", "receiver_cpu", "machine_cpu")}
    return {
        "seconds": seconds,
        "messages": messages,
        "bytes_per_message": (end["bytes"] - start["bytes"]) / max(messages, 1),
        "sent_per_message": (end["sent"] - start["sent"]) / max(messages, 1),
        "cpu_seconds": end["cpu"] - start["cpu"],
        "server_share": spent["cpu"],
        "receiver_share": spent["receiver_cpu"],
        "others_share": max(0.0, spent["machine_cpu"] - spent["cpu"] - spent["receiver_cpu"]),
        "receiving": sum(b > a for a, b in zip(start["each"], end["each"], strict=True)),
    }


def main() -> None:
    """Print the measurement, or {"error"} when there is none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="WebSocket URL")
    parser.add_argument("--pid", type=int, required=True, help="process of the server")
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--warmup", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--raw", action="store_true", help="no Socket.IO: count every frame")
    try:
        result = uvloop.run(measure(parser.parse_args()))
    except (ReceiverError, psutil.Error, OSError) as error:
        result = {"error": str(error)}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
