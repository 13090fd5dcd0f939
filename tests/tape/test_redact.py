"""What is taken out, and what must stay to the byte."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsctl.tape.format import Direction, TapeFrame
from wsctl.tape.redact import is_secret, redacted, redacted_url

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"


def sent(text: str | bytes) -> str | bytes | None:
    """What of a client's frame is recorded."""
    return redacted(TapeFrame(0, "c1", "out", text)).frame


@pytest.mark.parametrize(
    ("frame", "kept"),
    [
        # Socket.IO's CONNECT, with and without a namespace
        ('40{"token":"abc","format":"full"}', '40{"token":"redacted","format":"full"}'),
        ('40/bots,{"token" : "a\\"b"}', '40/bots,{"token" : "redacted"}'),
        (
            '0{"data":{"accessToken":"abc","pin":1234},"a":1}',
            '0{"data":{"accessToken":"redacted","pin":"redacted"},"a":1}',
        ),
        ('42["hello", "{\\"password\\":\\"abc\\"}"]', '42["hello", "{\\"password\\":\\"redacted\\"}"]'),
        (
            r'42["hello","{\"in\":\"{\\\"token\\\":[\\\"abc\\\"]}\"}"]',
            r'42["hello","{\"in\":\"{\\\"token\\\":\\\"redacted\\\"}\"}"]',
        ),
        # whole values, whatever they are
        ('40{"token":{"v":"abc"},"format":"full"}', '40{"token":"redacted","format":"full"}'),
        ('40{"auth":{"who":"abc","pin":1234}}', '40{"auth":"redacted"}'),
        (
            '40{"bearer":"abc", "session":"def","user_token":["a", {"b":"c]"}] }',
            '40{"bearer":"redacted", "session":"redacted","user_token":"redacted" }',
        ),
        (
            '{"authPayload":"AUTH17","apiSign":1.5e3,"X-Otp":123}',
            '{"authPayload":"redacted","apiSign":"redacted","X-Otp":"redacted"}',
        ),
        ('{"a":1,"token":"cut off', '{"a":1,"token":"redacted"'),
        # a login's arguments
        (f'42["authenticate","{JWT}"]', '42["authenticate","redacted"]'),
        (
            '42/bots,17[ "user:Login" , "me", {"pw":["PW"]}, 1234, null ] ',
            '42/bots,17[ "user:Login","redacted","redacted","redacted","redacted"] ',
        ),
        ('451-["signIn",{"_placeholder":true,"num":0}]', '451-["signIn","redacted"]'),
        ('["logon","user","PW"]', '["logon","redacted","redacted"]'),
        ('42["login","user","PW"', '42["login","redacted"]'),
        # Coinbase, OKX, Bybit, Bitfinex, Binance, Kraken
        (
            '{"type":"subscribe","channels":["user"],"signature":"s","key":"k","passphrase":"p","timestamp":"1"}',
            '{"type":"subscribe","channels":["user"],"signature":"redacted","key":"redacted",'
            '"passphrase":"redacted","timestamp":"1"}',
        ),
        (
            '{"op":"login","args":[{"apiKey":"k","passphrase":"p","timestamp":"1","sign":"s"}]}',
            '{"op":"login","args":[{"apiKey":"redacted","passphrase":"redacted","timestamp":"1","sign":"redacted"}]}',
        ),
        (
            '{"op":"auth","args":["key",1662350400000,"sig"]}',
            '{"op":"auth","args":["redacted",1662350400000,"redacted"]}',
        ),
        (
            '{"apiKey":"k","authSig":"s","authNonce":"1","event":"auth"}',
            '{"apiKey":"redacted","authSig":"redacted","authNonce":"1","event":"auth"}',
        ),
        (
            '{"id":1,"method":"session.logon","params":{"apiKey":"k","signature":"s","timestamp":1}}',
            '{"id":1,"method":"session.logon","params":{"apiKey":"redacted","signature":"redacted","timestamp":1}}',
        ),
        (
            '{"event":"subscribe","subscription":{"name":"ownTrades","token":"t"}}',
            '{"event":"subscribe","subscription":{"name":"ownTrades","token":"redacted"}}',
        ),
        (b'{"token":"abc"}', b'{"token":"redacted"}'),
    ],
)
def test_what_clients_send(frame: str | bytes, kept: str | bytes) -> None:
    """Values of secret names are replaced; every other byte stays."""
    assert sent(frame) == kept


