"""Watching goes on: killed servers, half-open connections, blocked WebSockets, private authorities."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.cli.conftest import Serve
from tests.cli.program import Program, Server, wsctl
from tests.peers.background import Background
from tests.peers.liar import Liar
from tests.peers.relay import Relay

QUICK = ("--reconnect-delay", "50ms", "--reconnect-delay-max", "100ms", "--reconnect-attempts", "1000")


def test_killed_server_comes_back(serve: Serve) -> None:
    """A server is killed and restarted on its port: the watch goes on, and the new numbering is a reset."""
    server = serve("--symbols", "X/Y", "--rate", "100")
    with Program("subscribe", "X/Y", "--url", server.url, *QUICK) as program:
        program.wait_out(5)
        server.process.kill()
        program.wait_err("attempt failed: ")
        serve("--symbols", "X/Y", "--rate", "100", "--port", str(server.port))
        program.wait_for(lambda: sum('"conn":"c1.2"' in line for line in program.out) >= 5)
        result = program.interrupt()
    assert result.code == 130
    assert "connection lost; next attempt in " in result.err
    assert f"attempt failed: {server.url}: connection refused; next attempt in " in result.err
    assert "connected over websocket\n" in result.err
    summary = result.err.splitlines()[-1]
    assert summary.endswith("; 0 gaps; 1 reset; 1 reconnect"), summary
    conns = [line["conn"] for line in result.observations]
    assert conns == sorted(conns)
    assert set(conns) == {"c1", "c1.2"}
    verdict = wsctl("ordering-check", "-", "--format", "json", stdin=result.out.encode())
    channel = json.loads(verdict.out)["channels"]["symbol:X/Y:ticker"]
    assert (verdict.code, channel["verdict"], channel["resets"], channel["gaps"]) == (0, "pass", 1, 0)


def test_half_open_connection(serve: Serve, background: Background) -> None:
    """A connection that stalls without a word is noticed by its silence and replaced."""
    server = serve("--symbols", "X/Y", "--rate", "50", "--ping-interval", "300ms", "--ping-timeout", "200ms")
    with Relay(background, server.port) as relay, Program("subscribe", "X/Y", "--url", relay.url, *QUICK) as program:
        program.wait_out(5)
        relay.stall()
        program.wait_err("connection lost: nothing received for 500 ms, not even a ping")
        program.wait_for(lambda: any('"conn":"c1.2"' in line for line in program.out))
        result = program.interrupt()
    assert result.code == 130
    assert result.err.splitlines()[-1].endswith("; 0 gaps; 1 reconnect")


def test_short_stall_is_no_loss(serve: Serve, background: Background) -> None:
    """A connection that stalls for less than the ping timeout goes on, and nothing is missing."""
    server = serve("--symbols", "X/Y", "--rate", "50")
    with Relay(background, server.port) as relay, Program("subscribe", "X/Y", "--url", relay.url, *QUICK) as program:
        program.wait_out(5)
        relay.stall()
        relay.go_on()
        seen = len(program.out)
        program.wait_out(seen + 20)
        result = program.interrupt()
    assert result.err.splitlines()[-1].endswith("; 0 gaps")
    assert {line["conn"] for line in result.observations} == {"c1"}


def test_blocked_websocket(feed: Server, background: Background) -> None:
    """Where a proxy answers WebSocket handshakes with 403, long-polling takes over and says so."""
    with Relay(background, feed.port, block="403") as relay:
        result = wsctl("subscribe", "BTC/USDT", "--url", relay.url, "--count", "20")
        refused = wsctl("subscribe", "BTC/USDT", "--url", relay.url, "--transport", "websocket")
    assert (result.code, len(result.observations)) == (0, 20)
    first, summary = result.err.splitlines()
    assert first.startswith("connected over polling (no WebSocket, so long-polling: ")
    assert "403 Forbidden" in first
    assert summary.endswith("; 0 gaps")
    assert relay.blocked == 2
    assert refused.code == 3
    assert "403 Forbidden" in refused.err


def test_polling_on_request(feed: Server) -> None:
    """--transport polling needs no WebSocket and says nothing."""
    result = wsctl("subscribe", "BTC/USDT", "--url", feed.url, "--transport", "polling", "--count", "20")
    assert result.code == 0
    assert len(result.err.splitlines()) == 1


def test_gives_up(serve: Serve) -> None:
    """After --reconnect-attempts failures in a row it ends 3, says so, and the summary was printed."""
    server = serve()
    with Program("subscribe", "BTC/USDT", "--url", server.url, *QUICK, "--reconnect-attempts", "3") as program:
        program.wait_out(1)
        server.process.kill()
        result = program.finish()
    assert result.code == 3
    *rest, summary, error, _hint = [*result.err.splitlines(), ""]
    assert error == f"wsctl: error: gave up after 3 attempts: {server.url}: connection refused"
    assert " in " in summary
    assert sum("next attempt in" in line for line in rest) == 3


def test_a_check_reports_before_it_gives_up(serve: Serve) -> None:
    """ordering-check reports what it saw before the feed was lost for good, and ends 3."""
    server = serve("--rate", "50")
    with Program(
        "ordering-check", "BTC/USDT", "--url", server.url, "--reconnect-attempts", "0", "--duration", "1h", "--trace"
    ) as program:
        program.wait_for(lambda: sum("price:update" in line for line in program.err) >= 5)
        server.process.kill()
        result = program.finish()
    assert result.code == 3
    assert result.out.endswith("verdict: pass\n")
    assert result.err.splitlines()[-1].startswith("wsctl: error: the connection ended and is not tried again: ")


def test_sent_away(background: Background) -> None:
    """`connection:closing` with `retry: false` ends a check 3 with its reason, the report printed."""
    with Liar(background, {"X/Y": "drop 7, evict 30"}) as liar:
        result = wsctl("ordering-check", "X/Y", "--url", liar.url, "--duration", "1h", "--format", "json")
    assert result.code == 3
    assert result.err == "wsctl: error: the server closed this connection for good: evicted\n"
    assert json.loads(result.out)["channels"]["symbol:X/Y:ticker"]["gaps"] == 1


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a private authority's certificate, a server's for localhost, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    private = trustme.CA()
    server = private.issue_cert("localhost", "127.0.0.1")
    private.cert_pem.write_to_path(folder / "ca.pem")
    server.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in server.cert_chain_pems))
    return folder


@pytest.fixture(scope="module")
def secure(authority: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A feed that speaks TLS."""
    tls = ("--tls-cert", str(authority / "cert.pem"), "--tls-key", str(authority / "key.pem"))
    with Server(tmp_path_factory.mktemp("secure"), "--rate", "50", *tls) as server:
        yield server


