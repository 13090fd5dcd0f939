"""The control API over HTTP: what it answers, in Toxiproxy's shape; and the client that `chaos ctl` uses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.chaos.proxied import Scene, harmed
from tests.chaos.upstreams import dialled, rest_of
from tests.server.served import POLLING, joined, polling, run, until
from wsctl.chaos.control import served
from wsctl.chaos.fault import AnyFault
from wsctl.chaos.faults.drop import Drop
from wsctl.chaos.faults.noop import Noop
from wsctl.client.toxics import Toxics
from wsctl.errors import TargetError, UsageError

PROXY = "/proxies/wsctl"
TOXICS = f"{PROXY}/toxics"
LOSS = {"type": "drop", "name": "loss", "attributes": {"p": 0.5}}
SHOWN = {
    "name": "loss",
    "type": "drop",
    "stream": "downstream",
    "toxicity": 1.0,
    "attributes": {"p": 0.5},
    "matched": 0,
    "applied": 0,
}


class Api:
    """Asks as a Toxiproxy client does."""

    def __init__(self, scene: Scene, session: aiohttp.ClientSession, url: str) -> None:
        self.scene = scene
        self.url = url
        self._session = session

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The status, and what JSON it answers."""
        async with self._session.request(method, self.url + path, json=body, headers=headers) as response:
            return response.status, await response.json() if await response.read() else None


@asynccontextmanager
async def controlled(*faults: str) -> AsyncIterator[Api]:
    """A proxy before a silent feed, and its control."""
    async with (
        harmed(*faults, seed=7) as scene,
        served(scene.proxy, 0) as url,
        aiohttp.ClientSession() as session,
    ):
        yield Api(scene, session, url)


def test_the_life_of_a_toxic() -> None:
    """Listed, created, shown, changed, deleted: with the codes and fields that Toxiproxy answers."""

    async def test() -> None:
        async with controlled() as api:
            status, proxies = await api("GET", "/proxies")
            assert (status, list(proxies)) == (200, ["wsctl"])
            known = proxies["wsctl"]
            assert known == (await api("GET", PROXY))[1]
            assert {key: known[key] for key in ("name", "enabled", "seed", "toxics")} == {
                "name": "wsctl",
                "enabled": True,
                "seed": 7,
                "toxics": [],
            }
            assert f"http://{known['listen']}" == known["url"] == api.scene.url
            assert await api("POST", TOXICS, LOSS) == (200, {**SHOWN, "struck": [], "left_out": 0})
            assert await api("GET", TOXICS) == (200, [SHOWN])
            assert await api("GET", f"{TOXICS}/loss") == (200, SHOWN)
            for method in ("POST", "PATCH"):  # POST is how old clients change
                change = {"stream": "upstream", "toxicity": 0.25, "attributes": {"nth": 3, "p": 1.0}}
                changed = {**SHOWN, "stream": "upstream", "toxicity": 0.25, "attributes": {"nth": 3}}
                status, now = await api(method, f"{TOXICS}/loss", {"name": "loss", "type": "drop", **change})
                assert (status, {**now, "attributes": {"nth": now["attributes"]["nth"]}}) == (200, changed)
            _, now = await api("PATCH", f"{TOXICS}/loss", {"attributes": {"nth": None, "direction": "both"}})
            assert (now["stream"], "nth" in now["attributes"]) == ("both", False)
            assert await api("DELETE", f"{TOXICS}/loss") == (204, None)
            assert await api("GET", TOXICS) == (200, [])

    run(test)


