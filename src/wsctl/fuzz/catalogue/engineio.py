"""Engine.IO sessions abused: over long-polling, in the upgrade, and with packets that nobody may send."""

from wsctl.fuzz.ending import ALIVE, CUT, ENDED, REFUSED, Safe, status
from wsctl.fuzz.probe import HEARTBEAT, Probe
from wsctl.fuzz.steps import BEYOND, Case, Data, Headers, Join, Open, Request, Say, Steps, Upgrade, Wait, data

POLLING = "EIO=4&transport=polling&sid="
WEBSOCKET = "EIO=4&transport=websocket&sid="
OWN = "{sid}"
OPEN_POLLING = Open(carrier="polling")
OCTETS: Headers = (("Content-Type", "application/octet-stream"),)
TEXT: Headers = (("Content-Type", "text/plain;charset=UTF-8"),)
TOO_MUCH = data('42["x","', ("x", BEYOND), '"]')
"""a sound event that is longer than the server says it takes"""
TOO_LONG_TO_JOIN = data('40{"pad":"', ("x", BEYOND), '"}')
SILENT = Safe(kind="silent")
CLOSING = Safe(kind="answered", codes=(200,), says=r"(?:^|\x1e)1$")
"""the poll brings the session's CLOSE packet"""


def _poll(sid: str = OWN, *, wait: bool = True) -> Request:
    return Request(query=POLLING + sid, wait=wait)


def _post(
    body: Data, sid: str = OWN, *, headers: Headers = TEXT, chunked: bool = False, complete: bool = True
) -> Request:
    return Request(method="POST", query=POLLING + sid, headers=headers, body=body, chunked=chunked, complete=complete)


def _takeover(*packets: str, sid: str = OWN, beside: bool = False) -> Steps:
    return (
        Upgrade(query=WEBSOCKET + sid, beside=beside),
        *(Say(data=data(packet)) for packet in packets),
    )


