"""Retry-After: seconds, dates, and what is neither."""

import time
from email.utils import formatdate

import pytest

from wsctl.client.retry_after import LONGEST, retry_after


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), (" 120 ", 120), (None, 0), ("", 0), ("soon", 0), ("-3", 0), ("1.5", 0), ("٣", 0), (formatdate(0), 0)],
)
def test_what_it_says(value: str | None, seconds: float) -> None:
    assert retry_after(value) == seconds


@pytest.mark.parametrize(
    "value",
    ["3601", "86400", "9" * 400, "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT"],
)
def test_no_longer_than_an_hour(value: str) -> None:
    assert retry_after(value) == LONGEST == 3600


@pytest.mark.parametrize(
    "value",
    [
        "Sun, 06 Nov 2094 08:49:37 -999999999999999",
        "9999999999999999 Oct 07:28 0001 -0000 :",
        "Sun, 06 Nov 2094 25:61:61 GMT",
    ],
)
def test_dates_that_there_are_not(value: str) -> None:
    assert retry_after(value) == 0


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"])
def test_a_date(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In all three forms that RFC 9110 (5.6.7) knows; none of them is local time."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert 55 < retry_after(time.strftime(form, time.gmtime(time.time() + 60))) <= 60
    finally:
        monkeypatch.undo()
        time.tzset()
