"""Generic dialects: what a file can say, and the message for each mistake in one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsctl.errors import UsageError
from wsctl.model.event import Event
from wsctl.spec.loader import load_yaml
from wsctl.wire.dialect import Asked, KeepAlive, Link, Notice, Objected, Quote, Reply, Subscribed, Unsubscribed
from wsctl.wire.generic import Generic
from wsctl.wire.template import FrameTemplate, Pattern
from wsctl.wire.values import decode_json

SMALL = """\
name: small
subscribe: {frame: {op: sub, topics: "{channels}"}}
message: {channel: "{topic}"}
"""

MANY = """\
name: many
hosts: [feed.example.com]
echo: id
subscribe:
  - channels: "candle-{seconds}:{symbol}"
    frame: {op: sub, candle: {symbol: "{symbol}", seconds: "{seconds:int}"}}
    answer: {ok: sub, topic: "{channel}"}
  - channels: "{kind}:{symbol}"
    frame: {op: sub, kind: "{kind}", symbols: ["{symbol}"]}
    at_most: 2
    answer: {ok: sub, topics: ["{channel}"]}
    refusal: {problem: "no {symbol}", topic: "{channel}"}
unsubscribe:
  frame: "UNSUB {channel}"
  answer: {ok: unsub, topic: "{channel}"}
subscribed: {when: "ok == 'sub'", channels: "{topics || topic}"}
unsubscribed: {when: "ok == 'unsub'", channels: "{topic}"}
error: {when: problem, message: problem, channels: "{topic}"}
keep_alive:
  every: 5s
  send: {ping: 1}
  answer: {pong: 1}
  asked: {areYouThere: "{n:int}"}
  reply: {iAm: "{n:int}"}
message:
  channel: "{kind}:{symbol}"
  event: type
  seq: n
  first: meta.from
  previous: meta.before
  time: at
  time_unit: iso
  symbol: symbol
  price: p
channels:
  - match: "trades:{symbol}"
    scheme: chain
    time: ms
    time_unit: ms
  - match: "candle-{seconds}:{symbol}"
    scheme: none
feeds: {ticker: "ticker:{base_lower}_{quote_lower}", trades: "trades:{symbol}"}
assets: {BTC: XBT}
"""


def dialect(text: str) -> Generic:
    """What a file says."""
    return Generic(load_yaml(text, "f"))


many = dialect(MANY)


def test_asking_one_frame_for_all() -> None:
    assert dialect(SMALL).client("").subscribe(["a", "b", "a"]) == ['{"op":"sub","topics":["a","b"]}']


def test_asking_by_the_first_pattern_that_fits() -> None:
    """Channels that agree outside the list share a frame, up to `at_most`; without a list each has its own."""
    assert many.client("").subscribe(["trades:A", "candle-60:A", "trades:B", "book:A", "trades:C", "candle-5:B"]) == [
        '{"op":"sub","kind":"trades","symbols":["A","B"]}',
        '{"op":"sub","kind":"book","symbols":["A"]}',
        '{"op":"sub","kind":"trades","symbols":["C"]}',
        '{"op":"sub","candle":{"symbol":"A","seconds":60}}',
        '{"op":"sub","candle":{"symbol":"B","seconds":5}}',
    ]


def test_a_channel_that_cannot_be_asked_for() -> None:
    with pytest.raises(UsageError) as caught:
        many.client("").subscribe(["alone"])
    assert str(caught.value) == "many has no channel 'alone'\nhint: known: candle-{seconds}:{symbol}, {kind}:{symbol}"


ANSWERS: list[tuple[str, list[Any]]] = [
    ('{"ok":"sub","topics":["a:B","a:C"]}', [Subscribed(("a:B", "a:C"))]),
    ('{"ok":"sub","topic":"a:B"}', [Subscribed(("a:B",))]),
    ('{"ok":"sub"}', [Subscribed(())]),
    ('{"ok":"unsub","topic":"a:B"}', [Unsubscribed(("a:B",))]),
    ('{"problem":"no B","topic":"a:B"}', [Objected("no B", ("a:B",))]),
    ('{"problem":{"code":7}}', [Objected('{"code":7}')]),
    ('{"pong":1,"id":3}', []),
    ('{"areYouThere":12}', [Reply('{"iAm":12}')]),
    ('{"type":"hello","v":2}', [Notice("hello", {"type": "hello", "v": 2})]),
    ('{"v":2}', [Notice("message", {"v": 2})]),
]


@pytest.mark.parametrize(("frame", "found"), ANSWERS)
def test_what_a_client_is_told(frame: str, found: list[Any]) -> None:
    assert many.client("").receive(frame) == found


EVENTS: list[tuple[dict[str, Any], Event, Link, Quote]] = [
    (
        {"kind": "book", "symbol": "A", "type": "delta", "n": 7, "at": "2026-11-20T10:00:00.25Z", "p": 1.5},
        Event(name="delta", channel="book:A", seq=7, sent_at=1795168800.25),
        Link(),
        Quote("A", 1.5),
    ),
    (
        {"kind": "trades", "symbol": "A", "n": "18446744073709551617", "ms": "1790000000123", "p": "1.50"},
        Event(name="message", channel="trades:A", seq=2**64 + 1, sent_at=1790000000.123),
        Link(),
        Quote("A", "1.50"),
    ),
    (
        {"kind": 3, "symbol": "A", "n": 1.5, "at": "yesterday", "meta": {"from": 5, "before": -1}, "p": True},
        Event(name="message", channel="3:A"),
        Link(5, -1),
        Quote("A", None),
    ),
]


@pytest.mark.parametrize(("message", "event", "link", "quote"), EVENTS)
def test_where_facts_sit(message: dict[str, Any], event: Event, link: Link, quote: Quote) -> None:
    """Each in its place, or in its channel's; what is not there, or is no such thing, is absent."""
    read = many.read(message)
    assert isinstance(read, Event)
    assert (read.name, read.channel, read.seq, read.sent_at) == (event.name, event.channel, event.seq, event.sent_at)
    assert read.data is message
    assert many.link(str(read.channel), message) == link
    assert many.quote(str(read.channel), message) == quote


