"""Payloads of trading feeds: what clients may ask for, and what servers may send, in shapes that poison books.

The events are those of the platform (`wsctl serve`); servers of others do not know them and stay silent, which is not
strict and not wrong. What a dialect of raw WebSockets asks for is different in each: generated cases have those.
"""

import json

from wsctl.fuzz.ending import ALIVE, CUT, ENDED, closed, says
from wsctl.fuzz.probe import Probe
from wsctl.fuzz.steps import Case, Frame, Join, Open, Part, Say, Steps, Upgrade, data

REFUSAL = says(r'"ok": ?false|"(?:error|code)"|connection:closing')
"""an acknowledgement or event that says no"""
ACCEPTED = says(r'^43[^\[]*\[\{"ok": ?true')
ANONYMOUS = Join(auth={})
OTHER = "wsctl-fuzz-other"
"""a user that is not the target's own"""
TOLD = says(rf'^42[^\[]*\["(?!\w*error).*"(?:bot|user):{OTHER}')
"""an event about that one, which is not the refusal"""
DEEP = 100_000
FLOOD = 3000
"""events at once; a client that trades sends a few a second"""


def _asks(event: str, *args: Part) -> Case:
    """A client that has joined asks for something, and for an acknowledgement; `args` is JSON."""
    return Case(name=_shown(args), steps=(Join(), _emit(event, *args)))


def _emit(event: str, *args: Part, id: str = "1") -> Say:
    comma = "," if args else ""
    return Say(data=data(f'42{{nsp}}{id}["{event}"{comma}', *args, "]"))


def _shown(parts: tuple[Part, ...]) -> str:
    text = "".join(part if isinstance(part, str) else f"{part[0]!r}\u2026" for part in parts)
    return text if len(text) <= 40 else text[:39] + "\u2026"


def _named(case: Case, name: str) -> Case:
    return Case(name=name, steps=case.steps, ask=case.ask)


def _sends(name: str, *parts: Part) -> Case:
    """A server sends a packet of its namespace /."""
    return Case(name=name, steps=(Say(data=data(*parts)),))


PRICE = {
    "symbol": '"BTC/USDT"',
    "price": "65000.5",
    "bid": "65000.0",
    "ask": "65001.0",
    "volume": "1.5",
    "channel": '"symbol:BTC/USDT:ticker"',
    "seq": "7",
    "epoch": '"wsctl-fuzz"',
    "timestamp": "1763870000120.1",
}
"""a sound `price:update`, its values as JSON"""


def _price(**changed: str | None) -> str:
    """With some values changed or, where None, left out."""
    values = {name: value for name, value in {**PRICE, **changed}.items() if value is not None}
    return f'42["price:update",{{{",".join(f"{json.dumps(name)}:{value}" for name, value in values.items())}}}]'


def _book(bids: str, asks: str) -> str:
    return (
        f'42["orderbook:update",{{"symbol":"BTC/USDT","bids":{bids},"asks":{asks},"channel":"symbol:BTC/USDT:orderbook",'
        '"seq":7,"epoch":"wsctl-fuzz","timestamp":1763870000120}]'
    )


NO_NUMBERS = ("NaN", "Infinity", "-Infinity", "+1", "01", ".5", "0x10", "1e999", "-1e999", "1" * 400)
"""no JSON at all, or beyond what doubles hold: parsers disagree"""
PRIVATE: tuple[tuple[str, Steps], ...] = (
    ("a bot", (_emit("bot:subscribe:one", f'"{OTHER}-bot-1"'),)),
    ("its channel", (_emit("channel:subscribe", f'["bot:{OTHER}-bot-1:status"]'),)),
    ("notifications", (_emit("channel:subscribe", f'["user:{OTHER}:notifications"]'),)),
    ("balances", (_emit("channel:subscribe", f'["user:{OTHER}:balance"]'),)),
    ("all channels", (_emit("channel:subscribe", '["*","user:*:balance","bot:#"]'),)),
)
"""what is a user's own"""
OWN_NAMES = ("__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf", "__class__", "__init__")
"""what every object of JavaScript's or Python's answers to"""
NO_TOKEN = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJ3c2N0bC1mdXp6LW90aGVyIiwiYWRtaW4iOnRydWV9."  # noqa: S105
"""a JSON Web Token of the other user's, an admin's, with the algorithm none"""


