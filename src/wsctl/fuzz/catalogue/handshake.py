"""Opening handshakes that have hurt servers, and answers to them that have hurt clients."""

from wsctl.fuzz.catalogue.twins import twin
from wsctl.fuzz.ending import ALIVE, CUT, ENDED, REFUSED, Safe, closed
from wsctl.fuzz.probe import Probe
from wsctl.fuzz.steps import Answer, Case, Cut, Frame, Open, Raw, Request, Upgrade, Wait, data

FOREIGN = "https://wsctl-fuzz.example"
"""an origin that nobody means to let in"""
LET_IN = rf"(?s)\A(?=.*\naccess-control-allow-origin: {FOREIGN})(?=.*\naccess-control-allow-credentials: true)"
"""in the head of an answer"""
ANSWERED = Safe(kind="answered")
"""in any way that is no server error"""
MANY_HEADERS = tuple((f"{number:x}", "") for number in range(2001))
"""more than Node reads (maxHeadersCount is 2000), in less than the 16 KiB that it takes of a head"""
BEGUN = data("GET {target} HTTP/1.1\r\nHost: {host}\r\nX-Wsctl-Fuzz: ")
"""a request whose last header goes on"""
H2C = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
INNER = "GET /wsctl-fuzz HTTP/1.1\r\nHost: wsctl-fuzz\r\n\r\n"
"""a request in the body of another"""
NO_KEY = (
    " {target} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99\r\n"
)
INJECTED = "%0d%0aX-Wsctl-Fuzz:%20yes%0d%0a%0d%0a%1b[31m"


def _reset(path: str, *cuts: tuple[str, Cut]) -> tuple[Case, ...]:
    """An upgrade to HTTP/2 that is reset."""
    asked = Raw(data=data(f"GET {path} HTTP/1.1\r\nHost: {{host}}\r\n{H2C}"))
    return tuple(Case(name=name, steps=(asked, cut), at_once=4) for name, cut in cuts)


AT_ONCE = ("at once", Cut(how="rst"))
IN_A_WHILE = ("after a while", Cut(how="rst", after=0.3))
GIVEN_UP = ("elsewhere, once it is given up", Cut(how="rst", after=2.0))
"""engine.io ends what it does not serve after a second"""

