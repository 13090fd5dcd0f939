"""What corrupt damages, and what it leaves alone."""

import json
import re
import time
from random import Random

import pytest

from tests.chaos.proxied import harmed
from tests.server.served import BTC, raw_websocket, run
from wsctl.chaos.faults.corrupt import _DAMAGE, Mode
from wsctl.model.event import PRICE_UPDATE


@pytest.mark.parametrize("form", ["full", "compact"])
@pytest.mark.parametrize("mode", ["truncate", "flip", "type", "utf8", "stale"])
def test_corrupt(mode: str, form: str) -> None:
    """Each mode does what it says and no more."""

    async def test() -> None:
        async with harmed() as scene, raw_websocket(scene) as raw:
            await raw.read_frame()
            auth = json.dumps({"format": form})
            await raw.text(f"40{auth}", '420["price:subscribe",["BTC/USDT"]]')
            while not (await raw.read_frame())[1].startswith(b"430"):
                pass
            scene.add(f"corrupt:mode={mode},event=price:update,channel=symbol:*")
            scene.publish(3)
            for _ in range(3):
                check_damage(mode, (await raw.read_frame())[1])
            assert scene.actions() == ["corrupted"] * 3

    run(test)


def check_damage(mode: str, content: bytes) -> None:
    """Whether a content is damaged in a way, and in no other."""
    if mode == "utf8":
        with pytest.raises(UnicodeDecodeError):
            content.decode()
        json.loads(content.replace(b"\xff", b"")[2:])
        return
    text = content.decode()[2:]
    if mode == "truncate":
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            json.loads(text)
        return
    name, body = json.loads(text)
    assert name == PRICE_UPDATE
    usual = {"symbol": "BTC/USDT", "s": "BTC/USDT", "price": 1.5, "p": 1.5, "volume": 3.0, "v": 3.0, "bid": 1, "ask": 2}
    usual["channel"] = BTC
    time_key = "t" if "t" in body else "timestamp"
    strange = [key for key in body if body[key] != usual.get(key, body[key])]
    numbers = [key for key in body if key not in ("symbol", "s", "channel", "epoch", "e")]
    quoted = [key for key in numbers if isinstance(body[key], str)]
    old = abs(time.time() - 3600 - float(body[time_key]) / 1000) < 60
    assert (len(quoted) == 1) is (mode == "type")
    assert old is (mode == "stale")
    if mode == "flip":
        assert len(strange) <= 1
    if mode == "stale":
        assert strange == []


@pytest.mark.parametrize(
    ("content", "mode", "may_be"),
    [
        (b'42["x",{"a":true,"b":null}]', "flip", None),
        (b'42["x",{"c":"user:7:x","d":[1]}]', "type", None),
        (b'42["x",{"in":"{\\"a\\":1}"}]', "type", None),
        (b'42["x",{"a":-1.5e3}]', "type", rb'42\["x",{"a":"-1.5e3"}\]'),
        (b'{"checksum":-305419896}', "checksum", rb'{"checksum":-\d+}'),
        (b'{"a":1}', "checksum", None),
        (b'{"time":1700000000}', "stale", rb'{"time":1699996400}'),
        (b'{"ts":1700000000123456789}', "stale", rb'{"ts":1699996400123456789}'),
        (b'{"E":1700000000123,"t":1234567890}', "stale", rb'{"E":1699996400123,"t":1234567890}'),
        (b"[1]", "truncate", None),
        (b"", "utf8", rb"\xff"),
    ],
)
def test_what_can_be_damaged(content: bytes, mode: Mode, may_be: bytes | None) -> None:
    """Where there is nothing that could be, nothing is, and nothing counts; with the same dice the same is."""
    for seed in range(10):
        damaged, again = (_DAMAGE[mode](content, Random(seed)) for _ in range(2))
        assert damaged == again
        if may_be is None:
            assert damaged is None
        else:
            assert damaged != content
            assert re.fullmatch(may_be, damaged)
