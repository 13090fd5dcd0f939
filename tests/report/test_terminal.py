"""What people see: the live table and the ordering report, at the widths of their terminals."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from tests.checks.schemes.streams import known_link
from wsctl.checks.ordering import OrderingCheck
from wsctl.model.lifecycle import Lifecycle, Stage
from wsctl.model.observation import Observation
from wsctl.report.terminal import LiveTable, OrderingReport, live_view, stage_line, summary
from wsctl.watch.tally import Tally
from wsctl.wire.dialects import dialect_named

URL = "http://127.0.0.1:3000"


class StoppedClock:
    """A clock that shows what it is told."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


def price(symbol: str, seq: int, value: float, at: float = 1000.0, **more: Any) -> Observation:
    channel = more.pop("channel", f"symbol:{symbol}:ticker")
    data = {"symbol": symbol, "price": value, **more}
    return Observation(at, "c1", channel, "price:update", "e1", seq, at - 0.001, 1.0, data)


def stage(name: Stage, **more: Any) -> Lifecycle:
    return Lifecycle(at=1000.0, conn="c1", stage=name, transport="websocket", **more)


def draw(renderable: RenderableType, width: int) -> list[str]:
    console = Console(width=width, height=40, record=True, force_terminal=True, file=StringIO())
    console.print(renderable)
    return [line.rstrip() for line in console.export_text().splitlines()]


def colours(renderable: RenderableType) -> str:
    console = Console(width=120, record=True, force_terminal=True, file=StringIO())
    console.print(renderable)
    return console.export_text(styles=True)


@pytest.fixture
def tally() -> Tally:
    """Three symbols, watched for a while."""
    clock = StoppedClock()
    tally = Tally(clock)
    for name in (Stage.ATTEMPT, Stage.JOINED, Stage.SUBSCRIBED):
        tally.add(stage(name))
    for seq, value in enumerate((65000.0, 65012.65, 65012.6), start=1):
        tally.add(price("BTC/USDT", seq, value))
    tally.add(price("ETH/USDT", 1, 3200.25))
    tally.add(price("ETH/USDT", 2, 3201.5))
    tally.add(price("BTC-USD-220527", 1, 123456789.5))
    clock.time += 3
    return tally


def test_the_readme_shows_it() -> None:
    """Head and last line of README's sample are those of the real table."""
    readme = (Path(__file__).parents[2] / "README.md").read_text().splitlines()
    clock = StoppedClock()
    tally = Tally(clock)
    tally.add(stage(Stage.JOINED))
    for seq, (symbol, value) in enumerate((("BTC/USDT", 64968.44), ("ETH/USDT", 3197.62)), start=1):
        tally.add(price(symbol, seq, value))
    clock.time += 20
    head, *_, last = draw(live_view(tally, "mock prices at http://127.0.0.1:42895"), 80)
    assert head in readme
    assert last in readme


@pytest.mark.parametrize("width", [80, 120])
def test_live_table(tally: Tally, width: int) -> None:
    """At 80 and at 120 columns it is the same: aligned, nothing cut."""
    assert draw(live_view(tally, URL), width) == [
        "symbol                  price    change   msg/s   latency     seq  gaps",
        "BTC/USDT            65,012.60   +0.019%     0.7    1.0 ms       3     0",
        "ETH/USDT             3,201.50   +0.039%     0.3    1.0 ms       2     0",
        "BTC-USD-220527  123,456,789.5   +0.000%     0.0    1.0 ms       1     0",
        f"● connected over websocket  {URL}  3 s",
    ]


def raw(channel: str | None, event: str, seq: int | None, data: Any) -> Observation:
    return Observation(1000.0, "c1", channel, event, None, seq, 999.999, 1.0, data)