def test_an_event_of_socketio() -> None:
    """The same places in its argument; it is called what it was called there, unless the message says."""
    assert many.read({"kind": "a", "symbol": "B"}, "tick") == Event(
        name="tick", channel="a:B", data={"kind": "a", "symbol": "B"}
    )
    assert dialect(SMALL).over == "websocket"
    assert dialect(SMALL + "over: socketio\n").over == "socketio"


SERVED: list[tuple[str, list[Any]]] = [
    (
        '{"op":"sub","kind":"trades","symbols":["A","NOPE","B"],"id":"x"}',
        [
            Reply('{"ok":"sub","topics":["trades:A","trades:B"],"id":"x"}'),
            Reply('{"problem":"no NOPE","topic":"trades:NOPE","id":"x"}'),
            Asked(True, ("trades:A", "trades:B")),
        ],
    ),
    (
        '{"op":"sub","candle":{"symbol":"A","seconds":60}}',
        [Reply('{"ok":"sub","topic":"candle-60:A"}'), Asked(True, ("candle-60:A",))],
    ),
    ('{"op":"sub","candle":{"symbol":"A","seconds":"60"}}', []),
    ("UNSUB trades:A", [Reply('{"ok":"unsub","topic":"trades:A"}')]),
    ('{"ping":1,"id":[2]}', [Reply('{"pong":1,"id":[2]}')]),
    ('{"ping":true}', []),
    ('{"op":"frobnicate"}', []),
    ("[]", []),
]


@pytest.mark.parametrize(("frame", "found"), SERVED)
def test_what_a_server_makes_of_it(frame: str, found: list[Any]) -> None:
    assert many.server("", lambda channel: "NOPE" not in channel).receive(frame) == found


def test_keep_alive() -> None:
    assert many.keep_alive == KeepAlive(5.0, '{"ping":1}')
    assert dialect(SMALL).keep_alive is None


SCHEMES = [
    (SMALL, "any", "none"),
    (SMALL.replace('"}', '", seq: n}').replace('s", seq: n}', 's"}'), "any", "counter"),
    (MANY, "trades:A", "chain"),
    (MANY, "candle-60:A", "none"),
    (MANY, "book:A", "counter"),
]


