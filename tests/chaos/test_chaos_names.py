"""What a request says of whom it was meant for and where it comes from, and what of that reaches the server."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from tests.chaos.proxied import harmed, proxied
from tests.chaos.upstreams import Reader, Writer, dialled, head_of, serving
from tests.server.served import POLLING, get_control, joined, run
from wsctl.chaos.names import is_own


@pytest.mark.parametrize(
    ("host", "listening", "own"),
    [
        ("127.0.0.1:3001", None, True),
        ("localhost:3001", None, True),
        ("LocalHost", None, True),
        ("[::1]:3001", None, True),
        ("192.0.2.9:3001", None, True),
        ("evil.example:3001", None, False),
        ("localhost.evil.example:3001", None, False),
        ("127.0.0.1.evil.example", None, False),
        ("localhost, evil.example", None, False),
        ("[::1", None, False),
        ("", None, False),
        ("box.lan:3001", "0.0.0.0", False),
        ("box.lan:3001", "Box.lan", True),
        ("evil.example:3001", "box.lan", False),
    ],
)
def test_names(host: str, listening: str | None, own: bool) -> None:
    """A number and the name it was given are the proxy's; another name, its owner may have made point here."""
    assert is_own(host, listening) is own


async def through(**headers: str) -> dict[str, str]:
    """Those of a request as a server gets them: where they name it or the proxy, they say so."""
    heads: list[bytes] = []

    async def answer(reader: Reader, writer: Writer) -> None:
        heads.append(await head_of(reader))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with serving(answer) as url, proxied(url) as scene, dialled(scene.url) as (reader, writer):
        proxy, upstream = scene.url.removeprefix("http://"), url.removeprefix("http://")
        fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        writer.write(f"GET / HTTP/1.1\r\n{fields}\r\n".replace("PROXY", proxy).encode())
        await head_of(reader)
        lines = heads[0].decode().replace(upstream, "UPSTREAM").replace(proxy, "PROXY").split("\r\n")[1:-2]
        return dict(line.split(": ", 1) for line in lines)


@pytest.mark.parametrize(
    ("said", "got"),
    [
        ({"Host": "PROXY"}, {"Host": "UPSTREAM"}),
        ({"Host": "PROXY", "Origin": "http://PROXY"}, {"Host": "UPSTREAM", "Origin": "http://UPSTREAM"}),
        (
            {"Host": "PROXY", "Origin": "http://localhost:5173"},
            {"Host": "UPSTREAM", "Origin": "http://localhost:5173"},
        ),
        (
            {"Host": "PROXY", "Origin": "http://evil.example:3001"},
            {"Host": "UPSTREAM", "Origin": "http://evil.example:3001"},
        ),
        (
            {"Host": "evil.example:3001", "Origin": "http://evil.example:3001"},
            {"Host": "evil.example:3001", "Origin": "http://evil.example:3001"},
        ),
    ],
)
def test_a_server_is_told_its_own_name_for_the_proxys(said: dict[str, str], got: dict[str, str]) -> None:
    """And no other: what a page of another site says of itself reaches the server's own checks."""

    async def test() -> None:
        assert await through(**said) == {**got, "X-Forwarded-For": "127.0.0.1"}

    run(test)


def test_who_asked_is_said() -> None:
    """Behind those that a proxy before this one has said."""

    async def test() -> None:
        got = await through(Host="PROXY", X_Forwarded_For="192.0.2.9")
        assert got == {"Host": "UPSTREAM", "X-Forwarded-For": "192.0.2.9, 127.0.0.1"}

    run(test)


async def _asked(method: str, url: str, **headers: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as http, http.request(method, url, json={}, headers=headers) as response:
        return response.status, await response.text()


REBOUND: Mapping[str, str] = {"Host": "evil.example:3001", "Origin": "http://evil.example:3001"}


def test_a_proxy_opens_no_back_door() -> None:
    """What a feed answers its own machine only, it does not answer through the proxy, nor a page of another site."""

    async def test() -> None:
        async with harmed() as scene, joined(scene):
            for headers in ({}, REBOUND):
                status, said = await _asked("POST", f"{scene.url}/control/flash", **headers)
                assert (status, "does not answer through a proxy" in said) == (403, True)
            assert (await _asked("GET", scene.url + POLLING, **REBOUND))[0] == 403
            (listed,) = (await get_control(scene.server, "connections"))["connections"]
            assert listed["address"].startswith("127.0.0.1:")

    run(test)
