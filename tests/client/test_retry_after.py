"""Retry-After: seconds, dates, and what is neither."""

import time
from email.utils import formatdate

import pytest

from wsctl.client.retry_after import retry_after


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), (" 120 ", 120), (None, 0), ("", 0), ("soon", 0), ("-3", 0), ("1.5", 0), ("٣", 0), (formatdate(0), 0)],
)
def test_what_it_says(value: str | None, seconds: float) -> None:
    assert retry_after(value) == seconds


def test_a_date() -> None:
    assert 55 < retry_after(formatdate(time.time() + 60, usegmt=True)) <= 60
