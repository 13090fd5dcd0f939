"""What a limit tells whom it refuses, and what it remembers: no address for longer than it counts."""

import asyncio
import time

from tests.chaos.proxied import harmed
from tests.chaos.upstreams import head_of
from tests.server.served import HANDSHAKE, WEBSOCKET, run, until
from wsctl.chaos.faults.limit import Limit


async def knock(url: str, address: str = "127.0.0.1") -> tuple[bytes, asyncio.StreamWriter]:
    """Shake hands from an address of this machine: the answer's head, and the connection to close."""
    port = int(url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    writer.write(HANDSHAKE.format(target=WEBSOCKET, more="").encode())
    return await head_of(reader), writer


def test_who_waits_as_long_as_told_is_let_in() -> None:
    """Seconds are whole, and never too few: an attempt that comes too early counts, and pushes the window on."""

    async def test() -> None:
        async with harmed("limit:attempts=1,window=1400ms") as scene:
            began = time.monotonic()
            first, writer = await knock(scene.url)
            writer.close()
            assert b" 101 " in first
            refused, writer = await knock(scene.url)
            writer.close()
            took = time.monotonic() - began
            assert b" 429 " in refused
            told = int(refused.partition(b"Retry-After: ")[2].partition(b"\r\n")[0])
            assert 1.4 - took <= told <= 2

    run(test)


def test_addresses_are_forgotten() -> None:
    """Once nobody of theirs is there, and their window is over."""

    async def test() -> None:
        async with harmed("limit:attempts=99,connections=99,window=50ms") as scene:
            limit = scene.fault("limit")
            assert isinstance(limit, Limit)
            for last in range(2, 6):
                _, writer = await knock(scene.url, f"127.0.0.{last}")
                assert f"127.0.0.{last}" in limit._let_in
                writer.close()
            await until(lambda: not limit._let_in)
            await until(lambda: limit._attempts["127.0.0.5"].is_over(time.monotonic()))
            _, writer = await knock(scene.url)
            assert set(limit._attempts) == set(limit._let_in) == {"127.0.0.1"}
            writer.close()

    run(test)


def test_connections_that_were_there_before_count() -> None:
    """Those that came before the limit did, too."""

    async def test() -> None:
        async with harmed() as scene:
            _, before = await knock(scene.url)
            scene.add("limit:connections=2")
            let_in, other = await knock(scene.url)
            refused, third = await knock(scene.url)
            assert b" 101 " in let_in
            assert b" 429 " in refused
            before.close()
            await until(lambda: len(scene.proxy.connections) == 1)
            let_in, last = await knock(scene.url)
            assert b" 101 " in let_in
            for writer in (other, third, last):
                writer.close()

    run(test)