@pytest.mark.parametrize(
    "frame",
    [
        '{"event":"subscribe","channel":"candles","key":"trade:1m:tBTCUSD"}',
        '{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":1}',
        '{"op":"subscribe","args":["orderBookL2_25.BTCUSD"]}',
        '42["price:subscribe",["BTC/USDT"]]',
        '{"tokens":["BTC"],"design":"x","keyboard":"y"}',
        '{"token":null,"auth":true,"signature":"", "session" : { },"pass":[]}',
        '42["login"]',
        '42["auth:state",null,{}]',
        '42["author:subscribe","PW"]',
        '42["price:subscribe","login"]',
        '{"op":"subscribe","text":"say \\"hi\\" to \\u00e9 \\/ the session"}',
        "2probe",
        b"\xff\xfe token",
    ],
)
def test_what_is_no_secret(frame: str | bytes) -> None:
    """Subscriptions stay as they are: a replay needs them."""
    record = TapeFrame(0, "c1", "out", frame)
    assert redacted(record) is record


def test_what_servers_send() -> None:
    """Is data: `token` is a coin there."""
    record = TapeFrame(0, "c1", "in", '{"token":"BTC","signature":"5Kd"}')
    assert redacted(record) is record


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("wss://x/ws?token=a%20b&symbol=BTC", "wss://x/ws?token=redacted&symbol=BTC"),
        ("wss://x/?key=a&secret=b&signature=c&X-Api-Key=d&v=1",
         "wss://x/?key=redacted&secret=redacted&signature=redacted&X-Api-Key=redacted&v=1"),
        ("https://u:p@x:1/a", "https://redacted@x:1/a"),
        ("wss://x/#access_token=a", "wss://x/#access_token=redacted"),
        ("wss://x/?to%6ben=a", "wss://x/?to%6ben=redacted"),
        ("wss://x/?token=", "wss://x/?token="),
        (f"wss://x/{JWT}/feed", "wss://x/redacted/feed"),
        ("wss://x/ws/" + "a1B2" * 15, "wss://x/ws/redacted"),
        ("wss://x/stream?streams=" + "a1B2" * 15 + "/btcusdt@trade", "wss://x/stream?streams=redacted/btcusdt@trade"),
        ("wss://x:9443/stream?streams=btcusdt@depth@100ms/ethusdt@kline_1m",
         "wss://x:9443/stream?streams=btcusdt@depth@100ms/ethusdt@kline_1m"),
        ("http://127.0.0.1:3000/socket.io/?EIO=4&transport=polling&sid=1",
         "http://127.0.0.1:3000/socket.io/?EIO=4&transport=polling&sid=1"),
    ],
)  # fmt: skip
def test_urls(url: str, kept: str) -> None:
    """Secret parameters, user and password, JWTs, names of private streams."""
    assert redacted_url(url) == kept


def test_headers() -> None:
    """Of a handshake."""
    names = ["Authorization", "Proxy-Authorization", "Cookie", "X-MBX-APIKEY", "CB-ACCESS-SIGN", "OK-ACCESS-KEY"]
    names += ["API-Sign", "X-Api-Sign", "KC-API-SIGN", "X-BAPI-SIGN", "X-Custom-Pass", "OK-ACCESS-PASSPHRASE", "KEY"]
    record = TapeFrame(0, "c1", "open", headers=(*((name, "s") for name in names), ("Origin", "o"), ("X-User", JWT)))
    hidden = [(name, "redacted") for name in [*names, "X-User"]]
    assert redacted(record).headers == (*hidden[:-1], ("Origin", "o"), hidden[-1])


