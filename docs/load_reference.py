"""docs/load.md, out of the spec models: what a profile may say, and what a load measures."""

from msgspec import Struct
from scenario_reference import keys, metrics

from wsctl.load import profile
from wsctl.load.outcome.verdict import MEASURED

_HEAD = """# Load

Written by `make docs` from the program's own spec. `wsctl load PROFILE` runs a profile, options come before what it
says; `wsctl schema load > load.schema.json` is the same for editors, `wsctl schema load-result` that of its
result.json.

```sh
wsctl load --url http://127.0.0.1:3000 --users 1000 --symbols BTC/USDT,ETH/USDT --duration 30s --ramp 10s
wsctl load market-opens.yaml --out results --expect 'latency.p99 < 100 ms'
wsctl load --url https://feed.example --users 20000 --symbols BTC/USDT --find-limit 'latency.p95 < 50 ms'
wsctl doctor --users 20000                       # what this machine lacks for that
```

```yaml
{example}```

- `${{NAME}}` is an environment variable, `${{NAME:-default}}` one with a default; `$${{` is a plain `${{`.
- One user is one connection. Asked, opened, subscribed and receiving are told apart, and so is why connections
  failed.
- Users set out at `connect_rate`. Who left before its turn, as in a spike too short for all that it asks for, or
  within a second of setting out, is no loss of the target's; a note says how many never had their turn. Who came last
  leaves first, so that a spike takes away whom it brought.
- A subscription that is not acknowledged in time is no error: it is taken for served, and a note says how many were.
- Locust steers, and its web UI (`--web-ui PORT`), HTML (`--html`) and CSV (`--csv`) show rows `connect`,
  `acknowledge` and `message`; connections are held by processes of wsctl's own, which measure every message.
- `--workers N` holds them in several processes; over machines it is `wsctl load … --master --master-bind ADDRESS
  --expect-workers N` on one and `wsctl load --worker --master-host HOST` on the others, which wait for it. User i is
  the same on any number of workers: its symbols, its token.
- A master listens on loopback; `--master-bind ADDRESS` (or a name, or `'*'`) lets workers of other machines in. It
  tells every worker that comes all that the load is about, tokens and headers included, unencrypted and unasked for a
  password (Locust's protocol): bind it to a network that only workers reach, such as a VPN or an SSH tunnel.
- Each machine looks whether it can hold its share of the connections before there is any.
- `connections.receiving` is told of the moment when most users were asked for. Latencies and rates leave the warm-up
  out, which is the first ramp (a second at least) unless `warmup` says otherwise; the notes say so.
- Locust is told once a second, so a stage may begin up to a second late. What was counted in a second belongs to the
  stage that most of it was in; users, open and receiving of a row are those at its end.
- `series` in the result has a row a second for an hour. Of a longer load, pairs of rows are joined again and again:
  counts are added up, percentiles are the worst of the seconds.
- Latency is received minus the server's timestamp. At an address of this machine that is one clock, exact, unless
  `time:sync` refutes it, as behind a tunnel. Else each process that holds connections compares its own clock with the
  server's by `time:sync`, again and again, and corrects its latencies by that; `clock` in the result says with what
  error at worst, each of `workers` with what of its own. With a server elsewhere that does not tell its time, as raw
  WebSocket feeds do not, there are no latencies: `clock` says `not measured`.
- A generator that could not keep up (more than 0.95 cores, or timers 100 ms late, in more than a tenth of the seconds)
  makes the verdict `invalid`: its latencies are about itself. So it is of each number of users that `--find-limit`
  tries, also while they set out. `generator.cpu` and `generator.lag.p99` are of the busiest process.
- A worker that is killed, or silent for eight seconds, is lost with its users. What it counted since it told last is
  missing: totals are then `unverifiable`, unless too many are told already. What a silent process told last stands for
  three seconds. Workers beyond `--expect-workers` have no users.
- `abort` (or `--abort-after TIME`) ends a load early once an expectation was missed for so long: percentiles of each
  second, and counts that only grow.
- `--find-limit` doubles the number of users until the bound is missed twice, then halves in between; `--duration` is
  how long each number is held, `--users` the most to try. `--expect 'connections.limit >= 5000'` makes a verdict of
  it. Users who come and go (`returning`) have no limit, and are refused.
- `--target-metrics URL` reads the target's own Prometheus page once a second, into `target.*` and the series of the
  result.
- Exit codes: 1 for a missed expectation, connections that never came up where nothing is expected of them, and
  `invalid`; 3 for a target that is not there, or that nobody is connected to for 15 s though users should be (not who
  is away or waits for its turn), and for a worker that no master takes in for five minutes; 4 for a process of wsctl's
  own that died or hangs (it said nothing for 20 s); 130 for Ctrl-C, with what was measured by then.
"""

_EXAMPLE = """\
name: a market opens
serve: {symbols: [BTC/USDT, ETH/USDT, SOL/USDT], rate: 20, max_per_user: 0}   # or url: …, or --url
stages:
  - {ramp: 2000, over: 20s}
  - {hold: 1m}
  - {spike: 1000, lasting: 10s}
  - {hold: 20s}
journeys:
  - {do: prices, weight: 8, symbols: 2}
  - {do: churn, weight: 1, think: [2s, 10s]}
  - {do: bots, weight: 1}
tokens: {users: 500}
expect:
  connections.receiving: "== 3000"
  latency.p95: "< 50 ms"
  errors: 0
abort: {grace: 10s}
"""

_SECTIONS: tuple[tuple[str, type[Struct]], ...] = (
    ("A profile", profile.ProfileSpec),
    ("A stage", profile.StageSpec),
    ("A journey", profile.JourneySpec),
    ("tokens", profile.TokensSpec),
    ("reconnect", profile.BackoffSpec),
    ("abort", profile.AbortSpec),
)


def load_reference() -> str:
    """The page."""
    parts = [_HEAD.format(example=_EXAMPLE)]
    for title, kind in _SECTIONS:
        parts.append(f"## {title}\n\n{kind.__doc__}\n\n{keys(kind)}")
    parts.append(f"## What a load measures\n\nBounds are written as in scenarios.\n\n{metrics(MEASURED)}")
    return "\n\n".join(part.rstrip() for part in parts) + "\n"