PROBES: tuple[Probe, ...] = (
    Probe(
        id="E1",
        title="a POST longer than maxPayload",
        group="engineio",
        source="CVE-2020-36048",
        symptom="the body is kept in memory, however long it is",
        needs="engineio",
        cases=(Case(steps=(OPEN_POLLING, _poll(wait=False), _post(TOO_MUCH))),),
        safe=(REFUSED, CUT),
        fixed="engine.io 3.6.0, 4.0.0",
    ),
    Probe(
        id="E2",
        title="a POST of octets",
        group="engineio",
        source="CVE-2026-59725",
        symptom="the request is never answered, and its socket stays",
        needs="engineio",
        cases=(Case(steps=(OPEN_POLLING, _post(data("3"), headers=OCTETS)), at_once=20),),
        safe=(REFUSED, status(200)),
        fixed="engine.io 6.6.7",
    ),
    Probe(
        id="E3",
        title="a flood of pongs",
        group="engineio",
        source="CVE-2026-48802",
        symptom="a thread or task for each of them",
        needs="engineio",
        cases=(Case(steps=(Join(), Say(data=data("3"), times=2000))),),
        safe=(ALIVE, *ENDED),
        fixed="python-engineio 4.13.2",
    ),
    Probe(
        id="E4",
        title="a body without an end, a message beyond maxPayload",
        group="engineio",
        source="CVE-2026-48802, CVE-2026-48809",
        symptom="it is kept, however long it gets, before anything is looked at",
        needs="engineio",
        cases=(
            Case(name="in chunks", steps=(OPEN_POLLING, _post(TOO_MUCH, chunked=True, complete=False))),
            Case(name="its length told", steps=(OPEN_POLLING, _post(TOO_MUCH, complete=False))),
            Case(name="over WebSocket", steps=(Join(), Say(data=TOO_MUCH))),
            Case(name="binary", steps=(Join(), Say(data=data((b"\0", BEYOND), b"\0"), binary=True)), ask="ping"),
        ),
        safe=(REFUSED, *ENDED),
        tolerated=(SILENT, status(200)),
    ),
    Probe(
        id="E4N",
        title="a body without an end for a session that is not there",
        group="engineio",
        source="CVE-2026-48802, CVE-2026-48809",
        symptom="it is waited for and kept before anybody looks whose it is",
        needs="engineio",
        cases=(Case(steps=(OPEN_POLLING, _post(TOO_MUCH, "nobody", chunked=True, complete=False))),),
        safe=(REFUSED, *ENDED),
        deadline=3.0,
        fixed="python-engineio 4.13.2",
    ),
    Probe(
        id="E5",
        title="a hundred thousand packets in one POST",
        group="engineio",
        source="python-engineio payload.py: 16 packets at most",
        symptom="the server is busy with them for long",
        needs="engineio",
        cases=(
            Case(name="pongs", steps=(OPEN_POLLING, _post(data(("3\x1e", 99_999), "3")))),
            Case(name="messages", steps=(OPEN_POLLING, _post(data(("43[]\x1e", 99_999), "43[]")))),
            Case(name="empty", steps=(OPEN_POLLING, _post(data(("\x1e", 99_999))))),
        ),
        safe=(REFUSED,),
        tolerated=(status(200),),
    ),
    Probe(
        id="E6",
        title="packets of no type",
        group="engineio",
        source="Engine.IO protocol test suite; python-engineio packet.py",
        symptom="the session lingers, or a task dies of it",
        needs="engineio",
        cases=tuple(
            Case(name=name, steps=(Open(), Say(data=data(packet))))
            for name, packet in (
                ("nothing", ""),
                ("type 7", "7"),
                ("type 8", "8"),
                ("type 9", "9"),
                ("a letter", "x"),
                ("an emoji", "\U0001f4a9"),
                ("OPEN, which servers send", '0{"sid":"x"}'),
            )
        ),
        safe=ENDED,
        tolerated=(ALIVE,),
        deadline=1.0,
    ),
    Probe(
        id="E7",
        title="sessions used twice, and those that are not there",
        group="engineio",
        source="Engine.IO protocol test suite",
        symptom="a crash, or somebody else's session",
        needs="engineio",
        cases=(
            Case(name="no such session", steps=(_poll("nobody"),)),
            Case(name="a message to no such session", steps=(_post(data("40"), "nobody"),)),
            Case(name="__proto__", steps=(_poll("__proto__"),)),
            Case(name="constructor", steps=(_post(data("40"), "constructor"),)),
            Case(name="an upgrade of no such session", steps=_takeover(sid="nobody")),
            Case(name="an upgrade of __proto__", steps=_takeover(sid="__proto__")),
            Case(
                name="__proto__ by WebTransport",
                steps=(Request(query="EIO=4&transport=webtransport&sid=__proto__"),),
            ),
            Case(name="a second WebSocket", steps=(Join(), *_takeover(beside=True))),
            Case(
                name="a second upgrade",
                steps=(OPEN_POLLING, *_takeover("2probe", "5"), *_takeover("2probe", beside=True)),
            ),
            Case(name="a message in place of the probe", steps=(OPEN_POLLING, *_takeover("40"))),
            Case(name="a message in place of the upgrade", steps=(OPEN_POLLING, *_takeover("2probe", "40"))),
            Case(name="polls of an upgraded session", steps=(OPEN_POLLING, *_takeover("2probe", "5"), _poll())),
        ),
        safe=(REFUSED, *ENDED),
        tolerated=(status(200),),
        deadline=3.0,
    ),
    Probe(
        id="E8",
        title="heartbeats that are not answered",
        group="engineio",
        source="Engine.IO protocol test suite",
        symptom="the connection is kept for ever",
        needs="engineio",
        cases=(Case(steps=(Join(), Wait(seconds=0, answers=False)), ask="ping"),),
        safe=ENDED,
        deadline=HEARTBEAT,
    ),
    Probe(
        id="E9",
        title="two polls at once",
        group="engineio",
        source="Engine.IO protocol test suite",
        symptom="a crash; each gets half of the messages",
        needs="engineio",
        cases=(Case(steps=(OPEN_POLLING, _poll(wait=False), _poll())),),
        safe=(REFUSED,),
        tolerated=(SILENT, status(200)),
    ),
    Probe(
        id="E10",
        title="packets of no type, by POST",
        group="engineio",
        source="Engine.IO protocol test suite",
        symptom="the session lives on, and the next poll waits",
        needs="engineio",
        cases=tuple(
            Case(name=name, steps=(OPEN_POLLING, _post(content), _poll()))
            for name, content in (
                ("nothing", data("\x1e")),
                ("type 9", data("9")),
                ("a letter", data("x")),
                ("no base64", data("b#")),
                ("no UTF-8", data(b"4\xff\xfe")),
                ("a sound packet before it", data("40\x1e9")),
            )
        ),
        safe=(REFUSED, CLOSING),
        tolerated=(SILENT, status(200)),
        deadline=1.0,
    ),
    Probe(
        id="E11",
        title="an upgrade that is never finished",
        group="engineio",
        source="engine.io upgradeTimeout: 10 s",
        symptom="the WebSocket is kept for ever",
        needs="engineio",
        cases=(
            Case(name="nothing is said", steps=(OPEN_POLLING, *_takeover()), ask="ping"),
            Case(name="it stops after the probe", steps=(OPEN_POLLING, *_takeover("2probe")), ask="ping"),
        ),
        safe=(REFUSED, *ENDED),
        deadline=20.0,
    ),
    Probe(
        id="E12",
        title="a polling session that is never polled",
        group="engineio",
        source="Engine.IO protocol: heartbeat",
        symptom="the session is kept for ever",
        needs="engineio",
        cases=(Case(steps=(OPEN_POLLING, Wait(seconds=HEARTBEAT), _poll())),),
        safe=(REFUSED,),
        deadline=HEARTBEAT,
    ),
    Probe(
        id="E13",
        title="a digit of another script as type",
        group="engineio",
        source="python-engineio packet.py: int() reads any digit",
        symptom="the packet is taken for another",
        needs="engineio",
        cases=(
            Case(name="3, a pong", steps=(Open(), Say(data=data("\u0663")))),
            Case(name="4, a message", steps=(Open(), Say(data=data("\u0664" + "0")))),
        ),
        safe=ENDED,
        tolerated=(ALIVE,),
        deadline=1.0,
    ),
    Probe(
        id="E14",
        title="a POST in chunks that are longer than maxPayload together",
        group="engineio",
        source="CWE-770; the neighbour of CVE-2026-48802",
        symptom="a limit on Content-Length is none for them: it is taken",
        needs="engineio",
        cases=(Case(steps=(OPEN_POLLING, _post(TOO_LONG_TO_JOIN, chunked=True), _poll())),),
        safe=(REFUSED, CUT, SILENT, status(200)),
        harmful=(Safe(kind="answered", says=r"(?:^|\x1e)40"),),
        deadline=1.0,
    ),
    Probe(
        id="E15",
        title="an upgrade without a probe",
        group="engineio",
        source="Engine.IO protocol: 2probe, 3probe, 5",
        symptom="messages of two transports cross",
        needs="engineio",
        cases=(Case(steps=(OPEN_POLLING, *_takeover("5"))),),
        safe=(REFUSED, *ENDED),
        tolerated=(ALIVE,),
        deadline=3.0,
    ),
    Probe(
        id="E3C",
        title="a flood of heartbeats",
        group="engineio",
        source="the twin of CVE-2026-48802",
        symptom="a timer or task for each of them",
        needs="engineio",
        cases=(
            Case(name="pings", steps=(Say(data=data("2"), times=10_000),)),
            Case(name="pongs, which clients send", steps=(Say(data=data("3"), times=10_000),)),
        ),
        safe=(ALIVE, *ENDED),
        attacks="client",
    ),
    Probe(
        id="E6C",
        title="packets of no type from a server",
        group="engineio",
        source="Engine.IO protocol test suite",
        symptom="the client stops without a word, or dies of it",
        needs="engineio",
        cases=tuple(
            Case(name=name, steps=(Say(data=data(packet)),))
            for name, packet in (
                ("nothing", ""),
                ("type 9", "9"),
                ("a letter", "x"),
                ("a digit of another script", "\u0664" + '2["x"]'),
                ("a second OPEN", '0{"sid":"x","upgrades":[],"pingInterval":1,"pingTimeout":1,"maxPayload":1}'),
                ("an OPEN that is no JSON", "0{"),
                ("an UPGRADE", "5"),
            )
        ),
        safe=(*ENDED, ALIVE),
        attacks="client",
    ),
)