def test_channels_of_an_exchange() -> None:
    """By their own names in the order asked for, before they speak as well; prices where the dialect finds them."""
    clock = StoppedClock()
    channels = ("btcusdt@aggTrade", "nosuch@ticker", "btcusdt@depth")
    tally = Tally(clock, dialect_named("binance"), channels)
    tally.add(stage(Stage.SUBSCRIBED))
    tally.add(raw("btcusdt@depth", "depthUpdate", 160, {"e": "depthUpdate", "s": "BTCUSDT", "U": 157, "u": 160}))
    tally.add(raw("btcusdt@aggTrade", "aggTrade", 7, {"e": "aggTrade", "s": "BTCUSDT", "p": "64000.10000000"}))
    tally.add(raw("btcusdt@aggTrade", "aggTrade", 9, {"e": "aggTrade", "s": "BTCUSDT", "p": "64000.52000000"}))
    tally.add(raw(None, "connection:serverShutdown", None, {"e": "serverShutdown"}))
    assert tally.messages == 3
    assert draw(live_view(tally, "ws://x"), 80) == [
        "channel                price    change   msg/s   latency     seq  gaps",
        "btcusdt@aggTrade   64,000.52   +0.001%     1.0    1.0 ms       9     ?",
        "nosuch@ticker                              0.0                       ?",
        "btcusdt@depth                              0.0    1.0 ms     160     0",
        "● connected over websocket  ws://x  0 s",
    ]


def test_symbols_that_a_channel_does_not_name(tmp_path: Path) -> None:
    """Each has a row, and the channel that was waited for gives up its own."""
    file = tmp_path / "all.yaml"
    file.write_text("name: all\nsubscribe: {frame: '{channel}'}\nmessage: {channel: '{c}', symbol: s, price: p}\n")
    tally = Tally(StoppedClock(), dialect_named(str(file)), ("prices",))
    for symbol in ("BTC", "ETH"):
        tally.add(raw("prices", "message", None, {"c": "prices", "s": symbol, "p": 1.5}))
    assert [line.split()[0] for line in draw(live_view(tally, "ws://x"), 80)[1:3]] == ["BTC", "ETH"]
    assert len(tally.rows) == 2


def test_nothing_is_cut_where_it_is_narrow(tally: Tally) -> None:
    """A name too long for the window goes on in the next line; numbers stay whole."""
    tally.add(price("1000SHIB-USDC-PERPETUAL-SWAP", 1, 0.00001234))
    lines = draw(live_view(tally, URL), 74)
    assert all(len(line) <= 74 for line in lines)
    assert "123,456,789.5" in "\n".join(lines)
    text = "".join(line[:17].strip() for line in lines)
    assert "1000SHIB-USDC-PERPETUAL-SWAP" in text
    assert "…" not in "\n".join(lines)


def test_gaps_are_red(tally: Tally) -> None:
    """A gap is counted in red; other oddities are told below."""
    tally.add(price("ETH/USDT", 9, 3202.0))
    tally.add(price("ETH/USDT", 9, 3202.0))
    tally.close()
    lines = draw(live_view(tally, URL), 80)
    assert lines[2].endswith("9     1")
    assert lines[-1].endswith("3 s  1 duplicate")
    assert "\x1b[1;31m   1\x1b[0m" in colours(live_view(tally, URL))


def test_prices_take_the_colour_of_their_move(tally: Tally) -> None:
    """Up is green, down is red."""
    text = colours(live_view(tally, URL))
    assert "\x1b[31m    65,012.60\x1b[0m" in text
    assert "\x1b[32m     3,201.50\x1b[0m" in text


def test_channels_of_one_symbol_are_told_apart(tally: Tally) -> None:
    """Where a symbol comes on several channels, rows are named by channel."""
    tally.add(price("BTC/USDT", 7, 65000.0, channel="price:public"))
    lines = draw(live_view(tally, URL), 120)
    assert [line.split("  ")[0] for line in lines[1:-1]] == [
        "symbol:BTC/USDT:ticker",
        "ETH/USDT",
        "BTC-USD-220527",
        "BTC/USDT (price:public)",
    ]


@pytest.mark.parametrize(
    ("stages", "line"),
    [
        ([], f"● connecting  {URL}  0 s"),
        (
            [stage(Stage.JOINED), stage(Stage.CUT, reason="connection lost", delay=0.5)],
            f"● connection lost; next attempt in 500 ms  {URL}  0 s",
        ),
        (
            [stage(Stage.JOINED), stage(Stage.CUT, reason="x", delay=0.5), stage(Stage.JOINED)],
            f"● connected over websocket  1 reconnect  {URL}  0 s",
        ),
        ([stage(Stage.JOINED), stage(Stage.CUT, reason="server gone")], f"● ended: server gone  {URL}  0 s"),
        ([stage(Stage.JOINED), stage(Stage.CLOSED)], f"● closed  {URL}  0 s"),
    ],
)
def test_connection_line(stages: list[Lifecycle], line: str) -> None:
    """The line below the prices says what became of the connection."""
    tally = Tally(StoppedClock())
    for one in stages:
        tally.add(one)
    lines = draw(live_view(tally, URL), 120)
    assert lines[-1] == line
    assert lines[1] == "waiting for the first message"


