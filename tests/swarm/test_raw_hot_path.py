"""The hot path on raw feeds against the ordering check itself: whatever comes, in every scheme both say the same."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.swarm.test_hot_path import Bystander, Silent, give, without_times

from wsctl.checks.ordering import OrderingCheck
from wsctl.model.event import Event
from wsctl.model.observation import Observation
from wsctl.spec.loader import load_yaml
from wsctl.swarm.raw import RawConnection
from wsctl.swarm.tally import Tally
from wsctl.wire.generic import Generic

DIALECT = Generic(
    load_yaml(
        """\
name: all-schemes
subscribe: {frame: {op: sub, topics: "{channels}"}}
message: {channel: "{topic}", event: type, seq: n, first: first, previous: before, scheme: counter}
channels:
  - {match: "range-{n}", scheme: range}
  - {match: "chain-{n}", scheme: chain}
  - {match: "monotonic-{n}", scheme: monotonic}
  - {match: "none-{n}", scheme: none}
""",
        "all-schemes.yaml",
    )
)
SCHEMES = ("counter", "range", "chain", "monotonic", "none")

Message = dict[str, Any]


def connection(tally: Tally, conn: str, former: dict[str, Any] | None = None) -> RawConnection:
    """A connection that is up."""
    given = {"dialect": DIALECT, "url": "ws://x", "channels": (), "former": former or {}, "slow": False}
    made = RawConnection(Bystander(), conn, tally, **given)
    made.on_ws_connected(Silent())  # type: ignore[arg-type]
    return made


def stream(scheme: str) -> st.SearchStrategy[list[Message]]:
    """Messages mostly in order, with steps as the scheme allows and as it does not."""
    step = st.sampled_from((1, 1, 1, 1, 2, 3, 0, -2))
    kind = st.sampled_from(("update",) * 6 + ("snapshot", "other"))
    odd = st.sampled_from((*(None,) * 12, "n", "first", "before"))
    return st.lists(st.tuples(step, kind, odd, st.integers(1, 2)), max_size=25).map(lambda steps: told(scheme, steps))


def told(scheme: str, steps: list[tuple[int, str, str | None, int]]) -> list[Message]:
    found, at = [], 10
    for step, kind, odd, price in steps:
        before, at = at, at + step
        message = {"topic": f"{scheme}-1", "type": kind, "n": at, "price": price}
        if scheme == "range":
            message |= {"first": before + 1}
        if scheme == "chain":
            message |= {"before": before}
        found.append({key: value for key, value in message.items() if key != odd})
    return found


@pytest.mark.parametrize("scheme", SCHEMES)
@given(data=st.data())
def test_it_judges_as_the_ordering_check_does(scheme: str, data: st.DataObject) -> None:
    """Several receive parts of one stream, some of them on a second connection."""
    messages = data.draw(stream(scheme))
    tally, plain = Tally(5, DIALECT), OrderingCheck(DIALECT.scheme, DIALECT.link)
    receivers = [connection(tally, f"c{number}") for number in (1, 2, 3)]
    numbers = itertools.count(2)
    for message in messages:
        text = json.dumps(message)
        for index, fate in enumerate(data.draw(st.lists(st.integers(0, 15), min_size=3, max_size=3))):
            receiver = receivers[index]
            if fate == 1:
                receiver.drop()
                receiver = receivers[index] = connection(tally, f"{receiver.client}.{next(numbers)}")
            for _ in range(0 if fate == 0 else 2 if fate == 2 else 1):
                give(receiver, text)
                [event] = DIALECT.client("").receive(text)
                assert isinstance(event, Event)
                plain.add(
                    Observation(0.0, receiver.conn, event.channel, event.name, None, event.seq, None, None, event.data)
                )
    for receiver in receivers:
        receiver.leave()
    tally.close()
    plain.close()
    assert without_times(tally.ordering) == without_times(plain)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_comes_in_its_place_takes_the_common_path(scheme: str) -> None:
    """A message is looked into once, whoever receives it."""
    tally = Tally(5, DIALECT)
    receivers = [connection(tally, f"c{number}") for number in range(1, 11)]
    for message in told(scheme, [(1, "update", None, price) for price in range(20)]):
        for receiver in receivers:
            give(receiver, json.dumps(message))
    tally.fold()
    assert tally.received == 200
    # the first on its channel; all others were known from the first receiver
    assert [receiver.frames for receiver in receivers[1:]] == [1] * 9
    assert tally.channels.total() == 200
