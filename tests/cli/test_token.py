"""Tokens: minted, taken, refused, and never shown."""

from pathlib import Path

import pytest

from tests.cli.program import Result, Server, wsctl

SECRET = "not-for-the-eyes"
REFUSED = "refused the connection: Authentication error"


def mint(*options: str) -> str:
    result = wsctl("token", "--user", "alice", *options)
    assert (result.code, result.err) == (0, "")
    return result.out.strip()


def watch(feed: Server, *options: str, env: dict[str, str] | None = None) -> Result:
    return wsctl("subscribe", "BTC/USDT", "--url", feed.url, "--count", "1", *options, env=env)


def test_accepted(feed: Server, tmp_path: Path) -> None:
    """A minted token lets in, however it is handed over."""
    token = mint()
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    assert watch(feed, "--token", token).code == 0
    assert watch(feed, "--token-file", str(file)).code == 0
    assert watch(feed, env={"WSCTL_TOKEN": token}).code == 0
    assert any("as alice" in line for line in feed.err)


@pytest.mark.parametrize("options", [("--ttl", "0s"), ("--jwt-secret", SECRET)])
def test_refused(feed: Server, options: tuple[str, ...]) -> None:
    """An expired token and one of another secret are refused alike."""
    result = watch(feed, "--token", mint(*options))
    assert result.code == 3
    sentence, hint = result.err.splitlines()
    assert sentence == f"wsctl: error: {feed.url} {REFUSED}"
    assert hint == "  hint: the token may be expired, or signed with another secret"


def test_trace_never_shows_it(feed: Server) -> None:
    """--trace prints the frames of both directions, the handshake included, and no secret of it."""
    token = mint()
    secret = '{"api_key": "' + SECRET + '", "whatever": "' + SECRET + '", "format": "compact"}'
    result = watch(feed, "--token", token, "--auth", secret, "--header", f"X-Key: {SECRET}", "--trace")
    assert result.code == 0
    assert token not in result.err + result.out
    assert SECRET not in result.err + result.out
    frames = [line for line in result.err.splitlines() if line[:2] in ("> ", "< ")]
    assert frames[0].startswith('< 0{"sid":')
    assert frames[1].startswith('> 40{"token":"redacted","client":"')
    assert '"api_key":"redacted","whatever":"…"' in frames[1]
    assert '"format":"compact"' in frames[1]
    assert frames[2].startswith("< 40")
    assert any(frame.startswith("> 42") and "price:subscribe" in frame for frame in frames)
    assert any(frame.startswith('< 42["price:update"') for frame in frames)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.0.0.1:1?key=not-for-the-eyes"])
def test_errors_never_show_it(url: str) -> None:
    """Nor does an error: not the token, not a header, not the URL's query."""
    result = wsctl("subscribe", "A", "--url", url, "--token", SECRET, "--header", f"X-Key: {SECRET}")
    assert result.code == 3
    assert SECRET not in result.err
    refused = wsctl("subscribe", "A", "--url", url, "--header", f"X Key: {SECRET}")
    assert refused.code == 2
    assert SECRET not in refused.err