def test_a_name_may_be_almost_anything() -> None:
    """It is quoted where it stands in a path."""

    async def test() -> None:
        async with controlled() as api, Toxics(api.url) as toxics:
            await toxics.create("noop", name="a%2Fb ü?#")
            assert (await toxics.show("a%2Fb ü?#"))["name"] == "a%2Fb ü?#"
            await toxics.delete("a%2Fb ü?#")
            assert not api.scene.proxy.faults

    run(test)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("POST", TOXICS, LOSS, 409, "a fault is called 'loss' already; expected another name"),
        ("POST", TOXICS, {"type": "noop", "name": ".."}, 400, "no fault can be called '..'; expected another"),
        ("POST", TOXICS, {"type": "latency"}, 400, "no fault 'latency'"),
        ("POST", TOXICS, {"type": "drop", "name": "a", "toxicty": 1}, 400, "the body cannot be read: Object contains"),
        ("POST", TOXICS, {"type": "drop", "attributes": {"p": 3}}, 400, "fault: drop.p is 3; expected at most 1"),
        ("POST", TOXICS, {"type": "drop", "toxicity": 2.0}, 400, "fault: drop.p_connection is 2.0; expected at most 1"),
        ("POST", TOXICS, {"type": "drop", "stream": "sideways"}, 400, "no stream 'sideways'; expected downstream"),
        ("POST", TOXICS, [], 400, "the body cannot be read: Expected `object`, got `array`"),
        ("POST", TOXICS, None, 400, "the body cannot be read: "),
        ("PATCH", f"{TOXICS}/loss", {"name": "gain"}, 400, "the name of loss cannot be changed; expected to remove it"),
        ("PATCH", f"{TOXICS}/loss", {"attributes": None}, 400, "the body cannot be read: Expected `object`"),
        ("PATCH", f"{TOXICS}/loss", {"attributes": {"by": 1}}, 400, "fault: unknown key 'by' in drop"),
        ("PATCH", f"{TOXICS}/cap", {"attributes": {"streams": 2}}, 400, "streams are counted where a raw dialect"),
        ("GET", f"{TOXICS}/loss/struck?from=-1", None, 400, "from is '-1'; expected how many are known already"),
        ("GET", f"{TOXICS}/loss/struck?from={'9' * 5000}", None, 400, "from is '9999"),
        ("GET", f"{TOXICS}/nix", None, 404, "no fault is called 'nix'"),
        ("PATCH", f"{TOXICS}/nix", {}, 404, "no fault is called 'nix'"),
        ("DELETE", f"{TOXICS}/nix", None, 404, "no fault is called 'nix'"),
        ("GET", "/proxies/redis", None, 404, "no proxy 'redis'; there is one, wsctl"),
        ("POST", "/proxies/redis/toxics", LOSS, 404, "no proxy 'redis'; there is one, wsctl"),
        ("DELETE", "/proxies/redis/toxics/loss", None, 404, "no proxy 'redis'; there is one, wsctl"),
        ("POST", "/proxies", {"name": "redis"}, 409, "there is one proxy, wsctl, and it is of the command's making"),
        ("DELETE", PROXY, None, 405, "there is no DELETE /proxies/wsctl"),
        ("PATCH", PROXY, {"listen": "127.0.0.1:1"}, 400, "the listen of a proxy that runs is 127.0.0.1:"),
        ("POST", "/populate", [{"name": "redis"}], 404, "no proxy 'redis'; there is one, wsctl"),
        ("POST", "/populate", [{"toxics": [LOSS, LOSS]}], 400, "2 faults are called 'loss'; expected a name for each"),
        ("POST", "/populate", [{"toxics": []}, {"toxics": [LOSS]}], 400, "wsctl is told of 2 times; expected once"),
        ("POST", "/populate", [{"toxics": []}, {"name": "redis"}], 404, "no proxy 'redis'; there is one, wsctl"),
        ("POST", "/populate", [LOSS], 400, "the body cannot be read: Object contains unknown field `type`"),
        ("GET", "/nix", None, 404, "there is no GET /nix"),
    ],
)
def test_what_is_refused(method: str, path: str, body: Any, status: int, error: str) -> None:
    """With Toxiproxy's code and form, the reason in words; nothing is changed."""

    async def test() -> None:
        async with controlled("drop:name=loss,p=0.5", "limit:name=cap,messages=9") as api:
            before = await api("GET", PROXY)
            got, said = await api(method, path, body)
            assert (got, said["status"]) == (status, status)
            assert said["error"].startswith(error)
            assert await api("GET", PROXY) == before

    run(test)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", TOXICS, {"type": "noop"}),
        ("PATCH", f"{TOXICS}/loss", {}),
        ("POST", "/populate", [{"toxics": [LOSS, {"type": "noop"}]}]),
    ],
)
def test_a_fault_that_fails_as_it_comes_in(method: str, path: str, body: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not stay; who asked is told, and the proxy ends with it."""

    def fail(self: AnyFault) -> None:
        raise ArithmeticError("a mistake")

    async def test() -> None:
        async with controlled("drop:name=loss") as api:
            monkeypatch.setattr(Noop if "noop" in str(body) else Drop, "begin", fail)
            error = {"error": "ArithmeticError: the proxy fails with it", "status": 500}
            assert await api(method, path, body) == (500, error)
            assert [fault.name for fault in api.scene.proxy.faults] == (["loss"] if path == TOXICS else [])
            await asyncio.Event().wait()

    with pytest.raises(ArithmeticError, match="a mistake"):
        run(test, seconds=10)


def test_a_body_that_does_not_come() -> None:
    """Or that nobody can read: it is the client's mistake, and not the end of the proxy."""

    async def test() -> None:
        async with controlled() as api:
            async with dialled(api.url) as (reader, writer):
                writer.write(b"POST /populate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n[")
                writer.write_eof()
                await rest_of(reader)
            async with aiohttp.ClientSession() as http:
                deep = b'[{"toxics": [{"type": "noop", "attributes": {"a": ' + b"[" * 100_000
                async with http.post(f"{api.url}/populate", data=deep) as answer:
                    assert answer.status == 400
            assert await api("POST", "/reset") == (204, None)

    run(test)


def test_what_is_changed_stays_where_it_is() -> None:
    """Messages meet the faults in the same order; whom it strikes as it begins anew is known, and nobody else."""

    async def test() -> None:
        async with controlled("noop:name=first", "close:name=end,at=1h", "noop:name=last") as api, joined(api.scene):
            await api("PATCH", f"{TOXICS}/first", {"attributes": {"nth": 3}})
            _, now = await api("PATCH", f"{TOXICS}/end", {"attributes": {"at": "0s"}})
            assert now["applied"] == 1
            assert [one["name"] for one in (await api("GET", TOXICS))[1]] == ["first", "end", "last"]
            assert [one["conn"] for one in (await api("GET", f"{TOXICS}/end/struck"))[1]["struck"]] == ["c1"]
            await api("PATCH", f"{TOXICS}/end", {"attributes": {"at": "1h"}})
            assert (await api("GET", f"{TOXICS}/end/struck"))[1]["struck"] == []

    run(test)


@pytest.mark.parametrize("how", ["PATCH", "populate", "reset"])
def test_what_a_fault_did_is_not_its_successors_doing(how: str) -> None:
    """One that is let go was not struck by the new fault, nor by another that it meets on its way out."""
    faults = {"type": "reorder", "attributes": {"flush": "1h"}}, {"type": "noop"}

    async def test() -> None:
        async with controlled("reorder:flush=1h", "noop") as api, joined(api.scene) as peer:
            await peer.emit("price:subscribe", ["BTC/USDT"])
            await until(lambda: "held back" in api.scene.actions())
            if how == "PATCH":
                await api("PATCH", f"{TOXICS}/reorder", {})
            elif how == "populate":
                await api("POST", "/populate", [{"toxics": faults}])
            else:
                await api("POST", "/reset")
                await api("POST", "/populate", [{"toxics": faults}])
            assert {"not overtaken", "seen"} <= {*api.scene.actions()}
            for fault in api.scene.proxy.faults:
                _, known = await api("GET", f"{TOXICS}/{fault.name}/struck")
                assert bool(known["struck"]) is bool(fault.applied)

    run(test)


def test_populate_and_reset() -> None:
    """All faults at once, up or down; reset is a clean pass-through."""

    async def test() -> None:
        async with controlled("noop") as api:
            toxics = [LOSS, {"type": "delay", "attributes": {"delay": "5ms", "direction": "up"}}]
            status, answer = await api("POST", "/populate", [{"name": "wsctl", "enabled": False, "toxics": toxics}])
            assert status == 201
            (proxy,) = answer["proxies"]
            assert [one["name"] for one in proxy["toxics"]] == ["loss", "delay"]
            assert proxy["toxics"][1]["stream"] == "upstream"
            assert not proxy["enabled"]
            assert await api("POST", "/reset") == (204, None)
            _, proxy = await api("GET", PROXY)
            assert (proxy["enabled"], proxy["toxics"]) == (True, [])

    run(test)


def test_down_and_up() -> None:
    """Down, who is there is reset and so is who comes, polling included; up, all is as before."""

    async def test() -> None:
        async with controlled() as api:
            async with joined(api.scene, client="alice") as peer:
                (there,) = (await api("GET", "/connections"))[1]["connections"]
                assert (there["conn"], there["address"], there["client"]) == ("c1", "127.0.0.1", "alice")
                assert there["port"] == peer.ws.local_address[1]
                assert (await api("POST", PROXY, {"enabled": False}))[1]["enabled"] is False
                assert await peer.closed() is None
            async with aiohttp.ClientSession() as session:
                with pytest.raises(aiohttp.ClientConnectionError):
                    await session.get(api.scene.url + POLLING)
            await api("PATCH", PROXY, {"enabled": True})
            async with polling(api.scene) as again:
                assert again.handshake["sid"]
            assert (await api("GET", "/connections"))[1] == {"connections": []}

    run(test)


def test_figures() -> None:
    """Prometheus reads them: connections, messages that passed, what each fault matched and did."""

    async def test() -> None:
        async with controlled("drop:name=loss,nth=2") as api, joined(api.scene) as peer:
            await peer.emit("price:subscribe", ["BTC/USDT"])
            api.scene.publish(4)
            await peer.gather(lambda: api.scene.proxy.faults[0].applied >= 2)
            async with aiohttp.ClientSession() as session, session.get(f"{api.url}/metrics") as response:
                assert response.headers["Content-Type"].startswith("text/plain")
                text = await response.text()
            fault = api.scene.proxy.faults[0]
            told = {
                (sample.name, *sample.labels.values()): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }
            assert told["wsctl_chaos_connections",] == 1
            assert told["wsctl_chaos_messages_passed_total", "down"] == api.scene.proxy.passed["down"] > 0
            assert told["wsctl_chaos_messages_passed_total", "up"] == api.scene.proxy.passed["up"] > 0
            assert told["wsctl_chaos_fault_matched_total", "loss", "drop"] == fault.matched >= 4
            assert told["wsctl_chaos_fault_applied_total", "loss", "drop"] == fault.applied == fault.matched // 2

    run(test)


BROWSER = {"User-Agent": "Mozilla/5.0 (X11)"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
"""as `curl -d` says unasked"""


@pytest.mark.parametrize(
    ("headers", "looks", "changes"),
    [
        ({}, 200, 204),
        ({"Host": "localhost:8474"}, 200, 204),
        ({"Host": "[::1]"}, 200, 204),
        ({"Origin": "http://localhost:5173"}, 200, 204),
        (BROWSER, 200, 403),
        ({**BROWSER, "Origin": "http://localhost:5173"}, 200, 403),
        ({"Host": "feed.example:8474"}, 403, 403),
        ({"Host": "localhost.example.org"}, 403, 403),
        ({"Host": "192.0.2.7:8474"}, 403, 403),
        ({"Origin": "http://feed.example:8474"}, 403, 403),
        ({"Origin": "null"}, 403, 403),
        ({"Host": "feed.example:8474", "Origin": "http://feed.example:8474"}, 403, 403),
    ],
)
def test_whom_it_answers(headers: dict[str, str], looks: int, changes: int) -> None:
    """Programs of this machine. Its pages may look; those of others may not, by whatever name they come."""

    async def test() -> None:
        async with controlled("noop") as api:
            assert (await api("GET", "/proxies", **headers))[0] == looks
            assert (await api("POST", "/reset", **headers))[0] == changes
            assert len(api.scene.proxy.faults) == (changes != 204)

    run(test)


def test_curl_says_no_content_type() -> None:
    """`curl -d` calls everything a form; Toxiproxy takes it for JSON, and so does this."""

    async def test() -> None:
        async with controlled() as api:
            body = b'{"type": "drop", "name": "loss", "attributes": {"p": 0.5}}'
            async with aiohttp.ClientSession() as http, http.post(api.url + TOXICS, data=body, headers=FORM) as answer:
                assert (answer.status, await answer.json()) == (200, {**SHOWN, "struck": [], "left_out": 0})

    run(test)


def test_the_client_tells_what_is_wrong() -> None:
    """A refusal with its hint is a usage error; who is no proxy, or not there, is a target error."""

    async def test() -> None:
        async with controlled() as api, Toxics(api.url) as toxics:
            with pytest.raises(UsageError, match="no fault 'drup'") as error:
                await toxics.create("drup")
            assert error.value.hint == "did you mean drop?"
            async with Toxics(api.scene.url) as wrong:
                with pytest.raises((TargetError, UsageError)):
                    await wrong.proxy()
        async with Toxics(f"{api.url.removeprefix('http://')}/?key=secret") as gone:
            with pytest.raises(TargetError, match=f"at {api.url}: connection refused"):
                await gone.proxy()
        with pytest.raises(UsageError, match="bad URL scheme 'ftp'"):
            Toxics("ftp://127.0.0.1")

    run(test)
