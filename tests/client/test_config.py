"""Which target is meant: options, environment, wsctl.yaml, the usual address."""

from pathlib import Path
from typing import Any

import pytest

from wsctl.client.config import Found, TargetOptions, find_target
from wsctl.client.target import Target
from wsctl.errors import UsageError

FEEDS = """\
default: staging
feeds:
  staging:
    url: https://feed.example
    token_file: staging.token
    headers: {X-Desk: "7"}
    auth: {format: compact}
    cacert: ca.pem
  local: {url: "localhost:4000", transport: polling, path: rt, namespace: admin, token: t, insecure: true}
"""


def find(directory: Path, environ: dict[str, str] | None = None, **options: Any) -> Found:
    return find_target(TargetOptions(**options), environ=environ or {}, directory=directory)


@pytest.fixture
def feeds(tmp_path: Path) -> Path:
    (tmp_path / "wsctl.yaml").write_text(FEEDS)
    (tmp_path / "staging.token").write_text("from-file\n")
    return tmp_path


def test_nothing_configured(tmp_path: Path) -> None:
    found = find(tmp_path)
    assert found.target.url == "http://127.0.0.1:3000"
    assert found.target.direct
    assert not found.configured


def test_precedence_of_urls(feeds: Path) -> None:
    env = {"WSCTL_URL": "http://env.test"}
    assert find(feeds, env, url="opt.test").target.url == "http://opt.test"
    assert find(feeds, env, feed="local").target.url == "http://localhost:4000"
    assert find(feeds, env).target.url == "http://env.test"
    found = find(feeds)
    assert (found.target.url, found.feed, found.configured) == ("https://feed.example", "staging", True)
    assert not found.target.direct


def test_precedence_of_tokens(feeds: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.token"
    other.write_text("from-option-file")
    env = {"WSCTL_TOKEN": "from-env"}
    assert find(feeds, env, token="typed", token_file=str(other)).target.token == "typed"
    assert find(feeds, env, token_file=str(other)).target.token == "from-option-file"
    assert find(feeds, env).target.token == "from-env"
    assert find(feeds).target.token == "from-file"
    assert find(feeds, url="feed.test").target.token is None


def test_a_feed_in_full(feeds: Path) -> None:
    target = find(feeds).target
    assert target.headers == (("X-Desk", "7"),)
    assert target.auth == {"format": "compact"}
    assert target.cacert == str(feeds / "ca.pem")
    target = find(feeds, feed="local").target
    assert (target.transport, target.path, target.namespace) == ("polling", "/rt/", "/admin")
    assert (target.token, target.insecure) == ("t", True)


def test_options_beat_the_feed(feeds: Path) -> None:
    options = {
        "path": "ws",
        "namespace": "n",
        "transport": "websocket",
        "headers": ("A: b: c",),
        "auth": '{"a": 1}',
    }
    target = find(feeds, feed="local", **options).target
    assert (target.path, target.namespace, target.transport) == ("/ws/", "/n", "websocket")
    assert target.headers == (("A", "b: c"),)
    assert target.auth == {"a": 1}


def test_a_single_feed_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "wsctl.yaml").write_text("feeds: {only: {url: only.test, dialect: socketio}}")
    assert find(tmp_path).target.url == "http://only.test"
    for empty in ("", "feeds: {}", "feeds:"):
        (tmp_path / "wsctl.yaml").write_text(empty)
        assert not find(tmp_path).configured


DIALECTS = [
    ({"url": "wss://stream.binance.com:9443/ws"}, "binance"),
    ({"url": "wss://stream.binance.com:9443/ws", "dialect": "socketio"}, "socketio"),
    ({"url": "ws://10.0.0.1/ws", "dialect": "okx"}, "okx"),
    ({"url": "ws://10.0.0.1/ws"}, "socketio"),
    ({"feed": "named"}, "coinbase"),
    ({"feed": "named", "dialect": "okx"}, "okx"),
    ({"feed": "host"}, "kraken-v1"),
]


@pytest.mark.parametrize(("options", "dialect"), DIALECTS)
def test_dialects(tmp_path: Path, options: dict[str, Any], dialect: str) -> None:
    """An option beats the file, which beats what is known of the host. Nobody's token goes to an exchange."""
    feeds = "named: {url: 'ws://10.0.0.2', dialect: coinbase}, host: {url: 'wss://ws.kraken.com/'}"
    (tmp_path / "wsctl.yaml").write_text(f"feeds: {{{feeds}}}")
    target = find(tmp_path, {"WSCTL_TOKEN": "secret"}, **options).target
    assert target.dialect == dialect
    assert target.token == ("secret" if dialect == "socketio" else None)


