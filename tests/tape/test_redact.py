"""What is taken out, and what must stay to the byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsctl.tape.format import TapeFrame
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
        ('0{"auth":{"accessToken":"abc","pin":1234}}', '0{"auth":{"accessToken":"redacted","pin":"redacted"}}'),
        ('42["login","{\\"password\\":\\"abc\\"}"]', '42["login","{\\"password\\":\\"redacted\\"}"]'),
        (f'42["authenticate","{JWT}"]', '42["authenticate","redacted"]'),
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
    record = TapeFrame(0, "c1", "open", headers=(*((name, "s") for name in names), ("Origin", "o"), ("X-User", JWT)))
    hidden = [(name, "redacted") for name in [*names, "X-User"]]
    assert redacted(record).headers == (*hidden[:-1], ("Origin", "o"), hidden[-1])


def test_names() -> None:
    """However they are written."""
    for name in ("token", "Token", "access_token", "X-Auth-Token", "apiKey", "API_KEY", "set-cookie", "sig", "jwt"):
        assert is_secret(name), name
    for name in ("key", "tokens", "symbol", "signal", "design", "channel", "passed", "author", "timestamp"):
        assert not is_secret(name), name


@given(st.text(), st.binary())
def test_anything(text: str, data: bytes) -> None:
    """Never fails, and what is redacted once is so for good."""
    for frame in (text, data):
        once = redacted(TapeFrame(0, "c1", "out", frame, url=text))
        assert redacted(once) == once