PROBES: tuple[Probe, ...] = (
    Probe(
        id="J1",
        title="numbers on which JSON parsers disagree",
        group="payload",
        source="RFC 8259 section 6; Python's json takes NaN and 1e999",
        symptom="an exception ends more than the request; a price that is no number poisons a book",
        needs="socketio",
        cases=tuple(_asks("price:subscribe", f"[{number}]") for number in NO_NUMBERS),
        safe=(REFUSAL, *ENDED),
    ),
    Probe(
        id="J2",
        title="symbols that nobody trades",
        group="payload",
        source="exchange practice: an unknown symbol is an error",
        symptom="the process ends, or others wait; the subscription is dropped without a word",
        needs="socketio",
        cases=(
            *(
                _named(_asks("price:subscribe", f"[{symbol}]"), name)
                for name, symbol in (
                    ("unknown", '"NOPE/NOPE"'),
                    ("empty", '""'),
                    ("a space", '" "'),
                    ("in other scripts", '"\u6bd4\u7279\u5e01/\u0422\u0415\u0421\u0422"'),
                    ("an emoji", '"\U0001f4a9"'),
                    ("right to left", '"\u202eTDSU/CTB"'),
                    ("NUL", r'"BTC\u0000/USDT"'),
                    ("a terminal's control characters", r'"\u001b[2J\u001b]0;x\u0007"'),
                    ("a line break", r'"BTC\r\nX: y"'),
                    ("a path", '"../../etc/passwd"'),
                    ("a channel", '"BTC/USDT:ticker:x"'),
                    ("a pattern", '"*"'),
                    ("SQL", "\"BTC' OR '1'='1\""),
                )
            ),
            *(_asks("price:subscribe", f'["{name}"]') for name in OWN_NAMES),
            _named(_asks("price:subscribe", '["', ("A", 900_000), '"]'), "as long as a message"),
            _named(_asks("channel:subscribe", '["symbol:', ("A", 900_000), ':ticker"]'), "a channel as long"),
            _named(_asks("channel:subscribe", '["symbol::ticker","::::","symbol:BTC/USDT"]'), "parts of channels"),
        ),
        safe=(REFUSAL,),
    ),
    Probe(
        id="J3",
        title="wrong types where names belong",
        group="payload",
        source="TypeErrors of handlers that trust what they are given",
        symptom="an exception that ends more than the request, or silence",
        needs="socketio",
        cases=(
            *(
                _asks("price:subscribe", arguments)
                for arguments in (
                    "null",
                    "true",
                    "0",
                    "{}",
                    "[]",
                    "[null]",
                    "[1]",
                    "[[]]",
                    "[{}]",
                    '[["BTC/USDT"]]',
                    '{"0":"BTC/USDT","length":1}',
                    '{"symbol":"BTC/USDT","symbol":"NOPE"}',
                    '"BTC/USDT",1',
                )
            ),
            _named(_asks("price:subscribe"), "nothing"),
            _named(_asks("bot:subscribe:one", '{"id":"x"}'), "a bot that is an object"),
            _named(_asks("channel:subscribe", "[true]"), "a channel that is a boolean"),
            Case(
                name="bytes",
                steps=(
                    Join(),
                    Say(data=data('451-{nsp}1["price:subscribe",{"_placeholder":true,"num":0}]')),
                    Say(data=data(b"BTC/USDT"), binary=True),
                ),
            ),
        ),
        safe=(REFUSAL,),
    ),
    Probe(
        id="J4",
        title="numbers where names belong, at the edges of doubles",
        group="payload",
        source="ECMA-262: 2^53 - 1 is the largest safe integer",
        symptom="precision is lost without a word, or an exception ends more than the request",
        needs="socketio",
        cases=tuple(
            _asks("price:subscribe", f"[{number}]")
            for number in (
                "-0",
                "-0.0",
                "9007199254740993",
                "-9007199254740993",
                "18446744073709551616",
                "1e308",
                "5e-324",
                "0.1e1",
                "1763870000120100",
            )
        ),
        safe=(REFUSAL,),
    ),
    Probe(
        id="J5",
        title="texts that are no Unicode",
        group="payload",
        source="RFC 8259 section 8.2: half a surrogate pair; Python cannot encode it again",
        symptom="the answer that repeats it cannot be encoded",
        needs="socketio",
        cases=tuple(
            _asks(event, arguments)
            for event, arguments in (
                ("price:subscribe", r'["\ud800"]'),
                ("price:subscribe", r'["\udc00\ud800"]'),
                (r"\ud800", "[]"),
                ("channel:subscribe", r'["symbol:\ud800:ticker"]'),
            )
        ),
        safe=(REFUSAL, *ENDED),
    ),
    Probe(
        id="J6",
        title="lists that are too long or too deep",
        group="payload",
        source="exchange practice: 200 to 1024 streams a request",
        symptom="the server is busy with them for long, or drops them without a word",
        needs="socketio",
        cases=(
            _named(_asks("price:subscribe", "[", ('"BTC/USDT",', 5000), '"BTC/USDT"]'), "one symbol, over and over"),
            _named(
                _asks("price:subscribe", json.dumps([f"NOPE{number}/USDT" for number in range(5000)])),
                "unknown symbols, all different",
            ),
            _named(_asks("price:subscribe", ('"BTC/USDT",', 5000), '"BTC/USDT"'), "as arguments"),
            _named(_asks("price:subscribe", ("[", 200), ("]", 200)), "a list in two hundred"),
            _named(_asks("price:subscribe", ("[", DEEP), ("]", DEEP)), "a list in a hundred thousand"),
            _named(_asks("price:subscribe", "{", ('"a":1,', DEEP), '"a":1}'), "one key, over and over"),
        ),
        safe=(REFUSAL, *ENDED),
    ),
    Probe(
        id="J7",
        title="a flood of subscriptions",
        group="payload",
        source="exchange practice: 5 to 10 requests a second",
        symptom="other clients wait",
        needs="socketio",
        cases=(
            Case(
                name="with acknowledgements",
                steps=(Join(), Say(data=data('42{nsp}1["price:subscribe",["BTC/USDT"]]'), times=FLOOD)),
            ),
            Case(name="without", steps=(Join(), Say(data=data('42{nsp}["price:subscribe",["NOPE"]]'), times=FLOOD))),
            Case(
                name="on and off",
                steps=(
                    Join(),
                    *(
                        Say(data=data(f'42{{nsp}}["price:{verb}",["BTC/USDT"]]'))
                        for _ in range(FLOOD // 20)
                        for verb in ("subscribe", "unsubscribe")
                    ),
                ),
            ),
        ),
        safe=(REFUSAL, closed(), CUT),
    ),
    Probe(
        id="J8",
        title="subscribing twice, and leaving what was never joined",
        group="payload",
        source="exchange practice",
        symptom="the second request has no answer, or takes away the first",
        needs="socketio",
        cases=(
            Case(
                name="twice",
                steps=(
                    Join(),
                    _emit("price:subscribe", '["BTC/USDT"]'),
                    _emit("price:subscribe", '["BTC/USDT"]', id="2"),
                ),
            ),
            Case(name="twice in one", steps=(Join(), _emit("price:subscribe", '["BTC/USDT","BTC/USDT"]', id="2"))),
            Case(name="never joined", steps=(Join(), _emit("price:unsubscribe", '["NOPE"]', id="2"))),
            Case(name="no channel", steps=(Join(), _emit("channel:unsubscribe", '["__proto__"]', id="2"))),
        ),
        safe=(says(r"^43\D*2\["),),
    ),
    Probe(
        id="J9",
        title="subscribing before the namespace is joined",
        group="payload",
        source="Socket.IO protocol: CONNECT comes first",
        symptom="prices for who was not let in",
        needs="socketio",
        cases=tuple(
            Case(name=event, steps=(Open(), _emit(event, arguments)))
            for event, arguments in (
                ("price:subscribe", '["BTC/USDT"]'),
                ("channel:subscribe", '["price:public"]'),
                ("bot:subscribe:one", f'"{OTHER}-bot-1"'),
            )
        ),
        safe=ENDED,
        tolerated=(ALIVE,),
        harmful=(ACCEPTED, says('"price:update"')),
        deadline=2.0,
    ),
    Probe(
        id="J10",
        title="what is somebody else's, without a token",
        group="payload",
        source="Schemathesis: ignored authorization",
        symptom="it is served",
        needs="socketio",
        cases=(
            *(Case(name=name, steps=(ANONYMOUS, *steps)) for name, steps in PRIVATE),
            Case(name="all of one's own", steps=(ANONYMOUS, _emit("bot:subscribe"))),
        ),
        safe=(REFUSAL, *ENDED),
        harmful=(ACCEPTED, TOLD),
    ),
    Probe(
        id="J11",
        title="what is somebody else's, with one's own token",
        group="payload",
        source="RESTler: access across tenants",
        symptom="it is served",
        needs="socketio",
        cases=tuple(Case(name=name, steps=(Join(), *steps)) for name, steps in PRIVATE),
        safe=(REFUSAL, *ENDED),
        harmful=(ACCEPTED, TOLD),
    ),
    Probe(
        id="J12",
        title="events and keys that every object has",
        group="payload",
        source="CWE-1321: prototype pollution",
        symptom="a look-up finds what is no handler; the process ends",
        needs="socketio",
        cases=(
            *(_named(_asks(name, "{}"), name) for name in ("", *OWN_NAMES)),
            _named(_asks("price:subscribe", '{"__proto__":{"admin":true,"length":1}}'), "a key __proto__"),
            _named(_asks("bot:subscribe:one", '{"constructor":{"prototype":{"admin":true}}}'), "a key constructor"),
            Case(name="in auth", steps=(Open(), Say(data=data('40{nsp}{"__proto__":{"admin":true}}')))),
        ),
        safe=(ALIVE, *ENDED),
    ),
    Probe(
        id="J13",
        title="tokens that are none",
        group="payload",
        source="RFC 8725 section 3.1: the algorithm none",
        symptom="they are taken, or an exception ends more than this connection",
        needs="socketio",
        cases=tuple(
            Case(name=name, steps=(Open(), Say(data=data('40{nsp}{"token":', *parts, "}"))))
            for name, *parts in (
                ("a number", "1"),
                ("a boolean", "true"),
                ("a list", "[]"),
                ("an object", '{"$ne":null}'),
                ("empty", '""'),
                ("three dots", '"..."'),
                ("the algorithm none", f'"{NO_TOKEN}"'),
                ("no ASCII", '"\u0436.\u0436.\u0436"'),
                ("as long as a message", '"', ("A", 900_000), '"'),
                ("as deep as JSON goes", '"', ("eyJhbGciOiJIUzI1NiJ9.", 1), ("W1tb", 20_000), '.x"'),
            )
        ),
        safe=(says(r"^44(?!/wsctl-fuzz,)"), *ENDED),
    ),
    Probe(
        id="J14",
        title="texts that no feed asks for",
        group="payload",
        source="RFC 8259; handlers that trust what they are given",
        symptom="an exception ends more than this connection, or it hangs",
        needs="websocket",
        cases=(
            *(
                Case(name=_shown((text,)), steps=(Upgrade(), Frame(data=data(text))))
                for text in (
                    "",
                    "{",
                    "null",
                    "[]",
                    "[[]]",
                    '"x"',
                    "NaN",
                    "1e999",
                    r'"\ud800"',
                    '{"method":1,"params":{},"id":[]}',
                    '{"method":"SUBSCRIBE","params":null,"id":9007199254740993}',
                    '{"method":"SUBSCRIBE","params":["__proto__"],"id":"\u0661"}',
                    '{"type":"subscribe","product_ids":"x","channels":0}',
                    '{"type":{},"product_ids":[null],"channels":[[]]}',
                    '{"__proto__":{"x":1},"constructor":{}}',
                )
            ),
            Case(name="deep", steps=(Upgrade(), Frame(data=data(("[", DEEP), ("]", DEEP))))),
            Case(name="bytes", steps=(Upgrade(), Frame(opcode=2, data=data(b"\x00\xff")))),
        ),
        safe=(ALIVE, *ENDED),
    ),
    Probe(
        id="J1C",
        title="prices that poison books",
        group="payload",
        source="exchange documentation: microseconds, symbols beyond ASCII; silent loss of precision",
        symptom="the client dies, stops without a word, or trades on them",
        needs="socketio",
        cases=tuple(
            _sends(name, _price(**changed))
            for name, changed in (
                ("sound", {}),
                ("a price that is text", {"price": '"65000.5"'}),
                ("a price that is an object", {"price": "{}"}),
                ("a price of null", {"price": "null"}),
                ("no price", {"price": None}),
                ("a price of -0", {"price": "-0"}),
                ("a price of -0.0", {"price": "-0.0"}),
                ("a price below zero", {"price": "-65000.5"}),
                ("the largest price", {"price": "1.7976931348623157e308"}),
                ("the smallest price", {"price": "5e-324"}),
                ("more digits than doubles have", {"price": "65000.123456789012345678901234567890"}),
                ("bid above ask", {"bid": "65002", "ask": "65001"}),
                ("a number of 2^53 + 1", {"seq": "9007199254740993"}),
                ("a number of 2^64", {"seq": "18446744073709551616"}),
                ("a number below zero", {"seq": "-1"}),
                ("a number that is a fraction", {"seq": "7.5"}),
                ("a number that is text", {"seq": '"8"'}),
                ("a number that is a list", {"seq": "[8]"}),
                ("no number", {"seq": None}),
                ("an epoch that is a number", {"epoch": "1"}),
                ("microseconds", {"timestamp": "1763870000120100"}),
                ("nanoseconds", {"timestamp": "1763870000120100000"}),
                ("seconds", {"timestamp": "1763870000"}),
                ("a time before all", {"timestamp": "-1e300"}),
                ("a time that is text", {"timestamp": '"2025-11-23T03:53:20.120Z"'}),
                ("a time that is no date", {"timestamp": '"9999-99-99T99:99:99Z"'}),
                ("a symbol beyond ASCII", {"symbol": '"\u6bd4\u7279\u5e01/USDT"'}),
                ("a symbol of control characters", {"symbol": r'"\u001b[2J\u0000"'}),
                ("half a surrogate", {"symbol": r'"\ud800"'}),
                ("a symbol of null", {"symbol": "null"}),
                ("a symbol __proto__", {"symbol": '"__proto__"', "channel": '"__proto__"'}),
                ("a channel that is a number", {"channel": "7"}),
                ("a channel as long as a message", {"channel": '"' + "x" * 60_000 + '"'}),
                ("one key twice", {"price": '1,"price":2'}),
                ("nothing", dict.fromkeys(PRICE)),
            )
        ),
        safe=(ALIVE,),
        attacks="client",
    ),
    Probe(
        id="J2C",
        title="prices that are no JSON",
        group="payload",
        source="RFC 8259 section 6; Python's json takes NaN and 1e999",
        symptom="they are taken, or an exception ends the client",
        needs="socketio",
        cases=tuple(_sends(number[:20], _price(price=number)) for number in NO_NUMBERS),
        safe=(ALIVE, *ENDED),
        attacks="client",
    ),
    Probe(
        id="J3C",
        title="price updates of other shapes",
        group="payload",
        source="handlers that trust what they are given",
        symptom="the client dies, or stops without a word",
        needs="socketio",
        cases=tuple(
            _sends(_shown((arguments,)), f'42["price:update"{arguments}]')
            for arguments in ("", ",null", ",1", ',"x"', ",[]", ",[[]]", ",{}", ",[1,2,3]", ',{"s":1,"p":[],"q":{}}')
        ),
        safe=(ALIVE,),
        attacks="client",
    ),
    Probe(
        id="J4C",
        title="order books that cannot be",
        group="payload",
        source="exchange documentation: size 0 removes a level",
        symptom="the client dies, or its book is crossed without a word",
        needs="socketio",
        cases=(
            _sends("crossed", _book("[[65002,1]]", "[[65001,1]]")),
            _sends("texts", _book('[["65000","1"]]', '[["65001","1"]]')),
            _sends("sizes below zero", _book("[[65000,-1]]", "[[65001,-0]]")),
            _sends("levels of one number", _book("[[65000]]", "[[]]")),
            _sends("levels that are objects", _book('[{"price":65000,"size":1}]', "{}")),
            _sends("no order", _book("[[1,1],[3,1],[2,1],[3,2]]", "[[9,1],[7,1]]")),
            _sends("null", _book("null", "null")),
            _sends(
                "a hundred thousand levels",
                '42["orderbook:update",{"symbol":"BTC/USDT","asks":[],"seq":7,"bids":[',
                ("[1,1],", DEEP),
                "[2,1]]}]",
            ),
        ),
        safe=(ALIVE,),
        attacks="client",
    ),
    Probe(
        id="J5C",
        title="events of the feed itself that lie",
        group="payload",
        source="the platform's control events",
        symptom="the client dies, or waits for what never comes",
        needs="socketio",
        cases=tuple(
            _sends(name, f"42{event}")
            for name, event in (
                (
                    "a heartbeat whose number is text",
                    '["channel:heartbeat",{"channel":"symbol:BTC/USDT:ticker","nextSeq":"x","epoch":null}]',
                ),
                (
                    "a heartbeat far ahead",
                    '["channel:heartbeat",{"channel":"symbol:BTC/USDT:ticker","nextSeq":9007199254740993,"epoch":"x"}]',
                ),
                ("a heartbeat of nothing", '["channel:heartbeat",null]'),
                (
                    "a skip backwards",
                    '["channel:skipped",{"channel":"symbol:BTC/USDT:ticker","epoch":"x","from":9,"to":1}]',
                ),
                (
                    "a skip far ahead",
                    '["channel:skipped",{"channel":"symbol:BTC/USDT:ticker","epoch":"x","from":1,"to":9007199254740993}]',
                ),
                ("a closing of wrong types", '["connection:closing",{"reason":[],"retry":"x","retryAfterMs":-1}]'),
                ("an error that is no text", '["error",{"message":{},"code":[]}]'),
                ("a bot of wrong types", '["bot:status",{"botId":{},"status":1,"pnl":"x"}]'),
                ("an announcement that is text", '["announcement","\\u001b[2J"]'),
                ("an event __proto__", '["__proto__",{"x":1}]'),
                ("a payload __proto__", '["price:update",{"__proto__":{"price":1}}]'),
            )
        ),
        safe=(ALIVE,),
        attacks="client",
    ),
    Probe(
        id="J6C",
        title="a flood of prices",
        group="payload",
        source="practice",
        symptom="the client stalls until its heartbeat is missed",
        needs="socketio",
        cases=(
            Case(name="one number, over and over", steps=(Say(data=data(_price()), times=20_000),)),
            Case(name="long ones", steps=(Say(data=data(_price(pad=f'"{"x" * 60_000}"')), times=100),)),
        ),
        safe=(ALIVE,),
        attacks="client",
    ),
)
