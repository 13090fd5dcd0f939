"""Strategies for Socket.IO and Engine.IO packets, as the messages that carry them."""

import json

from hypothesis import strategies as st

from wsctl.fuzz.generate import values
from wsctl.fuzz.generate.values import arguments, array, octets

NAMESPACES = ("", "/,", "/wsctl,", "/admin,", "/__proto__,", "/?token=x,", "/" + "a" * 300 + ",", "/no-comma")
HEADS = ("2", "3", "0", "1", "4", "5", "6", "7", "9", "-", "٣", "51-", "52-", "50-", "5999999-", "5-1-", "61-", "5a-")
"""type and number of attachments of a Socket.IO packet, lawful and not"""
BROKEN = (
    *("", "[", "]", "{", '["a"', '"a"', "{}", "[]", "[[]]", '["a",', "0[]", "12", "null", "[null]", "\x00", "-", ","),
    *('["message",{"a":1}]x', '["message"]["message"]', "[1,2,3]", '[{"toString":"x"}]', '["\\ud800"]', "٣٣"),
)
"""bodies that are none, or nearly"""
ENGINEIO = (
    *("2", "3", "6", "5", "2probe", "3probe", "", "0", "0{}", "1", "7", "8", "9", "x", "b", "b?", "bAAAA", "4"),
    *("٣", "\x1e", "4\x1e4", '0{"sid":"x","upgrades":[],"pingInterval":1,"pingTimeout":1}', "2" * 200, "\x00"),
)
"""packets that are no messages, or that no client sends"""

names = st.sampled_from((*map(json.dumps, values.EVENTS[:12] * 5), *values.NAMES))
subscribing = st.sampled_from((*("price:subscribe",) * 4, *values.EVENTS[2:10]))
"""names of events, the platform's and one of many tutorials'"""
identifiers = st.sampled_from((*("",) * 8, *values.IDENTIFIERS))
events = st.builds(lambda id, name, args: f"42{id}{array(name, args)}", identifiers, names, arguments)
"""on the namespace `/`, with an acknowledgement asked for, or not"""
acknowledgements = st.builds(lambda id, args: f"43{id}[{','.join(args)}]", identifiers, arguments)
"""of what nobody may have asked"""
packets = st.one_of(
    st.builds(
        lambda head, namespace, id, body: f"4{head}{namespace}{id}{body}",
        st.sampled_from(HEADS),
        st.sampled_from(NAMESPACES),
        identifiers,
        st.one_of(st.sampled_from(BROKEN), st.builds(array, names, arguments)),
    ),
    st.sampled_from(ENGINEIO),
)
"""any, most of them wrong"""


short = st.one_of(
    st.builds(lambda id, name: f"42{id}[{name}]", identifiers, names),
    st.sampled_from(("2", "3", "40", "41", "430[]", "42", "6")),
)
"""packets that are small, and cost more than that"""


def binary_event(claimed: int, name: str, items: list[str]) -> str:
    """The text of an event with so many attachments, one placeholder for each of the first three."""
    places = [f'{{"_placeholder":true,"num":{number}}}' for number in range(min(claimed, 3))]
    return f"45{claimed}-{array(name, [*places, *items])}"


attached = st.lists(octets, max_size=3)
claimed = st.sampled_from((1, 0, 2, 3, 11, 100_000))
