"""Bad input: one clear sentence on stderr, the documented exit code, nothing on stdout, no traceback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Result, Server, wsctl
from tests.peers.babbler import Babbler
from tests.peers.background import Background

USAGE, TARGET = 2, 3

HTML = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
HEADER = "time_ms,symbol,price,quantity"


@pytest.fixture(scope="module")
def others() -> Iterator[dict[str, str]]:
    """Things on a port that are no Socket.IO: their URLs by name."""
    background = Background()
    with (
        Babbler(background, HTML) as http,
        Babbler(background, b"220 mail.example ESMTP\r\n") as smtp,
        Babbler(background, b"") as mute,
    ):
        yield {"http": http.url, "smtp": smtp.url, "mute": mute.url}
    background.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with everything that can be wrong."""
    path = tmp_path_factory.mktemp("bad")
    (path / "row.csv").write_text(f"{HEADER}\n1,BTC/USDT,2,3\n2,BTC/USDT,x,3\n")
    (path / "columns.csv").write_text(f"{HEADER}\n1,BTC/USDT\n")
    (path / "header.csv").write_text("time,price\n1,2\n")
    (path / "empty.csv").write_text("")
    (path / "key.yaml").write_text("# a comment\nrat: 3\n")
    (path / "value.yaml").write_text("rate: fast\n")
    (path / "duration.yaml").write_text("throttle: 5 parsecs\n")
    (path / "choice.yaml").write_text("rate: 5\nauth: requird\n")
    (path / "choice-kind.yaml").write_text("limit_policy: 3\n")
    (path / "origin.yaml").write_text("cors_origins: http://app.example\n")
    (path / "origin-kind.yaml").write_text("cors_origin: 3\n")
    (path / "syntax.yaml").write_text("symbols: [\n")
    (path / "lines.jsonl").write_text('{"received_at": 1}\n')
    (path / "plain.txt").write_text("no certificate\n")
    (path / "feeds").mkdir()
    (path / "feeds" / "wsctl.yaml").write_text("feeds:\n  staging: {url: http://127.0.0.1:1}\n")
    return path


def check(result: Result, code: int, message: str, hint: str | None = None) -> None:
    """One sentence, and a hint if there is one."""
    said = f"wsctl: error: {message}\n" + (f"  hint: {hint}\n" if hint else "")
    assert (result.err, result.out, result.code) == (said, "", code)


PATHS_HINT = "is it the right port? --path says where a Socket.IO server listens, if not at /socket.io/"
SERVER_HINT = "is a server running there? wsctl serve starts a mock feed"
DURATION = "expected a number and a unit, such as 500ms, 10s or 2m"
AUTH_HINT = 'such as \'{"format": "compact"}\''

