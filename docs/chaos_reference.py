"""docs/chaos.md, out of the faults and their options: what each does, and how it is asked for."""

from collections.abc import Iterator, Mapping
from inspect import cleandoc

from scenario_reference import keys, table

from wsctl.chaos.asked import read_fault
from wsctl.chaos.fault import AnyFault, FaultSpec
from wsctl.chaos.faults import FAULTS
from wsctl.chaos.firing import Firing
from wsctl.chaos.presets import PRESETS

_HEAD = """# Chaos

Written by `make docs` from the faults and their options.

`wsctl chaos` is a proxy for WebSockets that harms a stream on purpose, message by message. TCP hides every loss,
duplicate and change of order from an application: tools that harm packets or bytes (netem, pumba, Toxiproxy) show it
delays and cuts, and nothing else. What an application does when a *message* is missing, comes twice, is overtaken, when
one channel falls silent while pongs arrive, or when it is closed with 1012, only a proxy can show that knows where a
message begins, and what it is about.

```sh
wsctl chaos --upstream http://127.0.0.1:3000 --fault drop:p=0.01,name=loss --log firings.jsonl --seed 7
wsctl ordering-check BTC/USDT --url http://127.0.0.1:3001 --duration 1m       # finds the gaps of the log
wsctl chaos ctl add flash:percent=50,outage=2s                                # while it runs
wsctl chaos ctl list
```

It stands before any server of WebSockets: one of Socket.IO, or one that speaks a [dialect](dialects.md). What no fault
is about is handed on as it came, byte by byte. It tells at the start what is in force, then when a fault begins to
strike, and at the end what each did. SIGTERM ends it with 0, Ctrl-C with 130. An upstream that is not on this machine
takes `--allow-remote`: it may harm who uses it.

## Asking for faults

`--fault TYPE:KEY=VALUE,…`, as often as you like; `--faults FILE`, a YAML file; `--preset NAME`. Each message meets them
in this order. Faults have names, so that several of a type can be told apart: `name=…`, the type if not given.

```yaml
{example}```

- **Whom.** `direction` is `down` (from the server to its clients) unless it says `up` or `both`. `event`, `channel` and
  `symbol` say which messages, with `*` for anything in the first two: `channel=symbol:*:ticker`. Events of the feed are
  meant unless `kind` says otherwise: acknowledgements, joins, and Engine.IO's own packets are spared (but by `delay`,
  which is a slow line). An event with binary attachments is one message.
- **How often.** `p_connection` is the share of connections that a fault means at all, `p` the share of their messages;
  `nth=10` is every tenth of a connection's direction, `times=3` at most three in all. Of handshakes, `p` is the share
  of all that come, and `nth=10` every tenth of those.
- An option that would mean nothing to a fault is refused: `stall:p=0.5`. Each fault below says which those are.
- **When.** `at=10s` after it came in (at the start, unless it was added later), `for=5s` from then, `every=30s` again.
- `--list` shows all types with all options, in the terminal.

## What a seed decides

Chance is decided by the seed, the fault's name, the connection's number and the direction alone: the n-th connection
that knocks at the door meets the same decisions in each run with the same seed, whatever happens beside it, whatever is
said in the other direction, and whatever other faults there are. The seed is told at the start where none was given.
Not decided by a seed: in which order clients come (and so which of them is the n-th), how many messages there are, and
when; faults with a time (`at`, `every`) strike whatever passes then, and `times` whoever comes first. With `jitter`,
the order among channels depends on when their messages come, too.

## The log

`--log FILE`, or `-` for stdout: JSON Lines, a line for each message or connection that was struck. It is the truth of
what went wrong on purpose: behind the proxy, `ordering-check` finds exactly what it says, and reconnection is counted
by who it says was cut. Fields that say nothing are left out. Told, and not counted as a strike: `held behind` (by
`delay`, after one of its channel), and `not overtaken` (by `reorder`, where none came in time; the `held back` before
it was counted all the same). `slow-reader` and `bandwidth` have struck once they are put on a stream, whether or not
anything had to wait.

{firing}

## Control

`{{"url", "pid", "control"}}` in `--ready-file` tells where the proxy and its control are. The control API listens on
loopback, on port 8474 unless `--control-port` says otherwise, and has the shape of Toxiproxy's: one proxy, `wsctl`, and
its toxics, which are faults; `stream` is `downstream`, `upstream` or `both`, `toxicity` is `p_connection`. Clients of
Toxiproxy find their way.

{api}

```sh
curl localhost:8474/proxies/wsctl
curl -X POST localhost:8474/proxies/wsctl/toxics -d '{{"type": "drop", "name": "loss", "attributes": {{"p": 0.01}}}}'
curl -X PATCH localhost:8474/proxies/wsctl/toxics/loss -d '{{"attributes": {{"p": 0.1}}}}'
curl -X DELETE localhost:8474/proxies/wsctl/toxics/loss
curl -X POST localhost:8474/populate -d '[{{"toxics": [{{"type": "noop"}}, {{"type": "stall", "toxicity": 0.5}}]}}]'
curl -X PATCH localhost:8474/proxies/wsctl -d '{{"enabled": false}}'       # everybody out, nobody in
curl -X POST localhost:8474/reset
curl localhost:8474/metrics
```

An error is `{{"error", "status"}}`, and perhaps a `hint`: 400 for what makes no sense, 404 for a name that nobody has,
409 for one that somebody has; what was refused has changed nothing. What was changed begins anew in its place, with its
counts at zero. No content type is needed. Control answers as `localhost`, `127.0.0.1` and `[::1]` only: pages of this
machine may look, and not change anything; those of other sites may do neither (403).

`wsctl chaos ctl` does the same in words: `list`, `add`, `update`, `remove`, `populate`, `reset`, `toggle`,
`connections`; `--control` or `$WSCTL_CHAOS` say where, if not on port 8474.

## What it does not do

- **Polling passes through** as it is, with its sessions kept at their upstream: messages in polls are not harmed.
  Handshakes are, by polling as well: `reject`, `slow-open`, `limit` and the outage of a `flash` meet both.
- **A stall still acknowledges**: the kernel takes what comes until its buffers are full. A black hole without
  acknowledgements takes netem, and root.
- **A delay meets messages**: not pings and pongs of WebSocket, nor handshakes (`slow-open`) and what polls carry. A
  close frame waits for what is held.
- **Requests are addressed to the upstream.** Where `Host` is a number, `localhost` or the name given as `--host`, it
  becomes the upstream's, and so does the `Origin` of a page that came from there. Any other name stays as it is: a page
  of another site that has its name point here meets the upstream's own checks. Who reaches the proxy by a name of a
  network, and an upstream that minds, needs that name as `--host`. `X-Forwarded-For` gains the client's address, so
  that nobody passes for this machine: `serve --control` does not answer through a proxy.
- **Compression is left out** of what clients offer (`permessage-deflate`), since a compressed message cannot be taken
  away without breaking those after it. A client that insists on it is not for this proxy.
- A message is put together before it is judged, up to 64 MiB. Faults hold up to 16 MiB of a direction; past that its
  source is read no further until some went on.
- HTTP/2 and WebSockets over it are not spoken.
- It costs something itself: `make bench` measures how much beside going straight ([figures](../bench/README.md)).
"""