_SERVERS = (
    Probe(
        id="H1",
        title="more headers than are read, those of the handshake last",
        group="handshake",
        source="CVE-2024-37890",
        symptom="the Upgrade header is missing where nobody expects that: exit",
        needs="websocket",
        cases=(Case(steps=(Upgrade(headers=MANY_HEADERS, leading=True),)),),
        safe=(REFUSED, CUT),
        tolerated=(ALIVE,),
        deadline=2.0,
        fixed="ws 5.2.4, 6.2.3, 7.5.10, 8.17.1",
    ),
    Probe(
        id="H2",
        title="a subprotocol with kilobytes of blanks",
        group="handshake",
        source="CVE-2021-32640",
        symptom="a regular expression takes quadratic time: everybody waits",
        needs="websocket",
        cases=(
            Case(
                # Many, as a request has to stay within the 16 KiB that Node takes of a head.
                steps=(Upgrade(headers=(("Sec-WebSocket-Protocol", f"b{' ' * 15_000}x"),)),),
                at_once=64,
            ),
        ),
        safe=(ALIVE, REFUSED, *ENDED),
        fixed="ws 5.2.3, 6.2.2, 7.4.6",
    ),
    Probe(
        id="H3",
        title="extensions named like what every object has",
        group="handshake",
        source="GHSA-5v72-xg48-5rpm",
        symptom="they are found without being there: exit",
        needs="websocket",
        cases=tuple(
            Case(name=offer, steps=(Upgrade(headers=(("Sec-WebSocket-Extensions", offer),)),))
            for offer in (
                "constructor",
                "__proto__",
                "permessage-deflate; constructor",
                "permessage-deflate; __proto__=1",
                "hasOwnProperty; toString=valueOf",
            )
        ),
        safe=(ALIVE, REFUSED, *ENDED),
        fixed="ws 1.1.5, 3.3.1",
    ),
    Probe(
        id="H4",
        title="garbage in the same write as the handshake",
        group="handshake",
        source="CVE-2022-21676",
        symptom="an error before anybody listens for one: exit",
        needs="websocket",
        cases=(Case(steps=(Upgrade(tail=data("test")),)),),
        safe=(closed(1002), CUT),
        # It may be lost, as uvicorn loses it.
        tolerated=(ALIVE,),
        fixed="engine.io 4.1.2, 5.2.1, 6.1.1",
    ),
    Probe(
        id="H4P",
        title="garbage in the same write as the upgrade from polling",
        group="handshake",
        source="the other way in of CVE-2022-21676",
        symptom="an error before anybody listens for one: exit",
        needs="engineio",
        cases=(
            Case(
                steps=(
                    Open(carrier="polling"),
                    Upgrade(query="EIO=4&transport=websocket&sid={sid}", tail=data("test")),
                )
            ),
        ),
        safe=(closed(1002), CUT),
        # It may be lost, as uvicorn loses it.
        tolerated=(ALIVE,),
    ),
    Probe(
        id="H5",
        title="an upgrade to something else, then a reset",
        group="handshake",
        source="CVE-2022-41940",
        symptom="ECONNRESET that nobody handles: exit",
        needs="http",
        cases=(*_reset("{target}", AT_ONCE, IN_A_WHILE), *_reset("/wsctl-fuzz", GIVEN_UP)),
        safe=(CUT,),
        fixed="engine.io 3.6.1, 6.2.1",
    ),
    Probe(
        id="H5E",
        title="an upgrade to something else elsewhere, a reset before it is given up",
        group="handshake",
        source="the same in another place of engine.io, until 6.6.12; socketio/socket.io#3564",
        symptom="ECONNRESET that nobody handles: exit",
        needs="http",
        cases=_reset("/wsctl-fuzz", AT_ONCE, IN_A_WHILE),
        safe=(CUT,),
        fixed="engine.io 6.6.12",
    ),
    Probe(
        id="H6",
        title="transports named like what every object has",
        group="handshake",
        source="CVE-2023-31125",
        symptom="a transport is found that is none: TypeError, exit",
        needs="engineio",
        cases=tuple(
            Case(name=f"{name}, {carrier}", steps=(step,))
            for name in ("__proto__", "constructor", "toString")
            for carrier, step in (
                ("polling", Request(query=f"EIO=4&transport={name}")),
                ("websocket", Upgrade(query=f"EIO=4&transport={name}")),
            )
        ),
        safe=(REFUSED,),
        fixed="engine.io 6.4.2",
    ),
    Probe(
        id="H7",
        title="a head that is longer than anybody needs",
        group="handshake",
        source="CVE-2023-43669; CWE-400",
        symptom="memory, and time that grows with its square",
        needs="http",
        cases=(
            Case(name="a long header", steps=(Upgrade(headers=(("X-Wsctl-Fuzz", "x" * 80 * 1024),)),)),
            Case(
                name="a long header, a little at a time",
                steps=(
                    Raw(data=BEGUN),
                    Raw(data=data(("x", 1024)), times=80, every=0.005),
                    Raw(data=data("\r\n\r\n")),
                ),
            ),
            Case(name="a long path", steps=(Request(path="/" + "x" * 80 * 1024),)),
            Case(
                name="5,000 headers",
                steps=(Upgrade(headers=tuple((f"X-Wsctl-Fuzz-{number}", "x") for number in range(5000))),),
            ),
            Case(name="8 MiB without an end", steps=(Raw(data=BEGUN), Raw(data=data(("x", 65536)), times=128))),
        ),
        safe=(REFUSED, CUT),
        tolerated=(ALIVE, ANSWERED),
    ),
    Probe(
        id="H9",
        title="a request in the body of a refused upgrade",
        group="handshake",
        source="GHSA-mfx4-hv73-q22v",
        symptom="two requests are made of one: smuggling past a proxy",
        needs="http",
        cases=tuple(
            Case(name=name, steps=(Raw(data=data(head)), Wait(seconds=0.3)))
            for name, head in (
                ("GET", f"GET{NO_KEY}Content-Length: {len(INNER)}\r\n\r\n{INNER}"),
                ("POST", f"POST{NO_KEY}Content-Length: {len(INNER)}\r\n\r\n{INNER}"),
                ("chunked", f"GET{NO_KEY}Transfer-Encoding: chunked\r\n\r\n{len(INNER):x}\r\n{INNER}\r\n0\r\n\r\n"),
            )
        ),
        safe=(REFUSED, CUT),
        harmful=(Safe(kind="answered", answers=2),),
        fixed="aiohttp 3.14.2",
    ),
    Probe(
        id="H10",
        title="line breaks and escapes in what is asked for",
        group="handshake",
        source="CVE-2020-7694; CVE-2020-7695",
        symptom="an answer with headers of the asker's; a log that steers a terminal (which cannot be seen from here)",
        needs="http",
        cases=(
            Case(name="path", steps=(Request(path=f"/wsctl-fuzz{INJECTED}"),)),
            Case(name="query", steps=(Request(query=f"EIO=4&transport=polling&t={INJECTED}"),)),
            Case(name="transport", steps=(Request(query=f"EIO=4&transport={INJECTED}"),)),
            Case(name="upgrade", steps=(Upgrade(query=f"EIO=4&transport=websocket&sid={INJECTED}"),)),
        ),
        # Where nobody serves a path, nobody need answer.
        safe=(ANSWERED, ALIVE, *ENDED, Safe(kind="silent")),
        deadline=1.0,
        harmful=(Safe(kind="answered", says=r"(?s)\AHTTP .*\nx-wsctl-fuzz:"), Safe(kind="answered", answers=2)),
        fixed="uvicorn 0.11.7",
    ),
    Probe(
        id="H11",
        title="200 handshakes that never end",
        group="handshake",
        source="CWE-400; RFC 6455 section 10.4",
        symptom="each holds a place for as long as it likes",
        needs="http",
        cases=(Case(steps=(Raw(data=BEGUN), Raw(data=data("x"), times=12, every=5.0)), at_once=200),),
        safe=(REFUSED, CUT),
        # Node counts sixty seconds, and looks at its clock every thirty.
        deadline=45.0,
    ),
    Probe(
        id="H12",
        title="a WebSocket for a page of another site",
        group="handshake",
        source="RFC 6455 section 10.2",
        symptom="any page may speak in the name of who looks at it",
        needs="websocket",
        cases=(Case(steps=(Upgrade(headers=(("Origin", FOREIGN),)),)),),
        safe=(REFUSED, *ENDED),
        # It may be meant so: where nobody is known by a cookie, nothing is lost.
        tolerated=(ALIVE,),
        deadline=1.0,
    ),
    Probe(
        id="H12P",
        title="polling for a page of another site",
        group="handshake",
        source="CVE-2020-28481",
        symptom="any origin is let in, with cookies: any page may speak, and read, in the name of who looks at it",
        needs="engineio",
        cases=(Case(steps=(Request(headers=(("Origin", FOREIGN),)),)),),
        safe=(REFUSED, Safe(kind="answered", says=r"(?s)\AHTTP 2(?!.*\naccess-control-allow-origin:)"), CUT),
        harmful=(Safe(kind="answered", says=LET_IN),),
        tolerated=(ANSWERED,),
        fixed="socket.io 2.4.0",
    ),
    Probe(
        id="H13",
        title="a session that joins no namespace",
        group="handshake",
        source="socketio/socket.io-protocol test-suite (connectTimeout)",
        symptom="it is kept for ever",
        needs="socketio",
        cases=(Case(steps=(Open(),)),),
        safe=ENDED,
        deadline=60.0,
    ),
)