OPTIONS = {
    "subscribe": ("", "nothing to watch", "name a symbol (BTC/USDT), a --channel or an --event"),
    "ordering-check": ("", "nothing to watch", "name a symbol (BTC/USDT), a --channel or an --event"),
    "subscribe A --duration 10": ("subscribe", f"--duration: bad duration '10'; {DURATION}"),
    "subscribe A --duration soon": ("subscribe", f"--duration: bad duration 'soon'; {DURATION}"),
    "subscribe A --count 0": ("subscribe", "--count: 0 is not in the range x>=1"),
    "subscribe A --format xml": ("subscribe", "--format is 'xml'; expected table or jsonl"),
    "ordering-check A --format xml": ("ordering-check", "--format is 'xml'; expected table or json"),
    "subscribe A --reconnect never": ("subscribe", "--reconnect is 'never'; expected auto or always"),
    "subscribe A --auth {": (
        "",
        "--auth is not JSON: expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        AUTH_HINT,
    ),
    "subscribe A --auth []": ("", "--auth is a list; expected a JSON object", AUTH_HINT),
    "subscribe A --header x": ("", "bad header; expected 'Name: value'"),
    "subscribe A --transport pigeon": ("", "unknown transport 'pigeon'; expected auto, websocket, polling"),
    "subscribe A --dialect x": (
        "",
        "unknown dialect 'x'",
        "known: binance, coinbase, kraken-v1, okx, bybit-inverse, or a file such as my-feed.yaml",
    ),
    "subscribe A --dialect binance": (
        "",
        "symbol 'A' is no pair; expected one such as BTC/USDT",
        "--channel takes the names that binance uses itself",
    ),
    "subscribe A/B --dialect bybit-inverse": (
        "",
        "bybit-inverse has no channel for ticker",
        "it has trades, orderbook",
    ),
    "subscribe --channel nonsense --dialect okx": (
        "",
        "okx has no channel 'nonsense'",
        "known: {channel_name}:{instId}",
    ),
    "subscribe --url ws://x --dialect coinbase": (
        "",
        "nothing to watch",
        "name a symbol (BTC/USDT), a --channel or an --event",
    ),
    "subscribe A/B --dialect binance --bots": ("", "--bots is about the platform's own feed; binance has none"),
    "subscribe A/B --dialect okx --notifications": (
        "",
        "--notifications is about the platform's own feed; okx has none",
    ),
    "ordering-check A/B --dialect okx --seq-path x": (
        "",
        "--seq-path makes no sense: okx says itself where to look",
    ),
    "ordering-check A/B --dialect okx --channel-path x": (
        "",
        "--channel-path makes no sense: okx says itself where to look",
    ),
    "subscribe A/B --dialect binance --ordered": (
        "",
        "--ordered makes no sense: binance does not number ab@ticker one by one",
    ),
    "subscribe A/B --dialect binance --token t": (
        "",
        "--token is about Socket.IO, and binance is a raw WebSocket dialect",
        "raw feeds take credentials by --header, or in the dialect file",
    ),
    "subscribe A/B --url wss://ws-feed.exchange.coinbase.com --auth {}": (
        "",
        "--auth is about Socket.IO, and coinbase is a raw WebSocket dialect",
        "raw feeds take credentials by --header, or in the dialect file",
    ),
    "ordering-check A/B --dialect kraken-v1 --namespace x": (
        "",
        "--namespace is about Socket.IO, and kraken-v1 is a raw WebSocket dialect",
    ),
    "ordering-check A/B --dialect kraken-v1 --path x": (
        "",
        "--path is about Socket.IO, and kraken-v1 is a raw WebSocket dialect",
        "the URL's own path counts",
    ),
    "subscribe A/B --dialect okx --transport polling": (
        "",
        "--transport polling is about Socket.IO, and okx is a raw WebSocket dialect",
    ),
    "emit x --dialect okx": ("", "emit sends Socket.IO events; okx has none"),
    "subscribe A --url ftp://x": ("", "bad URL scheme 'ftp'; expected http, https, ws, wss"),
    "subscribe A --url http://me:secret@x": (
        "",
        "the URL holds a user or password",
        "credentials go into --token or --header",
    ),
    "subscribe A --url http://x --feed y": ("", "--url and --feed both name a target; give one of them"),
    "subscribe A --url http://x --token-file no.txt": (
        "",
        "token file no.txt cannot be read: no such file or directory",
    ),
    "subscribe A --url https://127.0.0.1:1 --cacert no.pem": (
        "",
        "--cacert no.pem cannot be read: no such file or directory",
    ),
    "subscribe A --url https://127.0.0.1:1 --cacert plain.txt": (
        "",
        "--cacert plain.txt holds no certificate; expected a PEM file",
    ),
    "subscribe A --url http://x --seq-path [[": (
        "",
        "bad path '[[': incomplete expression",
        "paths are JMESPath, such as meta.seq",
    ),
    "subscribe A --zzz B": ("subscribe", "no such option: --zzz"),
    "subscrib": ("wsctl", "no such command 'subscrib'. Did you mean 'subscribe'?"),
    "emit": ("emit", "missing argument 'EVENT'"),
    "emit x [1 --url http://127.0.0.1:1": (
        "",
        "argument is not JSON: [1: expecting ',' delimiter: line 1 column 3 (char 2)",
    ),
    "token": ("token", "missing option '--user'"),
    "token --user a:b": ("token", "'a:b' is not a user id; letters, digits and . _ / - are taken"),
    "token --user a --ttl 5": ("token", f"--ttl: bad duration '5'; {DURATION}"),
    "ordering-check --tape no.jsonl": ("", "cannot read no.jsonl: no such file or directory"),
    "ordering-check --tape lines.jsonl": (
        "",
        "lines.jsonl:1: not an Observation: object missing required field `conn`",
        "wsctl subscribe --format jsonl writes them",
    ),
    "ordering-check A --tape lines.jsonl": (
        "ordering-check",
        "give symbols to check a feed, or --tape to check a recording, not both",
    ),
    "serve --prices no.csv": ("", f"cannot read no.csv: no such file or directory; expected a CSV file of {HEADER}"),
    "serve --prices row.csv": ("", "row.csv, row 3: price 'x' is not a number; expected digits such as 30236.5"),
    "serve --prices columns.csv": ("", f"columns.csv, row 2: 2 columns; expected 4: {HEADER}"),
    "serve --prices header.csv": ("", f"header.csv, row 1: header 'time,price'; expected {HEADER}"),
    "serve --prices empty.csv": ("", f"empty.csv is empty; expected the header {HEADER}"),
    "serve --config no.yaml": ("", "no.yaml cannot be read: no such file or directory"),
    "serve --config key.yaml": ("", "key.yaml:2:1: unknown key 'rat' in the document", "did you mean rate?"),
    "serve --config value.yaml": ("", "value.yaml:1:7: rate is a text; expected a number"),
    "serve --config duration.yaml": ("", f"duration.yaml:1:11: throttle: bad duration '5 parsecs'; {DURATION}"),
    "serve --config choice.yaml": (
        "",
        "choice.yaml:2:7: auth is 'requird'; expected optional or required",
        "did you mean required?",
    ),
    "serve --config choice-kind.yaml": (
        "",
        "choice-kind.yaml:1:15: limit_policy is a number; expected evict-oldest or reject-newest",
    ),
    "serve --config origin.yaml": (
        "",
        "origin.yaml:1:1: unknown key 'cors_origins' in the document",
        "did you mean cors_origin?",
    ),
    "serve --config origin-kind.yaml": ("", "origin-kind.yaml:1:14: cors_origin is a number; expected names"),
    "serve --config syntax.yaml": (
        "",
        "syntax.yaml:2:1: expected the node content, but found '<stream end>', while parsing a flow node",
    ),
    "serve --rate 0": ("", "rate is 0; expected more than 0 and at most 10000 a second"),
    "serve --symbols a:b": ("", "bad symbol 'a:b'; expected letters, digits and . _ / -"),
    "serve --symbols ,": ("serve", "--symbols names none; expected something like BTC/USDT,ETH/USDT"),
    "serve --port 99999": ("serve", "--port: 99999 is not in the range 0<=x<=65535"),
    "serve --port 0 --ready-file no/ready": ("", "cannot write the ready file no/ready: no such file or directory"),
    "serve --host 0.0.0.0": (
        "",
        "refusing to listen on 0.0.0.0 with the public JWT secret",
        "set --jwt-secret, or listen on loopback",
    ),
    "serve --tls-cert plain.txt": ("", "--tls-cert and --tls-key go together"),
}


