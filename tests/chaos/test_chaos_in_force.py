"""Which faults are in force, and when."""

from typing import Any

import pytest

from tests.chaos.proxied import harmed, proxied, seqs, subscribed
from tests.chaos.upstreams import SWITCHING, Reader, Writer, head_of, rest_of, serving, websocket_by_hand
from tests.server.served import joined, run, until
from wsctl.chaos.asked import asked
from wsctl.errors import UsageError
from wsctl.wire.frames import TEXT, build


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("drop", {"for": "2s", "every": "1s"}, "for 2 s every 1 s has no end; expected every to be longer"),
        ("close", {"code": 1006}, "close code 1006 never stands on the wire; the fault cut ends without one"),
        ("close", {"reason": "x" * 124}, "a close reason of 124 bytes; expected at most 123"),
        ("rolling-restart", {"code": 1015}, "close code 1015 never stands on the wire"),
        ("freeze-channel", {}, "freeze-channel freezes a channel; expected channel or symbol"),
        ("limit", {}, "limit limits nothing; expected connections, attempts, messages or streams"),
        ("limit", {"for": "2s", "every": "1s", "attempts": 1}, "for 2 s every 1 s has no end"),
    ],
)
def test_what_cannot_be_asked_for(kind: str, options: dict[str, Any], error: str) -> None:
    with pytest.raises(UsageError, match=error):
        asked(kind, options)


def test_two_of_one_name() -> None:
    """Nothing changes where one of several cannot be had."""

    async def test() -> None:
        async with harmed("drop") as scene:
            before = scene.proxy.faults
            with pytest.raises(UsageError, match="there is a fault 'drop' already"):
                scene.add("drop")
            with pytest.raises(UsageError, match="2 faults are called 'noop'"):
                scene.proxy.populate([asked("noop", {}), asked("noop", {})])
            assert scene.proxy.faults == before

    run(test)


def test_when_a_fault_is_on() -> None:
    """From `at` on, for as long as it lasts, again and again; it holds nothing back in between."""

    async def test() -> None:
        async with harmed() as scene, joined(scene) as peer:
            await subscribed(peer)
            fault = scene.add("stall:at=50ms,for=50ms,every=100ms")
            assert not fault.is_on
            for _ in range(3):
                await until(lambda: fault.is_on)
                scene.publish(1)
                await until(lambda: not fault.is_on)
                scene.publish(1)
            await peer.gather(lambda: len(seqs(peer)) == 6)
            assert seqs(peer) == sorted(seqs(peer))
            assert len(scene.firings) >= 3

    run(test)


def test_a_fault_is_there_from_the_first_byte() -> None:
    """What is to be dropped is dropped even where it comes with the answer to the handshake."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await head_of(reader)
        writer.write(SWITCHING + build(TEXT, b'42["x"]', mask=False).raw)
        writer.write_eof()

    async def test() -> None:
        async with serving(serve) as url, proxied(url, "drop") as scene, websocket_by_hand(scene.url) as (reader, _):
            assert await rest_of(reader) == (b"", "fin")
            assert scene.actions() == ["dropped"]

    run(test)