@pytest.mark.parametrize(("text", "channel", "scheme"), SCHEMES)
def test_schemes(text: str, channel: str, scheme: str) -> None:
    """A feed that numbers its messages counts, unless the file says otherwise."""
    assert dialect(text).scheme(channel) == scheme


def test_channels_of_a_symbol() -> None:
    assert many.channel("ticker", "BTC/USD") == "ticker:xbt_usd"
    assert many.channel("trades", "ETH/BTC") == "trades:ETH/XBT"
    with pytest.raises(UsageError, match="symbol 'BTC' has no /; expected a pair, such as BTC/USDT"):
        many.channel("trades", "BTC")


def changed(old: str, new: str, text: str = SMALL) -> str:
    """A file with a mistake."""
    assert old in text
    return text.replace(old, new)


MESSAGE, FRAME = 'message: {channel: "{topic}"}', '{op: sub, topics: "{channels}"}'

MISTAKES = [
    ("", "f:1:1: the document lacks 'name'"),
    ("name: [", "f:1:8: expected the node content, but found '<stream end>', while parsing a flow node"),
    (changed("name: small\n", ""), "f:1:1: the document lacks 'name'"),
    (changed("name: small", "name: 7"), "f:1:7: name is a number; expected a text\nhint: in quotes it is a text"),
    (changed(MESSAGE, ""), "f:1:1: the document lacks 'message'"),
    (changed("message:", "mesage:"), "f:3:1: unknown key 'mesage' in the document\nhint: did you mean message?"),
    (changed('channel: "', 'chanel: "'), "f:3:11: unknown key 'chanel' in message\nhint: did you mean channel?"),
    (changed("frame:", "fram:"), "f:2:13: unknown key 'fram' in subscribe\nhint: did you mean frame?"),
    (changed(FRAME, "5"), "f:2:20: subscribe.frame: a frame is a text, a mapping or a list"),
    (
        changed("{channels}", "{chanels}"),
        "f:2:20: subscribe.frame: unknown placeholder {chanels}\nhint: did you mean {channels}?",
    ),
    (
        changed("{channels}", "{symbol}"),
        "f:2:20: subscribe.frame: unknown placeholder {symbol}\nhint: known: {channel}, {channels}",
    ),
    (
        changed("{channels}", "x {channels}"),
        "f:2:20: subscribe.frame: {channels} is a list; expected it alone, not in 'x {channels}'",
    ),
    (
        changed("{channels}", "{ channel }"),
        "f:2:20: subscribe.frame: a brace without placeholder in '{ channel }'\n"
        "hint: placeholders read {name} or {name:int}",
    ),
    (
        changed(FRAME, '{a: ["{channel}"], b: ["{channel}"]}'),
        "f:2:20: subscribe.frame: two lists with placeholders in one frame",
    ),
    (
        changed(FRAME, "'{\"op\": sub}'"),
        "f:2:20: subscribe.frame: a frame that begins as JSON does and is none: '{\"op\": sub}'",
    ),
    (
        changed("{frame:", '{channels: "a{b", frame:'),
        "f:2:23: subscribe.channels: a brace without placeholder in 'a{b'\n"
        "hint: placeholders read {name} or {name:int}",
    ),
    (changed("{frame:", '{channels: "{a}{a}", frame:'), "f:2:23: subscribe.channels: a placeholder twice in '{a}{a}'"),
    (changed("{frame:", "{at_most: 0, frame:"), "f:2:22: subscribe.at_most is 0; expected at least 1"),
    (
        changed("{topic}", "topic"),
        "f:3:20: message.channel: no {path} in 'topic'\nhint: channels read {path}, such as {arg.channel}:{arg.instId}",
    ),
    (
        changed("{topic}", "{topic..x}"),
        "f:3:20: message.channel: bad path 'topic..x': '.' makes no sense at column 7\n"
        "hint: paths are JMESPath, such as meta.seq",
    ),
    (
        changed('"{topic}"}', '"{topic}", seq: "n["}'),
        "f:3:36: message.seq: bad path 'n[': it ends too early\nhint: paths are JMESPath, such as meta.seq",
    ),
    (
        changed('"{topic}"}', '"{topic}", price: tonumber(p)}'),
        "f:3:38: message.price: bad path 'tonumber(p)': there is no function 'tonumber'\nhint: did you mean to_number?",
    ),
    (
        changed('"{topic}"}', '"{topic}", time: at}'),
        "f:3:37: message.time has no unit\nhint: time_unit: s, ms, us, ns, iso",
    ),
    (
        changed('"{topic}"}', '"{topic}", time_unit: sec}'),
        "f:3:42: message.time_unit is 'sec'; expected iso, ms, ns, s or us",
    ),
    (
        changed('"{topic}"}', '"{topic}", scheme: countr}'),
        "f:3:39: message.scheme is 'countr'; expected chain, counter, monotonic, none or range\n"
        "hint: did you mean counter?",
    ),
    (SMALL + "channels: [{seq: n}]\n", "f:4:12: channels[0] lacks 'match'"),
    (
        SMALL + 'channels: [{match: "a", time: at}]\n',
        "f:4:31: channels[0].time has no unit\nhint: time_unit: s, ms, us, ns, iso",
    ),
    (SMALL + "subscribed: {channels: '{a}'}\n", "f:4:13: subscribed lacks 'when'"),
    (
        SMALL + "subscribed: {when: 'a ='}\n",
        "f:4:20: subscribed.when: bad path 'a =': '=' makes no sense at column 3\n"
        "hint: paths are JMESPath, such as meta.seq",
    ),
    (SMALL + "error: {when: bad}\n", "f:4:8: error lacks 'message'"),
    (SMALL + "keep_alive: {every: 5s}\n", "f:4:13: keep_alive lacks 'send'"),
    (SMALL + "keep_alive: {send: ping}\n", "f:4:13: keep_alive lacks 'every'"),
    (
        SMALL + "keep_alive: {send: ping, every: 5}\n",
        "f:4:33: keep_alive.every is a number; expected a number and a unit, such as 10s",
    ),
    (SMALL + "keep_alive: {asked: ping}\n", "f:4:13: keep_alive lacks 'reply'"),
    (
        SMALL + 'keep_alive: {asked: {ping: "{n}"}, reply: {pong: "{m}"}}\n',
        "f:4:43: keep_alive.reply: unknown placeholder {m}\nhint: known: {n}",
    ),
    (
        SMALL + "feeds: {trade: a}\n",
        "f:4:9: unknown key 'trade' in feeds\nhint: did you mean trades?",
    ),
    (
        SMALL + 'feeds: {trades: "t:{sym}"}\n',
        "f:4:17: feeds.trades: unknown placeholder {sym}\n"
        "hint: known: {symbol}, {base}, {quote}, {symbol_lower}, {base_lower}, {quote_lower}",
    ),
    (SMALL + "over: tcp\n", "f:4:7: over is 'tcp'; expected socketio or websocket"),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_mistakes(text: str, message: str) -> None:
    """Each is told with its place and what to do."""
    with pytest.raises(UsageError) as caught:
        dialect(text)
    assert str(caught.value) == message


WORDS = st.text(alphabet="abcXYZ09_/.", min_size=1, max_size=6)


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5, unique=True))
def test_a_frame_says_what_it_was_filled_with(pairs: list[tuple[str, str]]) -> None:
    """match(write(bindings)) == bindings, in as many frames as there are kinds."""
    template = FrameTemplate({"kind": "{kind}", "names": [{"name": "{name}"}]}, ["kind", "name"])
    bindings = [{"kind": kind, "name": name} for kind, name in pairs]
    frames = template.write(bindings)
    assert len(frames) == len({kind for kind, _ in pairs})
    said = []
    for frame in frames:
        said += template.match(frame, decode_json(frame)) or []
    assert sorted(said, key=str) == sorted(bindings, key=str)


@given(WORDS, st.integers())
def test_a_pattern_finds_what_it_was_filled_with(name: str, number: int) -> None:
    pattern = Pattern("x-{number:int}:{name}")
    binding = {"name": name, "number": str(number)}
    assert pattern.match(pattern.fill(binding)) == binding