def test_more_symbols_than_lines() -> None:
    """In a low window the rows that fit are shown, and how many are not; at the end all of them are."""
    tally = Tally(StoppedClock())
    tally.add(stage(Stage.JOINED))
    for number in range(30):
        tally.add(price(f"S{number:02}", 1, 1.0))
    console = Console(width=80, height=20, record=True, force_terminal=True, file=StringIO())
    with LiveTable(tally, URL, console) as table:
        table.refresh()
        shown = console.export_text()
    ended = console.export_text()
    assert "S13" in shown
    assert "S14" not in shown
    assert "… and 16 more; a taller window shows them" in shown
    assert "S29" in ended


def of_account(event: str, **data: Any) -> Observation:
    return Observation(1000.0, "c1", "user:alice:x", event, "e1", 1, 999.0, 1.0, data)


def busy(rows: int, bots: int, notices: int) -> Tally:
    """A tally with so much to show; every other notice takes two lines of 80 columns."""
    tally = Tally(StoppedClock())
    tally.add(stage(Stage.JOINED))
    for number in range(rows):
        tally.add(price(f"S{number:02}", 1, 1.0))
    for number in range(bots):
        tally.add(of_account("bot:status", botId=f"bot-{number}", status="running", symbol="S01", pnl=1.5))
        tally.add(of_account("balance:update", asset=f"A{number}", free=1.0, locked=0))
    for number in range(notices):
        tally.add(
            of_account("notification", level="info", title=f"notice-{number}", body="long " * (20 * (number % 2)))
        )
    return tally


@pytest.mark.parametrize(
    ("lines", "rows", "notices"),
    [(60, 10, 8), (28, 10, 4), (24, 10, 2), (22, 8, 2), (18, 4, 2), (15, 1, 2), (13, 2, 0), (11, 1, 0)],
)
def test_a_low_window(lines: int, rows: int, notices: int) -> None:
    """Prices and an account never take more lines than there are; older notices go first, then prices."""
    console = Console(width=80, height=lines, record=True, force_terminal=True, file=StringIO())
    with LiveTable(busy(10, 3, 8), URL, console) as table:
        console.export_text()
        table.refresh()
        shown = [line.rstrip() for line in console.export_text().splitlines()]
    ended = console.export_text()
    assert len(shown) <= lines
    assert shown[-1].startswith("● connected over websocket")
    assert sum(line.startswith("S") for line in shown) == rows
    assert sum("notice-" in line for line in shown) == notices
    assert notices == 0 or any("notice-7" in line for line in shown)
    assert ended.count("notice-") == 8
    assert "S09" in ended


def test_more_bots_than_lines() -> None:
    """Whatever does not fit is cut off, and never scrolls what is redrawn."""
    console = Console(width=80, height=20, record=True, force_terminal=True, file=StringIO())
    with LiveTable(busy(2, 40, 0), URL, console) as table:
        console.export_text()
        table.refresh()
        assert len(console.export_text().splitlines()) == 20
    assert "bot-39" in console.export_text()


def test_notices_alone() -> None:
    """Who watches no prices is not told to wait for them once something came."""
    assert "waiting for the first message" in "\n".join(draw(live_view(busy(0, 0, 0), URL), 80))
    for tally in (busy(0, 0, 1), busy(0, 1, 0)):
        assert "waiting" not in "\n".join(draw(live_view(tally, URL), 80))


@pytest.mark.parametrize("value", [True, None, "x", 10**400, float("nan"), [1], {}, "30236.5", 1e-300, 0])
def test_any_price(value: Any) -> None:
    """Whatever a feed calls its price, the table stands."""
    tally = Tally(StoppedClock())
    tally.add(price("X/Y", 1, value))
    tally.add(price("X/Y", 2, value))
    assert draw(live_view(tally, URL), 80)[1].startswith("X/Y ")
    assert ("30,236.5" in draw(live_view(tally, URL), 80)[1]) == (value == "30236.5")


