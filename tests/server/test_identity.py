"""Who a token may name."""

import json

import jwt
import pytest
from served import feed, run, websocket

from wsctl.errors import UsageError

SECRET = "long enough for every version of the library"
BAD_IDS = ["ali\nce", "alice\n", "\x1b[2Jalice", "alice\x00", "al ice", "alice\r", "ali\u2028ce", "al:ice", ""]


def sign(**claims: object) -> str:
    """A soundly signed token."""
    return jwt.encode(claims, SECRET, algorithm="HS256")


def test_an_id_that_is_not_sound_is_refused() -> None:
    """A signed token whose `sub` holds a line break, an escape or the like gets `Authentication error`."""

    async def test() -> None:
        async with feed(jwt_secret=SECRET) as running, websocket(running) as peer:
            for bad in BAD_IDS:
                await peer.send("40" + json.dumps({"token": sign(sub=bad)}))
                answer = await peer.answer(lambda packet: packet.startswith("44"))
                assert answer == '44{"message":"Authentication error"}', bad
            logs = running.logs  # type: ignore[attr-defined]
            assert [log.what for log in logs] == ["refused"] * len(BAD_IDS)
            assert [log.user for log in logs] == [None] * len(BAD_IDS)
            for log in logs:
                assert log.reason is not None
                assert log.reason.isprintable(), "nothing of the token is repeated"
            await peer.join(token=sign(sub="org/alice_b-1.2"))
            assert logs[-1].user == "org/alice_b-1.2"

    run(test)


def test_an_empty_secret_is_refused() -> None:
    """With an empty secret anybody could sign: no feed starts."""

    async def test() -> None:
        with pytest.raises(UsageError, match="the JWT secret is empty; expected some text"):
            async with feed(jwt_secret=""):
                pass

    run(test)