_CLIENTS = (
    Probe(
        id="H7C",
        title="an answer whose head is longer than anybody needs",
        group="handshake",
        source="CVE-2023-43669; CWE-400",
        symptom="memory, and time that grows with its square",
        needs="websocket",
        cases=(
            Case(name="a long header", steps=(Answer(headers=(("X-Wsctl-Fuzz", "x" * 1024 * 1024),)),)),
            Case(
                name="5,000 headers",
                steps=(Answer(headers=tuple((f"X-Wsctl-Fuzz-{number}", "x") for number in range(5000))),),
            ),
        ),
        safe=ENDED,
        tolerated=(ALIVE,),
        attacks="client",
    ),
    Probe(
        id="H8",
        title="a compression window of 1,000 bits",
        group="handshake",
        source="CVE-2026-2229",
        symptom="RangeError where nobody expects one: exit",
        needs="websocket",
        cases=tuple(
            Case(
                name=f"{parameter}={bits}",
                steps=(
                    Answer(headers=(("Sec-WebSocket-Extensions", f"permessage-deflate; {parameter}={bits}"),)),
                    Frame(data=data("wsctl-fuzz"), rsv=4, deflated=True),
                ),
            )
            for parameter in ("server_max_window_bits", "client_max_window_bits")
            for bits in ("1000", "7", "-1", "x")
        ),
        safe=ENDED,
        # To take no notice of it is not what RFC 7692 asks for, and does no harm.
        tolerated=(ALIVE,),
        attacks="client",
        fixed="undici 6.24, 7.24",
    ),
)

_TWINS = ("H1", "H3", "H4")

PROBES: tuple[Probe, ...] = (*_SERVERS, *_CLIENTS, *(twin(probe) for probe in _SERVERS if probe.id in _TWINS))
