"""What exchanges write: whole numbers of any size, and instants in every spelling."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.strategies import JSON
from wsctl.wire.values import UNITS, decode_json, encode_json, from_iso, instant, integer

INTEGERS: list[tuple[Any, int | None]] = [
    (7, 7),
    ("338476307", 338476307),
    ("-1", -1),
    (2**200, 2**200),
    (str(2**200), 2**200),
    (True, None),
    (1.0, None),
    ("1.0", None),
    ("1_0", None),
    ("٣", None),
    ("9" * 5000, None),
    ("", None),
    (None, None),
]


@pytest.mark.parametrize(("value", "number"), INTEGERS)
def test_integers(value: Any, number: int | None) -> None:
    assert integer(value) == number
    assert type(integer(value)) is type(number)


INSTANTS: list[tuple[Any, str, float | None]] = [
    (1633998512068, "ms", 1633998512.068),
    ("1633998512068", "ms", 1633998512.068),
    (1618677786598877, "us", 1618677786.598877),
    (1618677786598877123, "ns", 1618677786.5988772),
    ("1618678142.557535", "s", 1618678142.557535),
    (1618678142.557535, "s", 1618678142.557535),
    ("2021-04-17T16:43:30.244075Z", "iso", 1618677810.244075),
    ("2021-04-17T18:43:30.244075+02:00", "iso", 1618677810.244075),
    ("2026-11-20T10:00:00.123456789Z", "iso", 1795168800.123456),
    ("2021-04-17T16:43:30.244075", "iso", None),
    ("0001-01-01T00:00:00+23:59", "iso", -62135683140.0),
    ("yesterday", "iso", None),
    (1633998512068, "iso", None),
    ("1e9", "s", None),
    (10**400, "s", None),
    (float("inf"), "s", None),
    (True, "s", None),
    (None, "ms", None),
]


@pytest.mark.parametrize(("value", "unit", "seconds"), INSTANTS)
def test_instants(value: Any, unit: str, seconds: float | None) -> None:
    assert instant(value, unit) == seconds


@given(st.integers(10**15, 2 * 10**15))
def test_microseconds_survive(microseconds: int) -> None:
    """In every spelling the same instant, and the microsecond can be had back."""
    moment = datetime.fromtimestamp(microseconds // 10**6, UTC).replace(microsecond=microseconds % 10**6)
    seconds = instant(microseconds, "us")
    assert seconds is not None
    assert round(seconds * 10**6) == microseconds
    assert seconds == from_iso(moment.isoformat()) == instant(f"{microseconds // 10**6}.{microseconds % 10**6:06}", "s")


@given(JSON, st.sampled_from([*UNITS, "iso"]))
def test_anything_is_an_instant_or_none(value: Any, unit: str) -> None:
    assert isinstance(instant(value, unit), float | None)


@given(st.lists(JSON))
def test_json_comes_back(value: Any) -> None:
    assert decode_json(encode_json(value)) == value