@pytest.mark.parametrize("line", OPTIONS)
def test_options(line: str, folder: Path) -> None:
    """What makes no sense ends 2 before anything is started or reached."""
    command, message, *hint = OPTIONS[line]
    if command:
        hint = ["wsctl --help" if command == "wsctl" else f"wsctl {command} --help"]
    check(wsctl(*line.split(), cwd=folder), USAGE, message, *hint)


def test_unknown_feed(folder: Path) -> None:
    """A feed that wsctl.yaml does not know is told with the nearest one."""
    result = wsctl("subscribe", "A", "--feed", "stagin", cwd=folder / "feeds")
    check(result, USAGE, "wsctl.yaml:1:1: no feed 'stagin'", "did you mean staging?")
    result = wsctl("subscribe", "A", "--feed", "x", cwd=folder)
    check(result, USAGE, f"--feed x: there is no wsctl.yaml in {folder}")


def test_unknown_symbols(feed: Server) -> None:
    """Only unknown symbols: the server's own words, with the nearest or all."""
    check(
        wsctl("subscribe", "NO/SUCH", "--url", feed.url),
        USAGE,
        "unknown symbol 'NO/SUCH'; served are BTC/USDT, ETH/USDT",
    )
    check(wsctl("subscribe", "BTC/USD", "--url", feed.url), USAGE, "unknown symbol 'BTC/USD'; did you mean BTC/USDT?")