_COMMON = "But for those that a fault refuses, as it says above."

_EXAMPLE = """\
- drop: {p: 0.01, name: loss}
- freeze-channel: {symbol: BTC/USDT, at: 20s, for: 10s}
- close: {code: 1012, reason: "maintenance, back soon", at: 1m}
"""

_FIRING: Mapping[str, str] = {
    "at": "monotonic nanoseconds, of the proxy's machine",
    "time": "unix seconds",
    "fault": "its name",
    "type": "its type",
    "action": "what was done: `dropped`, `held`, `cut` …",
    "conn": "the connection, numbered as they came: `c1`",
    "client": "what a Socket.IO client calls itself in its handshake auth, as wsctl's do",
    "port": "of the client's socket",
    "direction": "`down` or `up`",
    "event": "its name",
    "channel": "that the message is about",
    "epoch": "of its sequence",
    "seq": "its number",
    "detail": "such as a close code",
}

_API = (
    ("`GET /proxies`, `GET /proxies/wsctl`", "`listen`, `url`, `upstream`, `enabled`, `seed`, `toxics`"),
    ("`PATCH /proxies/wsctl`", "`enabled`: down, everybody is cut and who comes is reset; or up again"),
    ("`GET /proxies/wsctl/toxics`", "all, with `matched` and `applied`"),
    ("`POST /proxies/wsctl/toxics`", "put one in force: `type`, `name`, `stream`, `toxicity`, `attributes`"),
    ("`GET`, `PATCH`, `DELETE /proxies/wsctl/toxics/NAME`", "show one, change it, take it away"),
    (
        "`GET /proxies/wsctl/toxics/NAME/struck?from=N`",
        "whom it struck, without the first N: `conn`, `client`, `port`, `at`; `left_out` of them are forgotten, but "
        "not the latest 65,536",
    ),
    ("`POST /populate`", "a list with the proxy and its `toxics`: these and no others, at once"),
    ("`POST /reset`", "no fault, and up"),
    ("`GET /connections`", "those that are open"),
    ("`GET /metrics`", "for Prometheus: `wsctl_chaos_connections`, `_messages_passed_total`, `_fault_applied_total` …"),
    ("`GET /version`", "wsctl's"),
)

