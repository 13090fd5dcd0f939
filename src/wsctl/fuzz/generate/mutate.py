"""Strategies that change messages which somebody meant: bytes of any; values, keys and order where they are JSON."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from wsctl.fuzz.generate.values import KEYS, SCALARS, octets
from wsctl.fuzz.steps import Say, data

Mutation = Callable[[bytes], bytes]

places = st.integers(0, 4095)
"""where in a message; beyond its end it begins anew"""


class Token(str):
    """JSON as it is to be written, lawful or not."""

    __slots__ = ()


class Members(list[tuple[str, Any]]):
    """An object's members; a name may come twice."""


def said(groups: Sequence[Sequence[str | bytes]]) -> SearchStrategy[Say]:
    """A message of one of these groups, each as often as the others, up to three times mutated."""
    one = st.sampled_from(groups).flatmap(st.sampled_from)
    return st.builds(_said, one, st.lists(mutations, max_size=3))


def _said(message: str | bytes, changes: list[Mutation]) -> Say:
    content = message.encode("utf-8", "surrogatepass") if isinstance(message, str) else message
    for change in changes:
        content = change(content)
    return Say(data=data(_as_text(content)), binary=isinstance(message, bytes))


def _as_text(content: bytes) -> str | bytes:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


# Bytes


def flip(at: int, bit: int) -> Mutation:
    """Change a bit."""

    def change(content: bytes) -> bytes:
        place = at % max(1, len(content))
        return content[:place] + bytes(byte ^ 1 << bit for byte in content[place : place + 1]) + content[place + 1 :]

    return change


def cut(at: int) -> Mutation:
    """Leave out the rest."""
    return lambda content: content[: at % max(1, len(content))]


def double(at: int, size: int) -> Mutation:
    """Write a part twice."""

    def change(content: bytes) -> bytes:
        place = at % max(1, len(content))
        return content[: place + size + 1] + content[place:]

    return change


def insert(at: int, more: bytes) -> Mutation:
    """Write something between."""

    def change(content: bytes) -> bytes:
        place = at % (len(content) + 1)
        return content[:place] + more + content[place:]

    return change


# JSON


def replace(at: int, value: str) -> Mutation:
    """Another value: of another type, or a number beyond what is meant."""
    return _on_json(lambda holders: _set(holders, at, Token(value)))


def leave_out(at: int) -> Mutation:
    """Without a member or item."""

    def change(holders: "Holders") -> None:
        holder, place = _at(holders, at)
        del holder[place]

    return _on_json(change)


def rename(at: int, name: str) -> Mutation:
    """A member under another name."""

    def change(holders: "Holders") -> None:
        holder, place = _at(holders, at)
        if isinstance(holder, Members):
            holder[place] = (name, holder[place][1])

    return _on_json(change)


def repeat(at: int, value: str) -> Mutation:
    """A member or item a second time, with another value."""

    def change(holders: "Holders") -> None:
        holder, place = _at(holders, at)
        name = holder[place][0] if isinstance(holder, Members) else None
        holder.insert(place + 1, Token(value) if name is None else (name, Token(value)))

    return _on_json(change)


def swap(at: int, other: int) -> Mutation:
    """Two values, each in the other's place."""

    def change(holders: "Holders") -> None:
        first, second = _get(holders, at), _get(holders, other)
        _set(holders, at, second if second is not None else Token("null"))
        _set(holders, other, first if first is not None else Token("null"))

    return _on_json(change)


Holders = list[tuple[list[Any], int]]
"""every value of a document, by the list that it stands in and its place there"""


def _on_json(change: Callable[[Holders], None]) -> Mutation:
    """A change to the JSON that a message holds; without any the message stays as it is."""

    def changed(content: bytes) -> bytes:
        head, document = _parsed(content)
        if document is None:
            return content
        root = [document]
        holders = list(_holders(root))
        change(holders)
        return head + b"".join(_written(one).encode("utf-8", "surrogatepass") for one in root)

    return changed


def _parsed(content: bytes) -> tuple[bytes, Any]:
    """What stands before the JSON (a Socket.IO packet's type and id), and that; None where there is none."""
    starts = [place for place in (content.find(b"["), content.find(b"{")) if place >= 0]
    if not starts:
        return content, None
    start = min(starts)
    try:
        return content[:start], json.loads(content[start:], object_pairs_hook=Members)
    except (ValueError, RecursionError):
        return content, None


def _holders(values: list[Any]) -> Holders:
    found: Holders = []
    for place, value in enumerate(values):
        found.append((values, place))
        inner = value[1] if isinstance(values, Members) else value
        if isinstance(inner, list):
            found += _holders(inner)
    return found


def _at(holders: Holders, at: int) -> tuple[list[Any], int]:
    return holders[at % len(holders)]


def _get(holders: Holders, at: int) -> Any:
    holder, place = _at(holders, at)
    return holder[place][1] if isinstance(holder, Members) else holder[place]


def _set(holders: Holders, at: int, value: Any) -> None:
    holder, place = _at(holders, at)
    holder[place] = (holder[place][0], value) if isinstance(holder, Members) else value


def _written(value: Any) -> str:
    if isinstance(value, Token):
        return str(value)
    if isinstance(value, Members):
        return "{" + ",".join(f"{json.dumps(name)}:{_written(one)}" for name, one in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


mutations: SearchStrategy[Mutation] = st.one_of(
    st.builds(replace, places, st.sampled_from(SCALARS)),
    st.builds(leave_out, places),
    st.builds(rename, places, st.sampled_from(KEYS)),
    st.builds(repeat, places, st.sampled_from(SCALARS)),
    st.builds(swap, places, places),
    st.builds(flip, places, st.integers(0, 7)),
    st.builds(cut, places),
    st.builds(double, places, st.integers(0, 15)),
    st.builds(insert, places, octets),
)