def test_port_in_use(feed: Server) -> None:
    """serve names the port, the address and a way out."""
    result = wsctl("serve", "--port", str(feed.port))
    check(result, USAGE, f"port {feed.port} on 127.0.0.1 is already in use", "--port 0 picks a free one")


@pytest.mark.parametrize(
    "command", [("subscribe", "A"), ("ordering-check", "A"), ("ordering-check", "A", "--format", "json"), ("emit", "x")]
)
def test_nobody_there(command: tuple[str, ...]) -> None:
    """An explicit target that does not answer: exit 3, the URL, the cause, a hint."""
    result = wsctl(*command, "--url", "http://127.0.0.1:1")
    check(result, TARGET, "http://127.0.0.1:1: connection refused", SERVER_HINT)
    result = wsctl(*command, env={"WSCTL_URL": "ws://127.0.0.1:1"})
    check(result, TARGET, "ws://127.0.0.1:1: connection refused", SERVER_HINT)


def test_no_such_host() -> None:
    """A host name that nobody knows is told as such."""
    result = wsctl("subscribe", "A", "--url", "http://no-such-host.invalid")
    check(
        result,
        TARGET,
        "http://no-such-host.invalid: host name not found",
        "check the spelling, the network and the VPN",
    )


@pytest.mark.parametrize(
    ("other", "message", "hint"),
    [
        ("http", "answers, but not as Socket.IO at /socket.io/: 404 Not Found (text/html)", PATHS_HINT),
        ("smtp", "answers, but not in HTTP", "if it speaks TLS, the URL begins with https:// or wss://"),
        (
            "mute",
            "accepts connections and cuts them before an answer",
            "if it speaks TLS, the URL begins with https:// or wss://",
        ),
    ],
)
def test_not_socketio(others: dict[str, str], other: str, message: str, hint: str) -> None:
    """Something else on the port is told by what it does."""
    url = others[other]
    check(wsctl("subscribe", "A", "--url", url), TARGET, f"{url} {message}", hint)


def test_other_namespace_and_path(feed: Server) -> None:
    """A namespace or path that the server does not have."""
    url = feed.url
    result = wsctl("subscribe", "A", "--url", url, "--namespace", "/admin")
    message = f"{url} refused the connection: Invalid namespace /admin"
    check(result, TARGET, message, "--namespace names another one")
    result = wsctl("subscribe", "A", "--url", url, "--path", "/live")
    check(result, TARGET, f"{url} answers, but not as Socket.IO at /live/: 404 Not Found (text/plain)", PATHS_HINT)
    result = wsctl("subscribe", "A", "--url", f"{url}/live")
    check(
        result,
        USAGE,
        f"{url}/live has a path, which Socket.IO does not know what to do with",
        "--namespace /live joins a namespace; --path /live says where the server listens",
    )


def test_private_channel_without_token(feed: Server) -> None:
    """A channel that needs a token is refused with exit 3 and says how to bring one."""
    result = wsctl("subscribe", "--channel", "user:7:balance", "--url", feed.url)
    message = "channel:subscribe was refused: user:7:balance needs a token"
    check(result, TARGET, message, "--token, --token-file or $WSCTL_TOKEN")


def test_tls_mismatch(feed: Server) -> None:
    """TLS spoken to a plain server."""
    url = feed.url.replace("http", "https")
    result = wsctl("subscribe", "A", "--url", url)
    check(result, TARGET, f"{url}: TLS failed: WRONG VERSION NUMBER", "http:// or ws:// speak without TLS")


def test_no_command() -> None:
    """wsctl alone shows its help, on stderr, and ends 2."""
    result = wsctl()
    assert result.code == USAGE
    assert result.err.startswith("Usage: wsctl [OPTIONS] COMMAND [ARGS]...\n")