_SHOWS: Mapping[str, tuple[str, str]] = {
    "bandwidth": ("bandwidth:rate=2000", "a client that shows old prices as if they were new; a server that conflates"),
    "close": (
        "close:code=1012,reason=restart,at=10s",
        "which codes a client comes back after, and which it gives up on",
    ),
    "corrupt": (
        "corrupt:mode=truncate,p=0.001",
        "no crash, one channel resynchronised and not all, nothing wrong shown",
    ),
    "cut": ("cut:how=rst,p=0.001", "the path of an abnormal end (1006), and who is not told of one"),
    "delay": ("delay:delay=80ms,jitter=20ms", "timeouts of acknowledgements, staleness"),
    "drop": ("drop:p=0.01,symbol=BTC/USDT", "gaps found, and resynchronised; no order lost without a word"),
    "duplicate": ("duplicate:p=0.01,event=bot:fill", "no fill counted twice"),
    "epoch-reset": ("epoch-reset:at=30s,snapshot=true", "a new epoch taken for what it is, not for a gap"),
    "flash": ("flash:percent=100,outage=3s,at=20s", "how many are back, how soon, and how many come at once"),
    "freeze-channel": ("freeze-channel:symbol=BTC/USDT", "an alarm for one channel while the connection is well"),
    "limit": ("limit:attempts=300,window=5m", "a client that paces itself; at which attempt it is refused"),
    "noop": ("noop:channel=symbol:*:ticker", "what would be struck, in the log; nothing is harmed"),
    "ping-blackhole": ("ping-blackhole:direction=both", "a dead connection found within interval and timeout"),
    "reject": (
        "reject:status=429,retry_after=30",
        "no hot loop; `Retry-After` is heeded; 401 is told, and not retried",
    ),
    "reorder": ("reorder:p=0.01,by=3", "a change of order told apart from a gap"),
    "rolling-restart": ("rolling-restart:down=2s,at=10s", "never more than one upstream's clients away at once"),
    "slow-open": ("slow-open:delay=20s", "a timeout of connecting; no second connection beside the first"),
    "slow-reader": ("slow-reader:rate=0,p_connection=0.1", "a server that sheds or closes, with bounded memory"),
    "stall": ("stall:at=10s", "time until a half-open connection is found; writes that fail at last"),
}


def chaos_reference() -> str:
    """The page. Raises UsageError when an example on it is none."""
    assert set(_FIRING) == set(Firing.__struct_fields__), "the fields of a firing have changed"
    firing = table(("field", "is"), ((f"`{name}`", meaning) for name, meaning in _FIRING.items()))
    head = _HEAD.format(example=_EXAMPLE, firing=firing, api=table(("request", "does"), _API))
    parts = [head, *(_fault(name, fault) for name, fault in FAULTS.items())]
    parts.insert(1, "## The faults\n\nTo write one of your own: [writing a fault](writing-a-fault.md).")
    parts.append(f"## Options of every fault\n\n{_COMMON}\n\n{keys(FaultSpec)}")
    parts.append(f"## Presets\n\n{table(('preset', 'is'), _presets())}")
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _fault(name: str, fault: type[AnyFault]) -> str:
    told = [f"### {name}", cleandoc(fault.options.__doc__ or "")]
    if name in _SHOWS:
        example, shows = _SHOWS[name]
        read_fault(example)
        told.append(f"`--fault {example}` shows: {shows}.")
    if fault.options.unheeded:
        refused = ", ".join(f"`{key}`" for key in fault.options.unheeded)
        told.append(f"Refuses {refused}: {fault.options.instead}.")
    own = keys(fault.options, without=FaultSpec.__struct_encode_fields__)
    return "\n\n".join([*told, own] if own else told)


def _presets() -> Iterator[tuple[str, str]]:
    for name, specs in PRESETS.items():
        yield f"`{name}`", "<br>".join(f"`{spec}`" for spec in specs)
