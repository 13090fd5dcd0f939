"""What a target is, how its URL is read, and what never shows."""

import subprocess
import sys

import pytest

from wsctl.client.target import Target, normalise_namespace, normalise_path, normalise_url
from wsctl.errors import UsageError


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://127.0.0.1:3000/", "http://127.0.0.1:3000"),
        (" wss://feed.test/ ", "wss://feed.test"),
        ("localhost:3000", "http://localhost:3000"),
        ("feed.test", "http://feed.test"),
        ("[::1]:3000", "http://[::1]:3000"),
        ("127.0.0.1:3000?key=1", "http://127.0.0.1:3000?key=1"),
        ("HTTPS://Feed.test", "https://Feed.test"),
        ("http://feed.test/admin", "http://feed.test/admin"),
    ],
)
def test_urls(text: str, url: str) -> None:
    assert normalise_url(text) == url


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "bad URL ''; expected something like http://127.0.0.1:3000"),
        ("ftp://feed.test", "bad URL scheme 'ftp'; expected http, https, ws, wss"),
        ("http:/feed.test", "bad URL 'http:/feed.test'; expected // after the scheme"),
        ("http:feed.test", "bad URL 'http:feed.test'; expected // after the scheme"),
        ("http://", "bad URL 'http://': no host or a bad port"),
        ("http://:3000", "bad URL 'http://:3000': no host or a bad port"),
        ("http://feed.test:", "bad URL 'http://feed.test:': no host or a bad port"),
        ("http://feed.test:0", "bad URL 'http://feed.test:0': no host or a bad port"),
        ("http://feed.test:99999", "bad URL: port out of range 0-65535"),
        ("feed.test:port", "bad URL: port could not be cast to integer value as 'port'"),
        ("http://[::1", "bad URL: invalid ipv6 url"),
        ("http://feed test", "bad URL 'http://feed test'"),
        ("http://feed.test/#top", "bad URL 'http://feed.test/#top': a fragment"),
    ],
)
def test_bad_urls(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        normalise_url(text)
    assert caught.value.message.startswith(message)


def test_credentials_in_a_url_are_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        normalise_url("http://user:sesame@feed.test")
    assert str(caught.value) == "the URL holds a user or password\nhint: credentials go into --token or --header"


def test_paths_and_namespaces() -> None:
    assert normalise_path("socket.io") == "/socket.io/"
    assert normalise_path("/a/b") == "/a/b/"
    assert normalise_namespace("admin") == "/admin"
    assert normalise_namespace("/") == "/"
    for bad in ("/", "a b", "a?b"):
        with pytest.raises(UsageError, match="bad path"):
            normalise_path(bad)
    with pytest.raises(UsageError, match="bad namespace"):
        normalise_namespace("a,b")


def test_secrets_never_show() -> None:
    target = Target(
        url="http://feed.test?key=sesame",
        token="sesame",
        auth={"pin": "sesame"},
        headers=(("X-Key", "sesame"),),
    )
    for text in (repr(target), str(target), str(list(target.__rich_repr__())), target.shown):
        assert "sesame" not in text
    assert "X-Key" in repr(target)
    assert "pin" in repr(target)


def test_handshake() -> None:
    assert Target().handshake("me") == {"client": "me"}
    target = Target(token="t", auth={"format": "compact"})
    assert target.handshake("me") == {"token": "t", "client": "me", "format": "compact"}


def test_targets_import_nothing_heavy() -> None:
    code = (
        "import sys, wsctl.client.target, wsctl.client.feed, wsctl.client.config;"
        "print(sorted({'aiohttp', 'socketio', 'engineio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
