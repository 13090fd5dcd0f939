"""What each case sends, as bytes: recorded, so that no probe changes unnoticed.

`python -m tests.fuzz.golden` writes golden.json anew.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import cast
from unittest.mock import patch

import msgspec

from wsctl.client.target import Target
from wsctl.fuzz import frames, player
from wsctl.fuzz.catalogue import PROBES
from wsctl.fuzz.ending import Ended, Unfit
from wsctl.fuzz.link import Link
from wsctl.fuzz.player import Player
from wsctl.fuzz.probe import Probe
from wsctl.fuzz.steps import Case, Frame, Raw, data, expand

FILE = Path(__file__).with_name("golden.json")
GROUPS = ("handshake", "frames")
SHOWN = 16
"""first bytes of what follows the opening handshake"""
OPEN = '0{"sid":"wsctl","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}'
_UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n%b\r\n"
_AGREED = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
_OPENED = f"HTTP/1.1 200 OK\r\nContent-Length: {len(OPEN)}\r\n\r\n{OPEN}".encode()


class _Transport:
    """Hands what is written to the other side."""

    def __init__(self, heard: Callable[[bytes], None]) -> None:
        self.write = heard

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass

    abort = close

    def get_extra_info(self, _: str) -> None:
        pass


class Sink(Link):
    """A connection to an agreeable server, which says yes to each handshake and nothing else. Nobody waits for it."""

    def __init__(self, record: Callable[[bytes, bool], None]) -> None:
        super().__init__()
        self._record = record
        self.connection_made(cast("asyncio.Transport", _Transport(self._agree)))

    async def until(self, condition: Callable[[], bool], within: float) -> bool:
        return condition()

    def _agree(self, content: bytes) -> None:
        self._record(content, self.upgraded)
        if not self.upgraded and b"\r\nUpgrade: websocket\r\n" in content:
            agreed = _AGREED if b"permessage-deflate" in content else b""
            self.data_received(_UPGRADED % agreed + frames.build(Frame(data=data(OPEN)), client=False))
        elif not self.upgraded and b"transport=polling" in content.partition(b"\r\n")[0]:
            self.data_received(_OPENED)


async def golden(probe: Probe, case: Case) -> str:
    """How many bytes, the beginning of their SHA-256 and of what is hostile in them."""
    digest, size, shown = hashlib.sha256(), 0, b""

    def record(content: bytes, hostile: bool) -> None:
        nonlocal size, shown
        digest.update(content)
        size += len(content)
        shown += content[: SHOWN - len(shown)] if hostile else b""

    if probe.attacks == "client":
        for content in _said(case):
            record(content, hostile=True)
    else:
        with patch.object(player, "dial", _dials(record)):
            await _play(case)
    return f"{size} {digest.hexdigest()[:16]} {shown.hex()}".rstrip()


async def _play(case: Case) -> None:
    unfit = None
    try:
        await Player(Target(url="http://127.0.0.1:1"), None, engineio=True).hold(case.steps)
    except Ended:
        pass
    except Unfit as error:
        unfit = str(error)
    assert unfit in (None, "the target did not become a WebSocket"), unfit  # that nobody asked it to


def _dials(record: Callable[[bytes, bool], None]) -> Callable[..., object]:
    async def dial(*_: object) -> Sink:
        return Sink(record)

    return dial


def _said(case: Case) -> list[bytes]:
    said = []
    for step in case.steps:
        match step:
            case Frame(times=times):
                said += [frames.build(step, client=False)] * times
            case Raw(data=content, times=times):
                said += [expand(content)] * times
            case _:
                said.append(msgspec.json.encode(step))
    return said


async def all_golden() -> dict[str, dict[str, str]]:
    """By probe and case."""
    asked = [probe for probe in PROBES if probe.group in GROUPS]
    return {probe.id: {case.name: await golden(probe, case) for case in probe.cases} for probe in asked}


if __name__ == "__main__":
    FILE.write_text(json.dumps(asyncio.run(all_golden()), indent=1, ensure_ascii=False) + "\n")