def test_control_characters_are_not_obeyed() -> None:
    """A feed cannot write to the terminal by a symbol, a channel or a reason."""
    tally = Tally(StoppedClock())
    tally.add(price("\x1b[2JX\nY", 1, 1.0))
    tally.add(stage(Stage.CUT, reason="\x1b]0;title\x07", delay=1.0))
    text = "\n".join(draw(live_view(tally, URL), 120))
    assert "�[2JX�Y" in text
    assert "�]0;title�" in text
    report = "\n".join(draw(OrderingReport(judged(1, 3, channel="\x1b[2J")), 120))
    assert "\x1b" not in text + report


def test_summary(tally: Tally) -> None:
    """One line counts what came and what was wrong with it."""
    tally.add(price("ETH/USDT", 4, 3202.0))
    tally.close()
    assert summary(tally) == "7 messages in 3 s; latency p50 1.0 ms, p95 1.0 ms; 1 gap (1 message)"


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (stage(Stage.ATTEMPT), None),
        (stage(Stage.JOINED), None),
        (stage(Stage.JOINED, reason="no WebSocket"), "connected over websocket (no WebSocket)"),
        (stage(Stage.FAILED, reason="refused", delay=2.0), "attempt failed: refused; next attempt in 2 s"),
        (stage(Stage.CUT, reason="silence", delay=0.25), "connection lost: silence; next attempt in 250 ms"),
        (stage(Stage.CUT, reason="silence"), None),
    ],
)
def test_stage_line(told: Lifecycle, line: str | None) -> None:
    """Of the stages of a connection, people hear those that concern them."""
    assert stage_line(told) == line


def judged(*seqs: int, channel: str = "symbol:BTC/USDT:ticker") -> OrderingCheck:
    check = OrderingCheck()
    for number, seq in enumerate(seqs):
        check.add(price("BTC/USDT", seq, 100.0 + seq, at=1000.0 + number / 1000, channel=channel))
    check.close()
    return check


@pytest.mark.parametrize("width", [80, 120])
def test_clean_report(width: int) -> None:
    """A clean channel takes a line, and columns without anything in them are left out."""
    assert draw(OrderingReport(judged(1, 2, 3)), width) == [
        "channel                 messages  gaps  verified  verdict",
        "symbol:BTC/USDT:ticker         3     0     100 %  pass",
        "",
        "verdict: pass",
    ]


TROUBLE = (1, 2, 5, 5, 7, 6, 8, 1, 2)


def test_report_of_trouble() -> None:
    """Where there is room everything is in one table, findings below."""
    assert draw(OrderingReport(judged(*TROUBLE)), 120) == [
        "channel                 messages  gaps  missing  duplicates  reorders  verified  verdict",
        "symbol:BTC/USDT:ticker         9     1        2           3         1     100 %  fail",
        "",
        "  duplicate: seq 5 came again on symbol:BTC/USDT:ticker; expected 6",
        "  reorder: seq 6 came after 7 on symbol:BTC/USDT:ticker; expected after 5",
        "  duplicate: seq 1 came again on symbol:BTC/USDT:ticker; expected 9",
        "  duplicate: seq 2 came again on symbol:BTC/USDT:ticker; expected 9",
        "  gap: seqs 3 to 4 never came on symbol:BTC/USDT:ticker; expected between 2 and 5",
        "verdict: fail",
    ]


def test_report_of_trouble_in_80_columns() -> None:
    """Where a table does not fit, each channel is told in words; nothing is cut."""
    lines = draw(OrderingReport(judged(*TROUBLE)), 80)
    assert lines == [
        "symbol:BTC/USDT:ticker  fail",
        "  9 messages, 1 gap, 2 missing, 3 duplicates, 1 reorder, 100 % verified",
        "",
        "  duplicate: seq 5 came again on symbol:BTC/USDT:ticker; expected 6",
        "  reorder: seq 6 came after 7 on symbol:BTC/USDT:ticker; expected after 5",
        "  duplicate: seq 1 came again on symbol:BTC/USDT:ticker; expected 9",
        "  duplicate: seq 2 came again on symbol:BTC/USDT:ticker; expected 9",
        "  gap: seqs 3 to 4 never came on symbol:BTC/USDT:ticker; expected between 2 and",
        "  5",
        "verdict: fail",
    ]


