"""What a peer may send: any JSON, any text, any bytes, and JSON that nearly is what is expected."""

import json
from typing import Any

from hypothesis import strategies as st

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)

_WORDS = """
stream data result id error code msg method params e E s u U k T
type channels product_ids name product_id sequence time timestamp reason
event pair subscription status channelName errorMessage reqid depth
arg channel instId op args action success request ret_msg topic ts tradeId
"""
_VALUES = """
SUBSCRIBE UNSUBSCRIBE LIST_SUBSCRIPTIONS SET_PROPERTY GET_PROPERTY combined depthUpdate
btcusdt@depth btcusdt@kline_1m kline 24hrTicker serverShutdown subscribe unsubscribe
subscriptions error match ticker level2_batch status full subscriptionStatus book
subscribed books trades trade.BTCUSD ping pong 2021-04-17T16:43:37.075687Z 1e999 -
"""
"""what the dialects look for"""

NEARLY: st.SearchStrategy[Any] = st.recursive(
    SCALARS | st.sampled_from(_VALUES.split()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_WORDS.split()), inner, max_size=5),
)

FRAMES: st.SearchStrategy[str | bytes] = (
    st.text()
    | st.text(st.characters())
    | st.binary()
    | JSON.map(json.dumps)
    | NEARLY.map(json.dumps)
    | NEARLY.map(lambda value: json.dumps(value).encode())
    | st.sampled_from(
        ["[" * 100_000, '{"a":' * 100_000, '"\\ud800"', "\ud800", '{"E":1e400}', '{"u":' + "9" * 5000 + "}"]
    )
)
