"""What a target says of itself, in Prometheus' form."""

import asyncio
from contextlib import suppress
from typing import Self

import pytest

from wsctl.client.pages import Page
from wsctl.errors import TargetError
from wsctl.load import target_metrics
from wsctl.load.target_metrics import Look, TargetMetrics

FIRST = """\
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 10.0
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 5e7
# TYPE sent_total counter
sent_total{room="a"} 100
sent_total{room="b"} 50
# TYPE clients gauge
clients 7
# TYPE took histogram
took_bucket{le="+Inf"} 3
took_count 3
took_sum 1
"""
SECOND = FIRST.replace("10.0", "10.5").replace('"a"} 100', '"a"} 300')


def test_counters_are_told_by_their_growth_and_gauges_as_they_are() -> None:
    figures = Look(SECOND, 12.0).since(Look(FIRST, 10.0))
    assert figures == {"cpu": 0.25, "rss": 5e7, "sent_total": 100.0, "clients": 7.0}


def test_the_first_look_knows_no_growth() -> None:
    assert Look(FIRST, 1.0).since(None) == {"rss": 5e7, "clients": 7.0}


def test_a_counter_that_begins_anew_is_left_out() -> None:
    assert "cpu" not in Look(FIRST, 12.0).since(Look(SECOND, 10.0))


def test_a_page_that_is_not_there_is_told_before_the_load_begins() -> None:
    async def enter() -> None:
        async with TargetMetrics("http://127.0.0.1:9/metrics"):
            raise AssertionError("nothing is there")

    with pytest.raises(TargetError, match=r"127\.0\.0\.1:9/metrics cannot be read"):
        asyncio.run(enter())


def test_what_ends_the_reading_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    class OnePage(Page):
        async def __aenter__(self) -> Self:
            return self

        async def read(self) -> str:
            return pages.pop()  # IndexError, once there is none

    async def take_them() -> None:
        async with TargetMetrics("http://127.0.0.1:9/metrics") as metrics:
            while True:
                metrics.take()
                await asyncio.sleep(0)

    pages = [FIRST]
    monkeypatch.setattr(target_metrics, "Page", OnePage)
    monkeypatch.setattr(target_metrics, "INTERVAL", 0.0)
    with pytest.raises(IndexError):
        asyncio.run(asyncio.wait_for(take_them(), 20))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "/metrics cannot be read: "),
        (b"no HTTP at all\r\n\r\n", "/metrics cannot be read: "),
        (b"HTTP/1.1 302 Found\r\nlocation: ?hidden=1\r\ncontent-length: 0\r\n\r\n", "/metrics cannot be read: "),
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "/metrics answers 403"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na{", "/metrics answers, but not with Prometheus metrics"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n\xff", "/metrics answers, but not with text"),
    ],
)
def test_no_message_repeats_the_secrets_of_its_url(answer: bytes | None, message: str) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while answer is not None:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
        writer.close()

    async def enter() -> None:
        async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with TargetMetrics(f"http://user:hidden@127.0.0.1:{port}/metrics?token=hidden"):
                raise AssertionError("that is no page")

    with pytest.raises(TargetError) as told:
        asyncio.run(enter())
    assert message in told.value.message
    assert "hidden" not in told.value.message


def test_no_message_repeats_what_is_no_url() -> None:
    async def enter() -> None:
        async with TargetMetrics("http://user:hidden@[::1/metrics"):
            raise AssertionError("that is no page")

    with pytest.raises(TargetError, match="cannot be read: it is no URL") as told:
        asyncio.run(enter())
    assert "hidden" not in told.value.message
