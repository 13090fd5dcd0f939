"""Frames that nobody may send (RFC 6455, RFC 7692), and those that cost more than they look."""

from wsctl.fuzz.catalogue.twins import twin
from wsctl.fuzz.ending import ALIVE, CUT, ENDED, closed
from wsctl.fuzz.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, RSV1
from wsctl.fuzz.probe import Probe
from wsctl.fuzz.steps import BEYOND, Case, Frame, Open, Upgrade, Wait, data

FRAGMENTS = 50_000
"""at a time, six times: ws takes 131,072, and 40 MB for them. Between them others have their turn"""
MIB = (b"\xec\xc1\x31\x01\0\0\0\xc2\xa0\xf5\x4f\x6d\x08\x5f\xa0", (b"\0", 1016), b"\x3e\x03")
"""zeros, as zlib makes 1,035 bytes of them; FLUSH stands between two"""
FLUSH = b"\0\0\xff\xff"
HALF = (*MIB, FLUSH) * 32
"""of 64 MiB; the last flush of a message is left out (RFC 7692, section 7.2.1)"""
IDLE = "3"
"""a message that harms nobody: in Engine.IO a pong"""
NO_CODES = (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
"""of a close that nobody may send (RFC 6455, section 7.4; registry of close codes)"""
NO_TEXT = (
    ("overlong", b"\xc0\xaf"),
    ("overlong of three", b"\xe0\x80\xaf"),
    ("a surrogate", b"\xed\xa0\x80"),
    ("past the last character", b"\xf4\x90\x80\x80"),
    ("a continuation alone", b"\x80"),
    ("no byte of UTF-8", b"\xff"),
    ("cut in a character", b"\xe2\x82"),
)
"""not UTF-8 (RFC 3629)"""


def _case(name: str, *frames: Frame | Wait, compressed: bool = False) -> Case:
    return Case(name=name, steps=(Upgrade(compressed=compressed), *frames))


_BOTH = (
    Probe(
        id="F1",
        title="reserved bits without an extension",
        group="frames",
        source="RFC 6455 section 5.2; Autobahn 3.*",
        symptom="the frame is taken",
        needs="websocket",
        cases=tuple(
            _case(name, Frame(data=data("x"), rsv=rsv))
            for name, rsv in (("RSV1", 4), ("RSV2", 2), ("RSV3", 1), ("all", 7))
        ),
        safe=(closed(1002),),
    ),
    Probe(
        id="F2",
        title="opcodes that mean nothing",
        group="frames",
        source="RFC 6455 section 5.2; Autobahn 4.*",
        symptom="the frame is taken",
        needs="websocket",
        cases=tuple(
            _case(f"{opcode:X}", Frame(opcode=opcode, data=data("x"))) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
        ),
        safe=(closed(1002),),
    ),
    Probe(
        id="F3",
        title="control frames that are long, or fragments",
        group="frames",
        source="RFC 6455 section 5.5; Autobahn 2.5, 5.1, 5.2",
        symptom="the frame is taken",
        needs="websocket",
        cases=(
            _case("a ping of 126 bytes", Frame(opcode=PING, data=data(("x", 126)))),
            _case("a ping of 64 KiB", Frame(opcode=PING, data=data(("x", 65536)))),
            *(
                _case(f"a fragment of a {name}", Frame(opcode=opcode, data=content, fin=False), rest)
                for name, opcode, content in (
                    ("ping", PING, data("x")),
                    ("pong", PONG, data("x")),
                    ("close", CLOSE, data(b"\x03\xe8")),
                )
                for rest in (Frame(opcode=CONTINUATION, data=data("x")),)
            ),
        ),
        safe=(closed(1002),),
    ),
    Probe(
        id="F4",
        title="continuations of nothing, messages within messages",
        group="frames",
        source="RFC 6455 section 5.4; Autobahn 5.9 to 5.18",
        symptom="half a message is taken for one",
        needs="websocket",
        cases=(
            _case("a last fragment first", Frame(opcode=CONTINUATION, data=data("x"))),
            _case("a fragment first", Frame(opcode=CONTINUATION, data=data("x"), fin=False)),
            _case("a text in a text", Frame(data=data("x"), fin=False), Frame(data=data("y"))),
            _case("a binary in a text", Frame(data=data("x"), fin=False), Frame(opcode=BINARY, data=data("y"))),
            _case(
                "a continuation after the end",
                Frame(data=data(IDLE), fin=False),
                Frame(opcode=CONTINUATION),
                Frame(opcode=CONTINUATION, data=data("x")),
            ),
        ),
        safe=(closed(1002),),
    ),
    Probe(
        id="F6",
        title="lengths that are no lengths",
        group="frames",
        source="RFC 6455 section 5.2; CVE-2026-1528; CVE-2020-27813",
        symptom="an overflow, or memory for what never comes",
        needs="websocket",
        cases=tuple(
            _case(name, Frame(opcode=BINARY, length=length))
            for name, length in (
                ("2^63 - 1", 2**63 - 1),
                ("2^53 + 1", 2**53 + 1),
                ("2^63, where 0 must be", 2**63),
                ("2^64 - 1", 2**64 - 1),
            )
        ),
        safe=(closed(1002, 1009),),
        fixed="undici 6.24, 7.24; gorilla/websocket 1.4.1",
    ),
    Probe(
        id="F6N",
        title="lengths written longer than need be",
        group="frames",
        source="RFC 6455 section 5.2",
        symptom="one frame is read in two ways: something in between may be fooled",
        needs="websocket",
        cases=tuple(
            _case(f"{size} bytes in eight", Frame(opcode=PONG, data=data(("x", size)), wide=True))
            for size in (0, 1, 125)
        ),
        # Who sends has to write them short; who reads need not mind.
        safe=(ALIVE, closed(1002)),
    ),
    Probe(
        id="F7",
        title="a message in fragments of a byte, or of none",
        group="frames",
        source="CVE-2026-48779",
        symptom="memory for each fragment, out of proportion to what is in it",
        needs="websocket",
        cases=tuple(
            _case(
                name,
                Frame(opcode=BINARY, data=content, fin=False),
                *(Frame(opcode=CONTINUATION, data=content, fin=False, times=FRAGMENTS), Wait(seconds=0.3)) * 6,
            )
            for name, content in (("a byte each", data("x")), ("empty", ()))
        ),
        safe=(closed(1008, 1009),),
        # Who joins what comes holds no more than a message may have; with --pid it is seen who does not.
        tolerated=(ALIVE,),
        deadline=2.0,
        fixed="ws 8.21.0",
    ),
    Probe(
        id="F8",
        title="64 KiB that become 64 MiB",
        group="frames",
        source="CVE-2018-1000518; CVE-2026-1526; tornadoweb/tornado#2391",
        symptom="all of it is made before its size is looked at: memory, everybody waits",
        needs="websocket",
        cases=(
            _case(
                "in one frame",
                Frame(opcode=BINARY, data=data(*HALF, *HALF[:-1]), rsv=RSV1),
                compressed=True,
            ),
            _case(
                "in two",
                Frame(opcode=BINARY, data=data(*HALF), rsv=RSV1, fin=False),
                Frame(opcode=CONTINUATION, data=data(*HALF[:-1])),
                compressed=True,
            ),
        ),
        safe=(closed(1009),),
        fixed="websockets 5.0; undici 6.24, 7.24",
    ),
    Probe(
        id="F10",
        title="compression out of place",
        group="frames",
        source="RFC 7692 sections 6 and 7.2; python-websockets/websockets 16.1",
        symptom="an error that nobody handles, or the frame is taken",
        needs="websocket",
        cases=(
            _case(
                "RSV1 on a continuation",
                Frame(data=data("x"), rsv=RSV1, deflated=True, fin=False),
                Frame(opcode=CONTINUATION, data=data("y"), rsv=RSV1, deflated=True),
                compressed=True,
            ),
            _case("a ping", Frame(opcode=PING, data=data("x"), rsv=RSV1, deflated=True), compressed=True),
            _case("no kind of block", Frame(data=data(b"\xff\xff\xff\xff"), rsv=RSV1), compressed=True),
            _case("what is not there", Frame(data=data(b"\x02\xff\xff\x00"), rsv=RSV1), compressed=True),
        ),
        safe=(closed(1002, 1007),),
    ),
    Probe(
        id="F10T",
        title="a compressed message that is cut short",
        group="frames",
        source="RFC 7692 section 7.2.2; python-websockets/websockets 16.1",
        symptom="an error that nobody handles",
        needs="websocket",
        cases=(
            _case("in a table", Frame(opcode=BINARY, data=data(MIB[0][:9]), rsv=RSV1), compressed=True),
            _case("of no bytes", Frame(opcode=BINARY, rsv=RSV1), compressed=True),
        ),
        # Some take what there is.
        safe=(ALIVE, *ENDED),
    ),
    Probe(
        id="F11",
        title="text that is not UTF-8",
        group="frames",
        source="RFC 6455 section 8.1; Autobahn 6.3 to 6.20",
        symptom="it is taken, or an error that nobody handles",
        needs="websocket",
        cases=(
            *(_case(name, Frame(data=data("x", content))) for name, content in NO_TEXT),
            *(
                _case(f"{name}, in a fragment", Frame(data=data("x", content), fin=False), Frame(opcode=CONTINUATION))
                for name, content in NO_TEXT[3:5]
            ),
            _case("a close's reason", Frame(opcode=CLOSE, data=data(b"\x03\xe8", b"\xff"))),
        ),
        safe=(closed(1007),),
    ),
    Probe(
        id="F12",
        title="closes that nobody may send",
        group="frames",
        source="RFC 6455 sections 5.5.1 and 7.4; Autobahn 7.3, 7.7, 7.9",
        symptom="the code is taken, and sent back",
        needs="websocket",
        cases=(
            *(_case(f"code {code}", Frame(opcode=CLOSE, data=data(code.to_bytes(2, "big")))) for code in NO_CODES),
            _case("half a code", Frame(opcode=CLOSE, data=data(b"\x03"))),
            _case("a reason of 124 bytes", Frame(opcode=CLOSE, data=data(b"\x03\xe8", ("x", 124)))),
        ),
        safe=(closed(1002), CUT),
        # An empty close is read as 1005, which therefore cannot be told from its echo.
        harmful=(closed(*(code for code in NO_CODES if code != 1005)),),
    ),
    Probe(
        id="F12D",
        title="data after a close",
        group="frames",
        source="RFC 6455 section 5.5.1; Autobahn 7.1.3 to 7.1.6",
        symptom="it is taken, or an error that nobody handles",
        needs="websocket",
        cases=tuple(
            _case(name, Frame(opcode=CLOSE, data=data(b"\x03\xe8")), *more)
            for name, more in (
                ("a text", (Frame(data=data("x")),)),
                ("a ping", (Frame(opcode=PING, data=data("x")),)),
                ("a close", (Frame(opcode=CLOSE, data=data(b"\x03\xe8")),)),
                ("what is no frame", (Frame(opcode=15, data=data("x"), rsv=7),)),
            )
        ),
        safe=(closed(1000), CUT),
    ),
    Probe(
        id="F13",
        title="a message of 2 GiB is announced",
        group="frames",
        source="CVE-2016-10542; aio-libs/aiohttp#1952; Autobahn 9.*",
        symptom="no limit: whatever comes is kept",
        needs="websocket",
        cases=(
            _case("in one frame", Frame(opcode=BINARY, data=data("x"), length=2**31)),
            _case(
                "in a second fragment",
                Frame(opcode=BINARY, data=data("x"), fin=False),
                Frame(opcode=CONTINUATION, data=data("x"), length=2**31),
            ),
        ),
        safe=(closed(1009), CUT),
    ),
    Probe(
        id="F14",
        title="10,000 pings, and pongs that nobody asked for",
        group="frames",
        source="RFC 6455 section 5.5.2, 5.5.3; CWE-770",
        symptom="everybody waits, or a ping's payload does not come back whole",
        needs="websocket",
        cases=(
            _case("pings", Frame(opcode=PING, data=data(("x", 125)), times=10_000)),
            _case("empty pings", Frame(opcode=PING, times=10_000)),
            _case("pongs", Frame(opcode=PONG, data=data("never asked"), times=10_000)),
        ),
        safe=(ALIVE, *ENDED),
    ),
)

_SERVERS = (
    Probe(
        id="F5",
        title="a frame of a client that is not masked",
        group="frames",
        source="RFC 6455 section 5.1; aio-libs/aiohttp#12677",
        symptom="the frame is taken: caches in between can be poisoned",
        needs="websocket",
        cases=(
            _case("a text", Frame(data=data("x"), masked=False)),
            _case("a ping", Frame(opcode=PING, data=data("x"), masked=False)),
            _case("a close", Frame(opcode=CLOSE, data=data(b"\x03\xe8"), masked=False)),
        ),
        safe=(closed(1002),),
    ),
    Probe(
        id="F13E",
        title="a message of one byte more than the server says it takes",
        group="frames",
        source="Engine.IO protocol v4 (maxPayload); CVE-2026-48809",
        symptom="the limit holds for requests only: whatever comes is kept",
        needs="engineio",
        cases=(
            Case(name="in one frame", steps=(Open(), Frame(data=data("4", ("x", BEYOND))))),
            Case(
                name="in two",
                steps=(
                    Open(),
                    Frame(data=data("4"), fin=False),
                    Frame(opcode=CONTINUATION, data=data(("x", BEYOND))),
                ),
            ),
        ),
        safe=(closed(1009), CUT),
    ),
)

_CLIENTS = (
    Probe(
        id="F5C",
        title="a frame of a server that is masked",
        group="frames",
        source="RFC 6455 section 5.1",
        symptom="the frame is taken",
        needs="websocket",
        cases=(
            Case(name="a text", steps=(Frame(data=data("x"), masked=True),)),
            Case(name="a ping", steps=(Frame(opcode=PING, data=data("x"), masked=True),)),
        ),
        safe=(closed(1002),),
        attacks="client",
    ),
    Probe(
        id="F9",
        title="compressed, though nobody agreed to it",
        group="frames",
        source="CVE-2026-59881; RFC 7692 section 6",
        symptom="it is inflated and taken",
        needs="websocket",
        cases=(
            Case(name="a text", steps=(Frame(data=data("wsctl-fuzz"), rsv=RSV1, deflated=True),)),
            Case(
                name="64 KiB that become 64 MiB",
                steps=(Frame(opcode=BINARY, data=data(*HALF, *HALF[:-1]), rsv=RSV1),),
            ),
        ),
        safe=(closed(1002),),
        attacks="client",
        fixed="aiohttp 3.14.2",
    ),
)


PROBES: tuple[Probe, ...] = (*_BOTH, *_SERVERS, *_CLIENTS, *map(twin, _BOTH))