@pytest.mark.parametrize("scheme", ["https", "wss"])
@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_private_authority(secure: Server, authority: Path, scheme: str, transport: str) -> None:
    """With --cacert the private authority is trusted, with --insecure any."""
    url = secure.url.replace("https", scheme)
    assert secure.url.startswith("https://")
    for trust in (("--cacert", str(authority / "ca.pem")), ("--insecure",)):
        result = wsctl("subscribe", "BTC/USDT", "--url", url, *trust, "--transport", transport, "--count", "3")
        assert (result.code, len(result.observations)) == (0, 3), result.err


def test_unknown_authority(secure: Server) -> None:
    """Without them it is refused, and told how to go on."""
    result = wsctl("subscribe", "BTC/USDT", "--url", secure.url)
    assert (result.code, result.out) == (3, "")
    sentence, hint = result.err.splitlines()
    assert sentence.startswith(f"wsctl: error: {secure.url}: its certificate is not trusted: ")
    assert hint == "  hint: --cacert FILE names the authority that signed it; --insecure skips the check"


def test_plain_to_tls(secure: Server) -> None:
    """Plain HTTP to a server that speaks TLS is told with a hint at the scheme."""
    result = wsctl("subscribe", "BTC/USDT", "--url", secure.url.replace("https", "http"))
    assert result.code == 3
    assert result.err.splitlines()[1] == "  hint: if it speaks TLS, the URL begins with https:// or wss://"