def test_names() -> None:
    """However they are written."""
    for name in ("token", "Token", "access_token", "X-Auth-Token", "apiKey", "API_KEY", "set-cookie", "sig", "jwt"):
        assert is_secret(name), name
    for name in ("APISign", "apiSign", "OK-ACCESS-SIGN", "bearer", "userSession", "session_id", "authPayload", "PIN"):
        assert is_secret(name), name
    for name in ("key", "tokens", "symbol", "signal", "design", "channel", "passed", "author", "timestamp"):
        assert not is_secret(name), name
    for name in ("compass", "X-BAPI-SIGN-TYPE", "sessions", "authNonce", "assign", "Sign-Up", "", "ф"):
        assert not is_secret(name), name


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("Referer", "https://app/?access_token=abc&a=b", "https://app/?access_token=redacted&a=b"),
        ("Location", "/done?x=1#access_token=abc", "/done?x=1#access_token=redacted"),
        ("Location", "wss://x/ws/" + "a1B2" * 15, "wss://x/ws/redacted"),
        ("Origin", "https://u:p@app", "https://redacted@app"),
        ("ETag", 'W/"' + "a1B2" * 15 + '"', 'W/"' + "a1B2" * 15 + '"'),
        ("Content-Digest", "sha-256=" + "a1B2" * 15, "sha-256=" + "a1B2" * 15),
    ],
)
def test_urls_in_headers(name: str, value: str, kept: str) -> None:
    """Of a handshake's request and of an answer: where a page came from, or goes on."""
    directions: tuple[Direction, ...] = ("open", "http")
    for direction in directions:
        record = TapeFrame(0, "", direction, headers=((name, value),))
        assert redacted(record).headers == ((name, kept),)


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ('{"listenKey":"abc"}', '{"listenKey":"redacted"}'),
        ('{ "access_token" : "abc", "expires_in":60}', '{ "access_token" : "redacted", "expires_in":60}'),
        ('{"data":{"user":{"id":1},"apiKey":{"k":1}}}', '{"data":{"user":{"id":1},"apiKey":"redacted"}}'),
        (f"<p>{JWT}</p>", "<p>redacted</p>"),
        ('{"lastUpdateId":7,"bids":[["0.1","2"]],"assign":"x"}', None),
        ('["login","user"]', None),
        (b'\xff{"token":"abc"}', None),
    ],
)
def test_bodies(body: str | bytes, kept: str | bytes | None) -> None:
    """Of HTTP answers: there a client is told its token, or the name of its stream."""
    record = TapeFrame(0, "", "http", body, url="https://x/api/v3/userDataStream", status=200)
    assert redacted(record).frame == (body if kept is None else kept)


PLAIN = st.text(st.characters(codec="utf-8")) | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
NAMES = st.sampled_from(["symbol", "design", "tokens", "params", "passed", "a b", "é"])
SECRET = st.sampled_from(["token", "X-Api-Sign", "user_token", "password", "session", "authPayload", "listenKey"])
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=20)
HEAD = st.sampled_from(["", "40", "42", "42/bots,", "4217"])
ENCODED = st.builds(json.dumps, JSON, ensure_ascii=st.booleans(), indent=st.sampled_from([None, 2]))


@given(HEAD, ENCODED, st.sampled_from(["out", "http"]))
def test_what_holds_no_secret_stays(head: str, text: str, direction: Direction) -> None:
    """To the byte, however it is written."""
    record = TapeFrame(0, "c1", direction, head + text)
    assert redacted(record) is record


@given(HEAD, st.dictionaries(NAMES, JSON), SECRET, JSON, st.booleans(), st.sampled_from(["out", "http"]))
def test_what_holds_a_secret(
    head: str, around: dict[str, Any], name: str, secret: Any, within: bool, direction: Direction
) -> None:
    """Loses that value, whatever it is and however deep, and nothing else."""

    def text(value: Any) -> str:
        inner: Any = {"a": 1, name: [value, "s3cret"] if value is secret else value, "b": [2]}
        return head + json.dumps({**around, "c": [json.dumps(inner) if within else inner]}, indent=1)

    record = TapeFrame(0, "c1", direction, text(secret))
    assert redacted(record).frame == text("redacted")


@given(st.text(), st.binary())
def test_anything(text: str, data: bytes) -> None:
    """Never fails, and what is redacted once is so for good."""
    for frame in (text, data):
        once = redacted(TapeFrame(0, "c1", "out", frame, url=text))
        assert redacted(once) == once
