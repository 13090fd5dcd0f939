"""Socket.IO packets that have hurt servers and clients."""

from wsctl.fuzz.ending import ALIVE, ENDED, says
from wsctl.fuzz.probe import Probe
from wsctl.fuzz.steps import Case, Join, Open, Part, Say, data

BYTES = Say(data=data(b"\1\2\3"), binary=True)
"""an attachment"""
MANY_BYTES = Say(data=data(b"\1\2\3"), binary=True, times=100)
JOIN_AND_LEAVE = (Say(data=data("40{nsp}")), Say(data=data("41{nsp}")))
SERVED = says(r"^4[36][^\[]*\[")
"""an event was acknowledged"""
DEEP = 100_000
"""of JSON's brackets; Python's parser goes a hundredth as deep, our own rule (MAX_DEPTH) less"""
RESERVED = ("error", "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
"""names of events that are Socket.IO's or an emitter's own"""
PRICE = '"price:update"'


def _case(name: str, *parts: Part, then: tuple[Say, ...] = ()) -> Case:
    """A client that has joined says this."""
    return Case(name=name, steps=(Join(), Say(data=data(*parts)), *then))


def _to_client(name: str, *parts: Part, then: tuple[Say, ...] = ()) -> Case:
    """A server says this."""
    return Case(name=name, steps=(Say(data=data(*parts)), *then))


def _half(case: Case) -> Case:
    """Where attachments may be due, a text is an error itself: who answers a ping, and then no text, waits for more."""
    return Case(name=case.name, steps=case.steps, ask="both")


NUMBERS = (("a name", '"splice"'), ("negative", "-1"), ("too large", "1e9"), ("null", "null"))
"""what stands where the number of an attachment belongs"""


def _placeholder(number: str) -> str:
    return f'{{"_placeholder":true,"num":{number}}}'


NAMES = (
    ("an object with toString", '[{"toString":"foo"}]'),
    ("a boolean", '[true,"x"]'),
    ("null", '[null,"x"]'),
    ("a list", '[["x"]]'),
    ("none", "[]"),
    ("no list", '{"0":"x"}'),
)
"""payloads of an event without a name"""

MALFORMED = (
    ("nothing", ""),
    ("an unknown type", "999"),
    ("a letter", "x"),
    ("JSON cut off", '2{nsp}["some","data"'),
    ("an id and JSON cut off", '2{nsp}42["some","data"'),
    ("CONNECT with text", '0/admin,"invalid"'),
    ("CONNECT with a list", "0[]"),
    ("DISCONNECT with an object", "1{nsp}{}"),
    ("an event with an object", "2{nsp}{}"),
    ("an event with text", '2{nsp}"invalid"'),
    ("an acknowledgement without an id", '3{nsp}["x"]'),
    ("an acknowledgement with an object", "3{nsp}1{}"),
    ("CONNECT_ERROR from a client", '4{nsp}{"message":"x"}'),
    ("CONNECT_ERROR with JSON cut off", '442["some","data"'),
    ("a binary event and nothing else", "5"),
    ("attachments without a dash", "51"),
    ("attachments that are a letter", "5a-"),
    ("attachments that are a fraction", '51.23-["x"]'),
    ("attachments below zero", '5-1-["x"]'),
    ("attachments in another script", '5\u0661-["x"]'),
    ("attachments of a plain event", '21-["x"]'),
)
"""packets without Engine.IO's 4; most are the reference parser's own tests"""


PROBES: tuple[Probe, ...] = (
    Probe(
        id="S1",
        title="an acknowledgement id of a hundred thousand digits",
        group="socketio",
        source="CVE-2020-36049",
        symptom="memory is taken anew for each digit, or the server stalls",
        needs="socketio",
        cases=(
            _case("a thousand", "42{nsp}", ("2", 1000), '["x"]'),
            _case("a hundred thousand", "42{nsp}", ("2", 100_000), '["x"]'),
            _case("and nothing else", "42{nsp}", ("2", 900_000)),
            _case("of an acknowledgement", "43{nsp}", ("2", 100_000), "[]"),
            _case("of attachments", "45", ("2", 100_000), '-{nsp}["x"]'),
        ),
        safe=ENDED,
        tolerated=(ALIVE,),
        deadline=1.0,
        fixed="socket.io-parser 3.3.2, 3.4.1",
    ),
    Probe(
        id="S2",
        title="a placeholder that points at no attachment",
        group="socketio",
        source="CVE-2022-2421",
        symptom="a function or another buffer is among the arguments",
        needs="socketio",
        cases=tuple(
            _half(_case(name, f'451-{{nsp}}["hello",{_placeholder(number)}]', then=(BYTES,)))
            for name, number in NUMBERS
        ),
        safe=ENDED,
        harmful=(says('"hello"'),),
        tolerated=(ALIVE,),
        deadline=2.0,
        fixed="socket.io-parser 3.3.3, 3.4.2, 4.0.5, 4.2.1",
    ),
    Probe(
        id="S3",
        title="an event without a name",
        group="socketio",
        source="CVE-2023-32695",
        symptom="TypeError, exit",
        needs="socketio",
        cases=tuple(_case(name, f"42{{nsp}}{payload}") for name, payload in NAMES),
        safe=ENDED,
        tolerated=(ALIVE,),
        deadline=1.0,
        fixed="socket.io-parser 3.4.3, 4.2.3",
    ),
    Probe(
        id="S4",
        title="events with reserved names",
        group="socketio",
        source="CVE-2024-38355",
        symptom="unhandled 'error', exit",
        needs="socketio",
        cases=tuple(_case(name, f'42{{nsp}}["{name}","x"]') for name in RESERVED),
        safe=(ALIVE, *ENDED),
        fixed="socket.io 2.5.1, 4.6.2",
    ),
    Probe(
        id="S5",
        title="a million attachments",
        group="socketio",
        source="CVE-2026-33151",
        symptom="they are kept, and the packet never ends",
        needs="socketio",
        cases=(
            _half(_case("999999", '45999999-{nsp}["x"]', then=(MANY_BYTES,))),
            _half(_case("of an acknowledgement", "46999999-{nsp}1[]", then=(MANY_BYTES,))),
        ),
        safe=ENDED,
        tolerated=(ALIVE,),
        deadline=2.0,
        fixed="socket.io-parser 3.3.5, 3.4.4, 4.2.6",
    ),
    Probe(
        id="S6",
        title="a binary event of no attachments, then binary messages",
        group="socketio",
        source="CVE-2026-69185",
        symptom="they are kept for ever; the next text is an error",
        needs="socketio",
        cases=(_half(_case("", '450-{nsp}["x"]', then=(MANY_BYTES,))),),
        safe=ENDED,
        tolerated=(ALIVE,),
        deadline=2.0,
        fixed="socket.io-parser 4.2.7",
    ),
    Probe(
        id="S7",
        title="attachments for a namespace that was not joined",
        group="socketio",
        source="CVE-2026-48804",
        symptom="they are kept, though nobody was let in, and whatever is said next is one of them",
        needs="socketio",
        # A server that waits for attachments takes words for one, and says nothing.
        cases=(Case(steps=(Open(), Say(data=data('45999999999-/nope,["x"]')), MANY_BYTES), ask="both"),),
        safe=ENDED,
        tolerated=(ALIVE,),
        deadline=2.0,
        fixed="python-socketio 5.16.2",
    ),
    Probe(
        id="S8",
        title="packets that no parser should take",
        group="socketio",
        source="socket.io-parser test/parser.js",
        symptom="a crash, or a connection that hangs",
        needs="socketio",
        cases=(
            *(_case(name, f"4{packet}") for name, packet in MALFORMED),
            _case("text where attachments are due", '452-{nsp}["x"]', then=(BYTES, Say(data=data('42{nsp}["x"]')))),
            Case(name="an attachment that nobody announced", steps=(Join(), BYTES)),
        ),
        safe=ENDED,
        tolerated=(ALIVE,),
        deadline=1.0,
    ),
    Probe(
        id="S9",
        title="JSON nested without an end",
        group="socketio",
        source="RecursionError of Python's json, which is no ValueError",
        symptom="it escapes who expects errors of JSON; the process ends or a task dies",
        needs="socketio",
        cases=(
            _case("lists without an end", '42{nsp}["x",', ("[", DEEP)),
            _case("lists", '42{nsp}["x",', ("[", DEEP), ("]", DEEP), "]"),
            _case("objects", '42{nsp}["x",', ('{"a":', DEEP), "1", ("}", DEEP), "]"),
            _case("an acknowledgement", "43{nsp}1[", ("[", DEEP), ("]", DEEP), "]"),
            _case("auth", "40/wsctl-fuzz-deep,", ('{"a":', DEEP), "1", ("}", DEEP)),
            _half(_case("with attachments", '451-{nsp}["x",', ("[", DEEP), ("]", DEEP), "]", then=(BYTES,))),
        ),
        safe=(ALIVE, *ENDED),
    ),
    Probe(
        id="S10",
        title="acknowledgements that nobody asked for",
        group="socketio",
        source="socketio/socket.io#4984",
        symptom="a crash, or memory for each of them",
        needs="socketio",
        cases=(
            _case("unknown", '43{nsp}99["x"]'),
            _case("the largest whole number of doubles, and one", '43{nsp}9007199254740993["x"]'),
            Case(name="repeated", steps=(Join(), Say(data=data('43{nsp}1["x"]'), times=5000))),
            _half(_case("binary", f"461-{{nsp}}1[{_placeholder('0')}]", then=(BYTES,))),
        ),
        safe=(ALIVE, *ENDED),
    ),
    Probe(
        id="S11",
        title="a placeholder whose number is none",
        group="socketio",
        source="socket.io-parser 4.2.7: 0.5 is at least 0 and less than 1",
        symptom="undefined, or the placeholder itself, is among the arguments",
        needs="socketio",
        cases=(
            _half(_case("a half", f'451-{{nsp}}["hello",{_placeholder("0.5")}]', then=(BYTES,))),
            _half(_case("a boolean", f'451-{{nsp}}["hello",{_placeholder("false")}]', then=(BYTES,))),
            _half(_case("left out", '451-{nsp}["hello",{"_placeholder":true}]', then=(BYTES,))),
        ),
        safe=ENDED,
        tolerated=(ALIVE,),
        deadline=2.0,
    ),
    Probe(
        id="S12",
        title="a flood of namespaces",
        group="socketio",
        source="practice",
        symptom="memory for each of them, answers without an end",
        needs="socketio",
        cases=(
            Case(name="unknown ones", steps=(Join(), Say(data=data("40/wsctl-fuzz-none,"), times=2000))),
            Case(name="the same again", steps=(Join(), Say(data=data("40{nsp}"), times=2000))),
        ),
        safe=ENDED,
        tolerated=(ALIVE,),
        deadline=2.0,
    ),
    Probe(
        id="S13",
        title="events before the namespace is joined",
        group="socketio",
        source="Socket.IO protocol: CONNECT comes first",
        symptom="they are served, or an exception ends more than this session",
        needs="socketio",
        cases=tuple(
            Case(name=name, steps=(Open(), Say(data=data(packet))))
            for name, packet in (
                ("an event", '42{nsp}["x"]'),
                ("an event with an id", '42{nsp}1["x"]'),
                ("an acknowledgement", "43{nsp}1[]"),
                ("DISCONNECT", "41{nsp}"),
                ("to __proto__", '42/__proto__,["x"]'),
            )
        ),
        safe=ENDED,
        tolerated=(ALIVE,),
        harmful=(SERVED,),
        deadline=1.0,
    ),
    Probe(
        id="S14",
        title="namespaces that nobody serves",
        group="socketio",
        source="Socket.IO protocol: CONNECT_ERROR; CVE-2023-31125 for the names",
        symptom="they are joined, or a look-up finds what is no namespace",
        needs="socketio",
        cases=tuple(
            _case(name, *parts)
            for name, *parts in (
                ("as long as a message", "40/", ("x", 900_000), ","),
                ("__proto__", "40/__proto__,"),
                ("constructor", "40/constructor,"),
                ("in another script", "40/\u0431\u0438\u0440\u0436\u0430,"),
                ("with a query", "40/none?token=x,"),
                ("two slashes", "40//,"),
            )
        ),
        safe=(says("^44/(?!wsctl-fuzz,)"), *ENDED),
        harmful=(says(r"^40/(?:x{9}|__proto__,|constructor,|\u0431|none,|/,)"),),
    ),
    Probe(
        id="S15",
        title="events after the namespace was left",
        group="socketio",
        source="Schemathesis: use after free",
        symptom="they are served",
        needs="socketio",
        cases=(
            _case("an event", "41{nsp}", then=(Say(data=data('42{nsp}1["hello","x"]')),)),
            _case("left a hundred times", "41{nsp}", then=(Say(data=data("41{nsp}"), times=100),)),
            _case("joined anew and left, over and over", "41{nsp}", then=JOIN_AND_LEAVE * 50),
        ),
        safe=(ALIVE, *ENDED),
        harmful=(SERVED,),
    ),
    Probe(
        id="S1C",
        title="an id of a hundred thousand digits from a server",
        group="socketio",
        source="the twin of CVE-2020-36049",
        symptom="the client stalls",
        needs="socketio",
        cases=(
            _to_client("of an event", "42", ("2", 100_000), f"[{PRICE}]"),
            _to_client("of an acknowledgement", "43", ("2", 100_000), "[]"),
            _to_client("of attachments", "45", ("2", 100_000), f"-[{PRICE}]"),
        ),
        safe=(ALIVE, *ENDED),
        attacks="client",
    ),
    Probe(
        id="S2C",
        title="a placeholder from a server that points at no attachment",
        group="socketio",
        source="CVE-2022-2421",
        symptom="a function or another buffer is among the arguments",
        needs="socketio",
        cases=tuple(
            _half(_to_client(name, f"451-1[{PRICE},{_placeholder(number)}]", then=(BYTES,))) for name, number in NUMBERS
        ),
        safe=ENDED,
        harmful=(SERVED,),
        tolerated=(ALIVE,),
        deadline=2.0,
        attacks="client",
        fixed="socket.io-parser 3.3.3, 3.4.2, 4.0.5, 4.2.1",
    ),
    Probe(
        id="S3C",
        title="an event without a name from a server",
        group="socketio",
        source="CVE-2023-32695",
        symptom="TypeError, exit",
        needs="socketio",
        cases=tuple(_to_client(name, f"42{payload}") for name, payload in NAMES),
        safe=ENDED,
        tolerated=(ALIVE,),
        deadline=1.0,
        attacks="client",
        fixed="socket.io-parser 3.4.3, 4.2.3",
    ),
    Probe(
        id="S4C",
        title="events with reserved names from a server",
        group="socketio",
        source="the twin of CVE-2024-38355",
        symptom="the application is told that it is connected, or not, by somebody else's event",
        needs="socketio",
        cases=tuple(_to_client(name, f'42["{name}","x"]') for name in RESERVED),
        safe=(ALIVE, *ENDED),
        attacks="client",
    ),
    Probe(
        id="S5C",
        title="a million attachments from a server",
        group="socketio",
        source="CVE-2026-33151",
        symptom="they are kept, and the packet never ends",
        needs="socketio",
        cases=(_half(_to_client("", f"45999999-[{PRICE}]", then=(MANY_BYTES,))),),
        safe=ENDED,
        deadline=2.0,
        attacks="client",
        fixed="socket.io-parser 3.3.5, 3.4.4, 4.2.6",
    ),
    Probe(
        id="S6C",
        title="a binary event of no attachments from a server, then binary messages",
        group="socketio",
        source="CVE-2026-69185",
        symptom="they are kept for ever; the next text is an error",
        needs="socketio",
        cases=(_half(_to_client("", f"450-[{PRICE}]", then=(MANY_BYTES,))),),
        safe=ENDED,
        deadline=2.0,
        attacks="client",
        fixed="socket.io-parser 4.2.7",
    ),
    Probe(
        id="S8C",
        title="packets from a server that no parser should take",
        group="socketio",
        source="socket.io-parser test/parser.js",
        symptom="a crash, or a client that stops without a word",
        needs="socketio",
        cases=(
            *(
                _to_client(name, "4" + packet.replace("{nsp}", ""))
                for name, packet in MALFORMED
                if "client" not in name
            ),
            _to_client(
                "text where attachments are due", f"452-[{PRICE}]", then=(BYTES, Say(data=data(f"42[{PRICE}]")))
            ),
            Case(name="an attachment that nobody announced", steps=(BYTES,)),
        ),
        safe=ENDED,
        tolerated=(ALIVE,),
        deadline=1.0,
        attacks="client",
    ),
    Probe(
        id="S9C",
        title="JSON nested without an end from a server",
        group="socketio",
        source="RecursionError of Python's json, which is no ValueError",
        symptom="it escapes who expects errors of JSON; the client dies or hears no more",
        needs="socketio",
        cases=(
            _to_client("lists without an end", f"42[{PRICE},", ("[", DEEP)),
            _to_client("lists", f"42[{PRICE},", ("[", DEEP), ("]", DEEP), "]"),
            _to_client("objects", f"42[{PRICE},", ('{"a":', DEEP), "1", ("}", DEEP), "]"),
            _to_client("an acknowledgement", "430[", ("[", DEEP), ("]", DEEP), "]"),
        ),
        safe=(ALIVE, *ENDED),
        attacks="client",
    ),
    Probe(
        id="S10C",
        title="acknowledgements from a server that nobody waits for",
        group="socketio",
        source="socketio/socket.io#4984",
        symptom="a crash, or memory for each of them",
        needs="socketio",
        cases=(
            _to_client("unknown", '439999["x"]'),
            Case(name="repeated", steps=(Say(data=data('439999["x"]'), times=5000),)),
            _half(_to_client("binary", f"461-9999[{_placeholder('0')}]", then=(BYTES,))),
        ),
        safe=(ALIVE, *ENDED),
        attacks="client",
    ),
)