def test_a_dialects_file_lies_beside_the_configuration(tmp_path: Path) -> None:
    """As certificates and tokens do; on the command line it is relative to where one stands."""
    text = "name: mine\nsubscribe: {frame: '{channel}'}\nmessage: {channel: '{c}'}\n"
    (tmp_path / "mine.yaml").write_text(text)
    (tmp_path / "wsctl.yaml").write_text("feeds: {a: {url: x, dialect: mine.yaml}}")
    assert find(tmp_path).target.dialect == str(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    with pytest.raises(UsageError, match="'subscribe'"):
        find(tmp_path)


def test_the_urls_of_a_raw_feed() -> None:
    """Its scheme is WebSocket's, the rest as it is."""
    for url, found in (
        ("http://x/ws/a@b", "ws://x/ws/a@b"),
        ("https://x:1/stream?streams=a%40b", "wss://x:1/stream?streams=a%40b"),
        ("wss://x", "wss://x"),
    ):
        assert Target(url=url).websocket_url == found


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "feeds: {a: {url: x, dialect: binanse}}",
            {},
            "wsctl.yaml:1:30: dialect: unknown dialect 'binanse'\nhint: did you mean binance?",
        ),
        (
            "feeds: {a: {url: x, dialect: okx, token: t}}",
            {},
            "token of feed a is about Socket.IO, and okx is a raw WebSocket dialect\n"
            "hint: raw feeds take credentials by --header, or in the dialect file",
        ),
        (
            "feed: {}",
            {},
            "wsctl.yaml:1:1: unknown key 'feed' in the document\nhint: did you mean feeds?",
        ),
        (
            "feeds:\n  a:\n    url: x.test\n    tokn: y\n",
            {},
            "wsctl.yaml:4:5: unknown key 'tokn' in feeds.a\nhint: did you mean token?",
        ),
        ("feeds: {a: {token: t}}", {}, "wsctl.yaml:1:9: feed 'a' has no url"),
        ("feeds: [a]", {}, "wsctl.yaml:1:8: feeds is a list; expected a mapping of keys"),
        ("feeds: {a: x.test}", {}, "wsctl.yaml:1:12: feeds.a is a text; expected a mapping of keys"),
        (
            "feeds: {a: {url: 'ftp://x'}}",
            {},
            "wsctl.yaml:1:18: url: bad URL scheme 'ftp'; expected http, https, ws, wss",
        ),
        ("feeds: {a: {url: 3000}}", {}, "wsctl.yaml:1:18: url: expected a text, got a number"),
        (
            "feeds: {a: {url: x, insecure: yes}}",
            {},
            "wsctl.yaml:1:31: insecure: expected true or false, got a text",
        ),
        (
            "feeds: {a: {url: x, headers: {'A b': c}}}",
            {},
            "wsctl.yaml:1:30: headers: bad header 'A b'; expected 'Name: value'",
        ),
        (
            "feeds: {a: {url: x, token: t, token_file: f}}",
            {},
            "wsctl.yaml:1:31: token and token_file are both given; keep one",
        ),
        (
            "feeds: {a: {url: x, transport: websockets}}",
            {},
            "wsctl.yaml:1:32: transport: unknown transport 'websockets'; expected auto, websocket, polling",
        ),
        (
            "feeds: {a: {url: x}, b: {url: y}}",
            {},
            "wsctl.yaml:1:1: 2 feeds and no default\nhint: --feed NAME, of: a, b",
        ),
        (
            "default: stagin\nfeeds: {staging: {url: x}}",
            {},
            "wsctl.yaml:1:10: no feed 'stagin'\nhint: did you mean staging?",
        ),
        (
            "feeds: {staging: {url: x}}",
            {"feed": "prod"},
            "wsctl.yaml:1:1: no feed 'prod'\nhint: feeds: staging",
        ),
        (
            "feeds: {a: {url: x}, a: {url: y}}",
            {},
            "wsctl.yaml:1:22: key 'a' is given twice; first on line 1",
        ),
        ("feeds: {a: {url: x, token_file: gone}}", {}, "token file gone cannot be read: no such file or directory"),
    ],
)
def test_what_can_be_wrong_in_the_file(tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    (tmp_path / "wsctl.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        find(tmp_path, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "x", "feed": "y"}, "--url and --feed both name a target; give one of them"),
        ({"url": "x", "auth": "{"}, "--auth is not JSON: "),
        ({"url": "x", "auth": "[1]"}, "--auth is a list; expected a JSON object"),
        ({"url": "x", "headers": ("sesame",)}, "bad header; expected 'Name: value'"),
        ({"url": "x", "headers": ("A: b\r\nC: d",)}, "bad header 'A'; expected 'Name: value'"),
        ({"url": "x", "transport": "tcp"}, "unknown transport 'tcp'; expected auto, websocket, polling"),
        ({"url": "x", "token_file": "gone"}, "token file gone cannot be read: no such file or directory"),
        ({"feed": "prod"}, "--feed prod: there is no wsctl.yaml in "),
    ],
)
def test_bad_options(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        find(tmp_path, **options)
    assert caught.value.message.startswith(message)


def test_an_empty_token_file(tmp_path: Path) -> None:
    (tmp_path / "t").write_text(" \n")
    with pytest.raises(UsageError, match="is empty"):
        find(tmp_path, url="x", token_file=str(tmp_path / "t"))
