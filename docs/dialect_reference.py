"""docs/dialects.md, out of the dialects and the spec of their files: what is known, and every key."""

from collections.abc import Iterator

from scenario_reference import keys, table

from wsctl.errors import UsageError
from wsctl.spec.loader import load_yaml
from wsctl.wire import generic_spec as spec
from wsctl.wire.dialects import NAMES, dialect_named
from wsctl.wire.generic import Generic
from wsctl.wire.generic_parts import FEEDS

_HEAD = """# Dialects

Written by `make docs` from the dialects and the spec of their files.

A dialect is a way of speaking: how a client asks for channels and is answered, what keeps a connection alive, and where
channel, number, time and price sit in a message. The platform's own is Socket.IO, `socketio`. Exchanges speak JSON over
plain WebSockets; `subscribe`, `ordering-check`, `record` and scenarios work the same on them.

```
wsctl subscribe BTC/USDT ETH/USDT --url wss://stream.binance.com:9443/ws
wsctl ordering-check --channel btcusdt@depth@100ms --url wss://stream.binance.com:9443/stream --duration 1m
wsctl subscribe BTC/USDT --url wss://prices.example/v1 --dialect my-feed.yaml
```

- Known hosts pick their dialect. Elsewhere `--dialect` names one, or a file; so does `dialect:` of a feed in
  `wsctl.yaml`.
- Symbols are pairs, `BTC/USDT`, and mean their tickers. `--channel` takes the names of the table below, and what a
  dialect's own documentation says; streams that a URL asks for need not be named again.
- Credentials go into `--header`, or into a frame of a file. `--token`, `--auth`, `--path`, `--namespace` and polling
  are Socket.IO's.
- What a server says of the connection and of no channel (a greeting, `serverShutdown`) is an Observation without
  channel whose event begins with `connection:`. An objection to nothing that was just asked for is the event `error`.
  Neither is expected to be numbered.
- A channel that is refused is told in the exchange's words, and the others are watched; where all are refused the
  command ends 2. Binance takes every name and never speaks on one that it does not have: the table shows it without
  messages.
- Where nothing came for 15 seconds the server is pinged; without a pong, or anything else, in half as many the
  connection is over, and another is made. So it is after a message that is not of the dialect.
- Lines of `subscribe` and `replay --print` say in `dialect` what they were spoken in, so that `wsctl ordering-check -`
  judges them as the live feed is judged.

## Known ones
"""

_FILE = """## A file of your own

```yaml
{example}```

The file above is whole. `frame` is what a client sends, as text or JSON. `{{channel}}` stands for a channel's name, and
`{{channels}}` for a list of all names; a list of one item with placeholders is filled with one item per channel. Where
names have parts, `channels: "book-{{depth}}:{{pair}}"` names them, and the frame says `{{pair}}` and `{{depth:int}}`.

Places (`seq`, `time`, `price`, …) are JMESPath expressions on the message; `channel` is a text with `{{paths}}`. A
message in which `channel` finds nothing speaks about the connection. `scheme` says what numbers prove:

{schemes}

`answer`, `refusal`, `greeting` and `echo` are for the other side: `wsctl replay` plays a tape as a server that speaks
so. Without `subscribed` nobody knows what a yes looks like, and none is waited for.

A mistake in a file is told with its line and column. The shipped files are examples of each key:
{shipped}.

## Over Socket.IO

With `over: socketio` the messages are events. A frame of `subscribe` is the list of an event and its arguments; each is
sent as an event of its own, and acknowledged as Socket.IO does. A message is the first argument of an event; `event`,
if it is not given, is the event's name. `subscribed`, `error` and `keep_alive` are Socket.IO's own there.

```yaml
{over_socketio}```
"""

_EXAMPLE = """\
name: my-feed
subscribe:
  frame: {op: subscribe, topics: "{channels}"}
unsubscribe:
  frame: {op: unsubscribe, topics: "{channels}"}
subscribed: {when: "op == 'subscribed'", channels: "{topics}"}
error: {when: "op == 'error'", message: reason, channels: "{topic}"}
keep_alive: {every: 20s, send: ping, answer: pong}
message:
  channel: "{topic}"
  seq: data.n
  time: data.ts
  time_unit: ms
  price: data.last
  scheme: counter
channels:
  - {match: "trades.{symbol}", scheme: monotonic, seq: data.id, price: data.px}
feeds: {ticker: "ticker.{base}{quote}", trades: "trades.{base}{quote}"}
"""

_OVER_SOCKETIO = """\
name: my-events
over: socketio
subscribe:
  frame: [watch, {markets: ["{channel}"]}]
message: {channel: "{market}", seq: seq, time: at, time_unit: iso, price: last, scheme: counter}
feeds: {ticker: "{base}-{quote}"}
"""

_SCHEMES = {
    "counter": "each is one higher than the one before: a gap is known to the message",
    "range": "`first` to `seq` are covered, or what lies between `previous` and `seq`: missing ids are known",
    "chain": "`previous` is the number of the message before: a break is known, not its size",
    "monotonic": "they rise and leave others out: falls and repeats are found, losses are not",
    "none": "nothing is proven",
}

_SECTIONS = (
    ("The keys", spec.GenericSpec),
    ("subscribe, unsubscribe", spec.RequestSpec),
    ("subscribed, unsubscribed", spec.AnswerSpec),
    ("error", spec.ErrorSpec),
    ("keep_alive", spec.KeepAliveSpec),
    ("message", spec.MessageSpec),
    ("channels", spec.ChannelSpec),
    ("feeds", spec.FeedsSpec),
)


def dialect_reference() -> str:
    """The page. Raises UsageError when an example on it is none."""
    for example in (_EXAMPLE, _OVER_SOCKETIO):
        Generic(load_yaml(example, "docs/dialects.md"))
    shipped = ", ".join(
        f"[`{name}`](../src/wsctl/dialects/{name}.yaml)" for name in NAMES if isinstance(dialect_named(name), Generic)
    )
    schemes = table(("scheme", "its numbers"), ((f"`{name}`", meaning) for name, meaning in _SCHEMES.items()))
    parts = [
        _HEAD.rstrip(),
        _known(),
        _FILE.format(example=_EXAMPLE, over_socketio=_OVER_SOCKETIO, schemes=schemes, shipped=shipped),
        *(f"## {title}\n\n{kind.__doc__}\n\n{keys(kind)}" for title, kind in _SECTIONS),
    ]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _known() -> str:
    head = ("dialect", "hosts", *(f"{feed} of BTC/USDT" for feed in FEEDS))
    rows = ((f"`{name}`", _hosts(name), *_channels(name)) for name in NAMES)
    return (
        table(head, rows)
        + "\n\nIn brackets stands the scheme by which a channel is judged; other channels have theirs."
    )


def _hosts(name: str) -> str:
    return ", ".join(f"`{host}`" for host in dialect_named(name).hosts)


def _channels(name: str) -> Iterator[str]:
    dialect = dialect_named(name)
    for feed in FEEDS:
        try:
            channel = dialect.channel(feed, "BTC/USDT")
        except UsageError:  # it has none
            yield ""
        else:
            yield f"`{channel}` ({dialect.scheme(channel)})"
