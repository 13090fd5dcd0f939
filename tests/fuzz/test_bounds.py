"""What a server says, and how much of it, is no danger to who plays; what it says about refusing is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from wsctl.client.target import Target
from wsctl.fuzz import frames
from wsctl.fuzz.ending import Unfit
from wsctl.fuzz.frames import PING, PONG
from wsctl.fuzz.line import MAX_KEPT, MAX_MESSAGE, MAX_REMEMBERED
from wsctl.fuzz.link import Link, dial
from wsctl.fuzz.player import Player
from wsctl.fuzz.steps import BEYOND, Answer, Case, Frame, Join, Request, Say, Upgrade, data, size

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
OPEN = '0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
SECONDS = 10.0


def said(text: str) -> bytes:
    return frames.build(Frame(data=data(text)), client=False)


@asynccontextmanager
async def answering(*answers: bytes, over_and_over: bytes = b"") -> AsyncIterator[Target]:
    """A server that says this to each client, whatever it asks, and something for as long as the client lives."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"".join(answers))
            while over_and_over:
                writer.write(over_and_over)
                await writer.drain()
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield Target(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", namespace="/private")


def refusal(*answers: bytes) -> str:
    """Why no session was had."""

    async def join() -> str:
        async with answering(*answers) as target:
            player = Player(target, None, engineio=True)
            try:
                with pytest.raises(Unfit) as error:
                    await player.hold((Join(),))
            finally:
                player.leave()
            return str(error.value)

    return asyncio.run(join())


def test_a_refusal_is_told_in_the_servers_words() -> None:
    words = '44/private,{"message":"missing token\x1b[2J"}'
    told = refusal(UPGRADED, said(OPEN), said(words))
    assert told == 'the namespace /private could not be joined: /private,{"message":"missing token�[2J"}'
    long = refusal(UPGRADED, said(OPEN), said("44" + "x" * 5000))
    assert len(long) < 300


def test_a_refused_websocket_is_told_by_its_status() -> None:
    told = refusal(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    assert told == "the target did not become a WebSocket: it answered HTTP 401"


def test_no_host_name_is_no_connection() -> None:
    with pytest.raises(OSError, match=r"^a\.\.b is no host name$"):
        asyncio.run(dial(Target(url="http://a..b"), None))


def linked(check: Callable[[Link], Awaitable[None]], *answers: bytes, over_and_over: bytes = b"") -> None:
    """Check a link to such a server, which became a WebSocket where it is one."""

    async def bounded() -> None:
        async with asyncio.timeout(SECONDS), answering(*answers, over_and_over=over_and_over) as target:
            link = await dial(target, None)
            try:
                await link.write(b"GET / HTTP/1.1\r\n\r\n")
                await check(link)
            finally:
                link.abort()
                await link.until(lambda: link.ended, SECONDS)

    asyncio.run(bounded())


def test_a_head_without_an_end_is_given_up() -> None:
    async def check(link: Link) -> None:
        assert await link.until(lambda: link.ended, SECONDS)
        assert link.close_reason == "a head without an end"

    linked(check, b"HTTP/1.1 200 OK\r\n", over_and_over=b"X-More: of it\r\n" * 1000)


def test_pongs_that_nobody_asked_for_are_not_remembered() -> None:
    pongs = [frames.build(Frame(opcode=PONG, data=data(f"pong {n}")), client=False) for n in range(3000)]

    async def check(link: Link) -> None:
        await link.send(Frame(opcode=PING, data=data("pong 2999")))
        assert await link.until(lambda: link.received == 1, SECONDS)
        assert link.pongs <= {b"pong 2999"}

    linked(check, UPGRADED, *pongs, said("the end"))


def test_messages_are_remembered_within_bounds() -> None:
    number = 2 * MAX_REMEMBERED // MAX_MESSAGE
    assert number < MAX_KEPT

    async def check(link: Link) -> None:
        assert await link.until(lambda: link.received == number + 1, SECONDS)
        assert sum(map(len, link.messages)) <= MAX_REMEMBERED
        assert link.messages[-1] == "the end"

    linked(check, UPGRADED, said("x" * MAX_MESSAGE) * number, said("the end"))


def test_who_does_not_read_is_not_answered_without_end() -> None:
    """Answers to pings that nobody takes would be kept here."""

    class Transport(asyncio.Transport):
        written = 0

        def write(self, content: bytes | bytearray | memoryview) -> None:
            self.written += 1

        def is_closing(self) -> bool:
            return False

    link, transport = Link(), Transport()
    link.connection_made(transport)
    link.data_received(UPGRADED)
    ping = frames.build(Frame(opcode=PING, data=data("x")), client=False)
    link.data_received(ping)
    assert transport.written == 1
    link.pause_writing()
    link.data_received(ping * 100)
    assert transport.written == 1
    link.resume_writing()
    link.data_received(ping)
    assert transport.written == 2


@pytest.mark.parametrize(
    "step",
    [
        Request(query="x" * 1000),
        Request(headers=(("X", "x" * 1000),)),
        Upgrade(query="x" * 1000),
        Upgrade(headers=(("X", "x" * 1000),)),
        Answer(headers=(("X", "x" * 1000),)),
        Frame(opcode=PING, times=1000),
    ],
)
def test_all_that_is_sent_counts(step: Request | Upgrade | Answer | Frame) -> None:
    assert 1000 <= size(Case(steps=(step,))) < 10_000
    assert size(Case(steps=(step,), at_once=5)) == 5 * size(Case(steps=(step,)))


def test_what_goes_beyond_a_limit_is_within_what_may_be_sent() -> None:
    case = Case(steps=(Join(), Say(data=data(("x", BEYOND)))))

    async def play() -> str | None:
        async with answering(UPGRADED, said(OPEN), said("40/private,{}")) as target:
            return (await Player(target, None, engineio=True, max_bytes=999_999).play(case, 0.1)).unfit

    assert asyncio.run(play()) == "the target's maxPayload is 1,000,000 bytes; --max-bytes allows 999,999"