def exchanges() -> OrderingCheck:
    """Channels that are numbered otherwise, one of them with a hole."""
    schemes = {"btcusdt@depth": "range", "books:BTC-USDT": "chain", "btcusdt@bookTicker": "monotonic", "level2": "none"}
    check = OrderingCheck(schemes.__getitem__, known_link)
    for channel, seq, data in (
        ("btcusdt@depth", 10, {"U": 1}),
        ("btcusdt@depth", 30, {"U": 21}),
        ("books:BTC-USDT", 5, {"prevSeqId": -1}),
        ("books:BTC-USDT", 9, {"prevSeqId": 7}),
        ("btcusdt@bookTicker", 5, {}),
        ("level2", None, {}),
    ):
        check.add(Observation(1000.0, "c1", channel, "update", None, seq, None, None, data))
    check.close()
    return check


def test_report_of_schemes() -> None:
    """What a scheme cannot see is no zero, and what it counts is named."""
    assert draw(OrderingReport(exchanges()), 120)[:5] == [
        "channel             scheme     messages  gaps        missing  verified  verdict",
        "btcusdt@depth       range             2     1  10 update-ids     100 %  fail",
        "books:BTC-USDT      chain             2     1            ≥ 1     100 %  fail",
        "btcusdt@bookTicker  monotonic         1     ?              0       0 %  unverifiable",
        "level2              none              1     ?              0       0 %  unverifiable",
    ]
    assert draw(OrderingReport(exchanges()), 60)[:8] == [
        "btcusdt@depth  fail",
        "  2 messages, 1 gap, 10 update-ids missing, 100 % verified",
        "books:BTC-USDT  fail",
        "  2 messages, 1 gap, ≥ 1 missing, 100 % verified",
        "btcusdt@bookTicker  unverifiable",
        "  1 message, ? gaps, 0 % verified",
        "level2  unverifiable",
        "  1 message, ? gaps, 0 % verified",
    ]


def test_why_nothing_is_verified() -> None:
    """Numbers that are absent are one thing, numbers that prove nothing another."""
    check = OrderingCheck(lambda channel: channel, known_link)
    check.add(Observation(1000.0, "c1", "monotonic", "ticker", None, 5, None, None, {}))
    why = "verdict: unverifiable (nothing on {} shows whether messages are missing)"
    assert draw(OrderingReport(check), 120)[-1] == why.format("1 channel")
    check.add(Observation(1000.0, "c1", "none", "ticker", None, None, None, None, {}))
    assert draw(OrderingReport(check), 120)[-1] == why.format("2 channels")
    check.add(Observation(1000.0, "c1", "range", "ticker", None, None, None, None, {}))
    lines = draw(OrderingReport(check), 120)
    assert lines[3] == "range      range             1     ?       0 %  unverifiable"
    assert lines[-1] == "verdict: unverifiable (messages that should be numbered are not)"
    check.add(Observation(1000.0, "c1", "counter", "ticker", None, None, None, None, {}))
    assert draw(OrderingReport(check), 120)[-1].startswith("verdict: unverifiable (no sequence numbers where they are")


def test_many_findings() -> None:
    """The first ten findings are listed, the rest counted."""
    lines = draw(OrderingReport(judged(*range(1, 60, 2))), 120)
    assert sum(line.startswith("  gap: ") for line in lines) == 10
    assert "  … and 19 more (--format json lists more)" in lines


@pytest.mark.parametrize(
    ("scheme", "told"),
    [
        ("range", "1 gap (10 update-ids)"),
        ("chain", "1 gap"),
        ("monotonic", "sequence numbers leave others out: gaps cannot be seen; 1 regression"),
        ("none", "no sequence numbers: gaps cannot be seen"),
    ],
)
def test_summary_of_schemes(scheme: str, told: str) -> None:
    """It says as much as the numbers do."""
    tally = Tally(StoppedClock())
    tally.ordering = OrderingCheck(lambda channel: scheme, known_link)
    for seq, first in ((10, 1), (30, 21), *(((5, 5),) if scheme == "monotonic" else ())):
        data = {"U": first, "prevSeqId": first - 1}
        tally.add(Observation(1000.0, "c1", "books", "update", None, seq, None, None, data))
    tally.close()
    assert summary(tally).partition("; ")[2] == told


def test_nothing_came() -> None:
    """No table without a channel."""
    assert draw(OrderingReport(judged()), 80) == ["verdict: unverifiable (nothing came)"]
