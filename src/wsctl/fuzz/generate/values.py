"""Strategies for what stands in messages: JSON as text, so that it may be what no encoder would write.

Most is drawn from short lists: the first of each is what shrinking ends with, and a choice takes Hypothesis some
twenty microseconds.
"""

import json

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

SCALARS = (
    *("0", '""', "null", "true", "false", "-1", "1", "0.1", "-0", "1e308", "1e999", "-1e999", "NaN", "Infinity"),
    *("2147483648", "9007199254740993", "18446744073709551616", "1" * 400, "1e-999", "1763870000000000"),
    *('"0"', '"NaN"', '"BTC/USDT"', '"btc/usdt"', '"symbol:BTC/USDT:ticker"', '"bot:1:status"', '"user:1:balance"'),
    *('"\\u0000"', '"\\ud800"', '"\\ud83d\\ude00"', '"\ufeff"', '"é"', '"\u202e"', '"../../etc/passwd"', '"%00"'),
    *('"__proto__"', '"constructor"', '"toString"', '"\\n\\r"', '"$where"', '"\' OR 1=1 --"'),
    *("[[]]", "[{}]", '{"":{"":0}}', '{"__proto__":{"a":1}}', '{"constructor":{"prototype":{"a":1}}}', '{"a":0,"a":1}'),
    *('{"_placeholder":true,"num":0}', '{"_placeholder":true,"num":-1}', '{"_placeholder":true,"num":"splice"}'),
)
"""values that need no others inside"""
KEYS = (
    *("a", "", "symbol", "channel", "price", "seq", "timestamp", "id", "token", "num", "_placeholder"),
    *("__proto__", "constructor", "toString", "then", "0"),
)
EVENTS = (
    *("message", "price:subscribe", "price:unsubscribe", "channel:subscribe", "channel:unsubscribe"),
    *("bot:subscribe", "bot:subscribe:one", "bot:unsubscribe", "time:sync", "subscribe", "order", "ping", "error"),
    *("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener", "", "__proto__"),
    *("constructor", "toString", "hasOwnProperty", "*", "\u202e", "a" * 1000),
)
NAMES = (
    *map(json.dumps, EVENTS),
    *("0", "null", "true", "{}", "[]", '{"toString":"x"}', "-1", "1e999"),
)
"""of events, as JSON; what is no text is no lawful name"""
CHANNELS = (
    *("BTC/USDT", "ETH/USDT", "symbol:BTC/USDT:ticker", "symbol:ETH/USDT:orderbook", "symbol:BTC/USDT:trades"),
    *("price:public", "announcement", "user:1:notifications", "bot:1:status", "", ":", "symbol::", "no/such"),
)
IDENTIFIERS = ("0", "1", "7", "999999999999999", "9999999999999999999", "00", "-1")
"""of acknowledgements, where a packet has one"""


def weighted(*strategies: SearchStrategy[str]) -> SearchStrategy[str]:
    """One of these, of which some may be named more often; the first, in the end of shrinking."""
    return st.sampled_from(strategies).flatmap(lambda one: one)


many = st.sampled_from((2, 10, 300, 20_000))
"""how often something stands there that is repeated"""
octets = st.binary(max_size=12)
"""any bytes, a few"""
scalars = st.sampled_from(SCALARS)
values: SearchStrategy[str] = st.deferred(lambda: weighted(scalars, arrays, scalars, objects))
"""any JSON, and some that is none"""
arrays: SearchStrategy[str] = st.lists(values, max_size=2).map(lambda items: f"[{','.join(items)}]")
objects: SearchStrategy[str] = st.lists(st.tuples(st.sampled_from(KEYS), values), max_size=2).map(
    lambda members: "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in members) + "}"
)
"""keys may come twice"""
deep = st.builds(
    lambda unit, times: unit[0] * times + "0" + unit[1] * times, st.sampled_from((("[", "]"), ('{"a":', "}"))), many
)
"""lists or objects inside one another, far deeper than anybody means them"""
long = st.builds(lambda unit, times: f'"{unit * times}"', st.sampled_from(("a", "é", "\\u0000")), many)
arguments = st.lists(weighted(*(values,) * 18, deep, long), max_size=3)
"""of an event"""
subscriptions = st.lists(st.sampled_from(CHANNELS), max_size=3).map(json.dumps)
"""lists of channels or symbols"""


def array(name: str, items: list[str]) -> str:
    """An event's JSON: its name and arguments."""
    return f"[{','.join((name, *items))}]"
