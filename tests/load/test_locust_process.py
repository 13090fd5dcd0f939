"""The Locust process against a real feed: what it tells is what the feed sent, and it ends whatever happens."""

import json
import signal
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.cli.program import Server
from tests.load.loads import CHANNELS, SYMBOLS, Load, gone, plan, work
from tests.peers.background import Background
from tests.swarm.raw_feeds import raw_feed

from wsctl.client.target import Reconnect
from wsctl.load.course import Course
from wsctl.load.messages import Done, Failed, Ready, Second, SetUsers, Stop, WorkerLost
from wsctl.load.plan import Journey, LoadPlan
from wsctl.load.profile import StageSpec
from wsctl.server.auth import mint
from wsctl.server.defaults import JWT_SECRET
from wsctl.swarm.clocks import SAME_HOST
from wsctl.wire.dialects import dialect_named

pytestmark = pytest.mark.timeout(120)
"""several processes, each of them to be started"""

Serve = Callable[..., Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts `wsctl serve` with some options; ended with the test."""
    with ExitStack() as stack:
        yield lambda *more: stack.enter_context(
            Server(tmp_path, "--control", "--symbols", ",".join(SYMBOLS), "--rate", "20", *more)
        )


def control(server: Server, name: str) -> Any:
    """POST /control/…."""
    request = urllib.request.Request(f"{server.url}/control/{name}", data=b"{}", method="POST")
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def sent(server: Server) -> dict[str, int]:
    """What the server's ledger says of each channel: updates handed to clients."""
    with urllib.request.urlopen(f"{server.url}/control/sent") as response:
        channels = json.load(response)["channels"]
    return {name: channel["delivered"] for name, channel in channels.items() if channel["delivered"]}


def stop(load: Load) -> Done:
    """Until everything is told; how long its processes take to end is for those tests that look at it."""
    load.tell(Stop())
    done: Done = load.until(lambda: load.of(Done))[0]
    assert not load.of(Failed)
    return done


def finish(load: Load) -> Done:
    """Stop; every process that it started ends."""
    started = load.descendants()
    done = stop(load)
    load.hang_up()
    assert load.end() == 0, load.talk.decode()
    gone(started)
    return done


def stop_whole(load: Load, server: Server, end: Callable[[Load], Done] = stop) -> None:
    """Stop once nothing is on its way: what arrived is what was sent, channel by channel."""
    control(server, "pause")
    load.until(lambda: received_whole(load, server))
    assert end(load) == Done(flushed=True, missing=())
    assert received_whole(load, server)


def received(load: Load) -> dict[str, int]:
    """Messages by channel."""
    return {name: count for name, count in load.sums.channels.items() if count}


def received_whole(load: Load, server: Server) -> bool:
    return received(load) == sent(server)


def rows(csv: Path) -> dict[str, int]:
    """Requests in the rows of Locust's statistics."""
    lines = csv.with_name(f"{csv.name}_stats.csv").read_text().splitlines()
    return {row[1]: int(row[2]) for row in (line.split(",") for line in lines[1:])}


def received_more(load: Load, than: int = 0) -> bool:
    return load.sums.counts["received"] > than


def test_alone_it_tells_what_the_feed_sent(serve: Serve) -> None:
    server = serve()
    with Load(plan(work(server.url), 30)) as load:
        second = load.until_levels(open=30, receiving=30, users=30)
        assert second.users == 30
        assert [(one.index, one.users, one.open) for one in second.processes] == [(0, 30, 30)]
        assert second.processes[0].rss > 10_000_000
        assert second.processes[0].control_rss > 10_000_000
        stop_whole(load, server, finish)
    assert set(load.sums.channels) == set(CHANNELS)
    assert load.sums.counts["opened"] == load.sums.counts["subscribed"] == 30
    assert load.sums.times["connect"].count == 30
    assert load.sums.times["acknowledge"].count == 30, "each subscription, and not the shard's questions for the time"
    assert load.sums.times["latency"].count == sum(load.sums.channels.values())
    assert load.reports[0] == Ready(url=None, port=None)
    assert isinstance(load.reports[-2], Second)
    assert isinstance(load.reports[-1], Done)


def test_a_master_with_two_workers_tells_what_the_feed_sent(serve: Serve) -> None:
    server = serve()
    with Load(plan(work(server.url), 31, workers=2)) as load:
        second = load.until_levels(open=31, receiving=31, users=31)
        assert [(one.index, one.users) for one in second.processes] == [(0, 16), (1, 15)]
        assert second.delta.levels["rss"] == sum(one.rss for one in second.processes)
        assert [one.clock for one in second.processes] == [SAME_HOST, SAME_HOST]
        assert load.of(Ready)[0].port > 0
        stop_whole(load, server, finish)
    assert load.sums.counts["opened"] == 31
    assert load.sums.times["connect"].count == 31
    assert load.sums.times["latency"].count == sum(load.sums.channels.values())


def test_the_course_ends_by_itself_and_locust_writes_its_files(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    legs = Course([StageSpec(ramp=10, over=1.5), StageSpec(hold=2.0), StageSpec(ramp=4, over=0.0), StageSpec(hold=1.5)])
    asked = plan(work(server.url), 0, legs=legs.legs, html=str(tmp_path / "r.html"), csv=str(tmp_path / "r"))
    with Load(asked) as load:
        load.until_levels(open=10)
        load.until_levels(open=4)
        assert load.until(lambda: load.of(Done)) == [Done(flushed=True)]
        load.hang_up()
        assert load.end() == 0
    assert {second.stage for second in load.of(Second)} == {None, 0, 1, 3}
    assert load.sums.counts["opened"] == 10
    requests = rows(tmp_path / "r")
    assert requests["connect"] == 10
    assert requests["acknowledge"] == load.sums.times["acknowledge"].count
    assert requests["message"] == load.sums.counts["received"]
    assert requests["Aggregated"] == sum(requests[name] for name in ("connect", "acknowledge", "message"))
    assert "message" in (tmp_path / "r.html").read_text()


def test_users_are_set_without_a_course(serve: Serve) -> None:
    server = serve()
    with Load(plan(work(server.url), 0, legs=())) as load:
        load.until(lambda: load.latest)
        load.tell(SetUsers(users=12))
        load.until_levels(open=12)
        control(server, "pause")  # who leaves a feed that talks does not hear its last words
        load.until(lambda: received_whole(load, server))
        load.tell(SetUsers(users=5))
        load.until_levels(open=5)
        load.tell(SetUsers(users=9))
        load.until_levels(open=9)
        control(server, "resume")
        heard = load.sums.counts["received"]
        load.until(lambda: received_more(load, heard))
        stop_whole(load, server)
    assert load.sums.counts["opened"] == 16


def test_the_web_ui_stands_and_knows_the_rows(serve: Serve) -> None:
    server = serve()
    with Load(plan(work(server.url), 5, web_port=0)) as load:
        url = load.until(lambda: load.of(Ready))[0].url
        load.until_levels(receiving=5)
        load.until(lambda: received_more(load, 10))

        def names() -> set[str]:
            with urllib.request.urlopen(f"{url}stats/requests") as response:
                return {row["name"] for row in json.load(response)["stats"]}

        load.until(lambda: {"connect", "acknowledge", "message"} <= names())
        stop(load)


def test_who_gives_symbols_up_and_takes_others_loses_nothing(serve: Serve) -> None:
    server = serve()
    churn = Journey(kind="churn", symbols=1, think=(0.2, 0.4))
    with Load(plan(work(server.url, churn), 12)) as load:
        load.until_levels(receiving=12)
        load.until(lambda: load.sums.times["acknowledge"].count > 100)
        stop_whole(load, server)
    assert load.sums.counts["opened"] == 12
    assert load.sums.counts["closed"] == 0


def test_who_leaves_comes_back_as_the_same_client_politely_or_not(serve: Serve) -> None:
    server = serve()
    returning = [
        Journey(kind="returning", think=(0.3, 0.5), away=(0.2, 0.4), polite=polite) for polite in (True, False)
    ]
    met: set[str] = set()
    with Load(plan(work(server.url, *returning), 6)) as load:

        def meet() -> bool:
            with urllib.request.urlopen(f"{server.url}/control/connections") as response:
                met.update(one["client"] for one in json.load(response)["connections"])
            return bool(load.sums.counts["opened"] >= 24)

        load.until(meet)
        stop(load)
    assert len(met) == 6
    assert load.sums.counts["failed"] == load.sums.counts["refused"] == 0


def test_neighbours_of_one_user_share_a_token_and_the_limit_shows(serve: Serve) -> None:
    server = serve("--max-per-user", "2")
    tokens = tuple(mint(f"load-{number}", JWT_SECRET) for number in range(10))
    several = Journey(kind="several", connections=3)
    asked = work(server.url, several, tokens=tokens, reconnect=Reconnect(attempts=0))
    with Load(plan(asked, 12, workers=2)) as load:
        load.until_levels(open=8)
        load.until(lambda: load.sums.counts["evicted"] == 4)
        stop(load)


def test_bots_are_watched_by_whom_the_token_names(serve: Serve) -> None:
    server = serve()
    tokens = (mint("alice", JWT_SECRET), mint("bob", JWT_SECRET))
    with Load(plan(work(server.url, Journey(kind="bots"), tokens=tokens), 4)) as load:
        load.until(lambda: load.sums.counts["acks.ok"] == 4)
        stop(load)
    assert load.sums.counts["acks.refused"] == 0


def test_journeys_are_mixed_by_their_weights(serve: Serve) -> None:
    server = serve()
    journeys = (
        Journey(kind="prices", weight=3),
        Journey(kind="channels", weight=1, channels=("announcement",)),
    )
    with Load(plan(work(server.url, *journeys, format="compact"), 16)) as load:
        load.until_levels(open=16, receiving=12)
        stop_whole(load, server)


# What goes wrong


def test_half_of_the_handshakes_are_refused(serve: Serve) -> None:
    server = serve("--max-connections", "20")
    with Load(plan(work(server.url, reconnect=Reconnect(attempts=1)), 40)) as load:
        load.until_levels(open=20, receiving=20)
        load.until(lambda: load.sums.counts["refused"] + load.sums.counts["failed"] == 20)
        stop_whole(load, server)
    assert load.sums.counts["opened"] == 20
    assert sum(load.sums.causes.values()) == 20


def test_the_server_is_killed_and_the_run_goes_on(serve: Serve) -> None:
    server = serve()
    with Load(plan(work(server.url), 10)) as load:
        load.until_levels(receiving=10)
        server.process.kill()
        load.until_levels(open=0)
        load.until(lambda: load.sums.counts["failed"] > 10)
        assert finish(load) == Done(flushed=True)
    assert load.sums.counts["closed"] == 10
    assert any("refuse" in cause for cause in load.sums.causes), load.sums.causes


@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_shard_ends_the_run_with_a_sentence(serve: Serve, workers: int) -> None:
    server = serve()
    with Load(plan(work(server.url), 10, workers=workers)) as load:
        load.until_levels(receiving=10)
        started = load.descendants()
        load.shards()[0].kill()
        failed = load.until(lambda: load.of(Failed))[0]
        assert failed.message == "the shard's process was ended by signal 9: its connections are gone"
        assert failed.exit_code == 4
        load.hang_up()
        assert load.end() == 4
        gone(started)


def test_lost_workers_take_their_users_along_and_the_rest_goes_on(serve: Serve, tmp_path: Path) -> None:
    """One is killed; another hangs, which its heartbeat tells: until then Locust misses the first one, too."""
    server = serve()
    with Load(plan(work(server.url), 30, workers=3, csv=str(tmp_path / "r"))) as load:
        load.until_levels(receiving=30)
        killed, hanging, _ = load.workers()
        told = load.latest
        load.until(lambda: load.latest is not told)
        killed.kill()  # it has just told: Locust's own reports come at other times
        lost = load.until(lambda: load.of(WorkerLost))[0]
        load.until_levels(open=20)
        hung = [hanging, *hanging.children()]
        hanging.suspend()
        first, second = load.until(lambda: (both := load.of(WorkerLost))[1:] and both)
        assert first == lost
        assert (first.users, second.users) == (10, 10)
        gone(hung)
        load.until_levels(open=10)
        before = load.sums.counts["received"]
        load.until(lambda: received_more(load, before + 50))
        assert load.latest is not None
        (left,) = {0, 1, 2} - {first.index, second.index}
        assert [(one.index, one.users) for one in load.latest.processes] == [(left, 10)], "nobody takes them on"
        assert finish(load) == Done(flushed=False, missing=tuple(sorted((first.index, second.index))))
    assert load.of(WorkerLost) == [first, second]
    requests, counts = rows(tmp_path / "r"), load.sums.counts
    assert requests["connect"] == counts["opened"] == 30
    assert requests["acknowledge"] == load.sums.times["acknowledge"].count
    assert requests["message"] == counts["received"]


def test_a_worker_that_dies_while_it_should_flush_is_not_waited_for(serve: Serve) -> None:
    server = serve()
    with Load(plan(work(server.url), 20, workers=2)) as load:
        load.until_levels(receiving=20)
        worker = load.workers()[0]
        worker.suspend()
        load.tell(Stop())
        worker.kill()
        done = load.until(lambda: load.of(Done))[0]
        lost = load.of(WorkerLost)[0]
        assert lost.users == 10
        assert done == Done(flushed=False, missing=(lost.index,))
        load.hang_up()
        assert load.end() == 0


def test_without_any_worker_left_it_is_over(serve: Serve) -> None:
    server = serve()
    with Load(plan(work(server.url), 10, workers=2)) as load:
        load.until_levels(receiving=10)
        started = load.descendants()
        for worker in load.workers():
            worker.kill()
        failed = load.until(lambda: load.of(Failed))[0]
        assert failed == Failed(message="every worker is lost, and every connection with them", exit_code=4)
        assert load.end() == 4
        gone(started)


@pytest.mark.parametrize("workers", [0, 2])
def test_nothing_survives_its_parent(serve: Serve, workers: int) -> None:
    server = serve()
    with Load(plan(work(server.url), 10, workers=workers)) as load:
        load.until_levels(receiving=10)
        started = load.descendants()
        assert len(started) == (4 if workers else 1)
        load.hang_up()
        assert load.end() == 130
        gone(started)


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGTERM, 2), (signal.SIGINT, 0)])
def test_a_signal_ends_it_in_order(serve: Serve, number: signal.Signals, workers: int) -> None:
    server = serve()
    with Load(plan(work(server.url), 10, workers=workers)) as load:
        load.until_levels(receiving=10)
        started = load.descendants()
        load.process.send_signal(number)
        assert load.until(lambda: load.of(Done)) == [Done(flushed=True)]
        assert load.end() == 0
        gone(started)


def test_stopped_before_all_workers_are_there(serve: Serve) -> None:
    server = serve()
    with Load(plan(work(server.url), 10, workers=1, expect_workers=2)) as load:
        load.until(lambda: load.latest is not None and load.latest.processes)
        finish(load)
    assert load.sums.counts["opened"] == 0


def test_a_worker_from_elsewhere_has_everything_from_its_master(serve: Serve) -> None:
    server = serve()
    with Load(plan(work(server.url), 10, workers=1, expect_workers=2)) as load:
        port = load.until(lambda: load.of(Ready))[0].port
        with Load(LoadPlan(role="worker", port=port)) as other:
            second = load.until_levels(receiving=10)
            assert [one.users for one in second.processes] == [5, 5]
            assert other.until_levels(receiving=5)
            stop_whole(load, server, finish)
            assert other.end() == 0
            assert isinstance(other.reports[-1], Done)


def test_what_cannot_be_dialled_is_said(serve: Serve, tmp_path: Path) -> None:
    asked = work("https://127.0.0.1:1", target={"cacert": str(tmp_path / "none.pem")})
    with Load(plan(asked, 1)) as load:
        failed = load.until(lambda: load.of(Failed))[0]
        assert failed.exit_code == 2
        assert "none.pem" in failed.message
        assert load.end() == 2


def test_a_plan_that_cannot_be_read_is_said() -> None:
    with Load(plan(work("http://127.0.0.1:1"), 1, role="nobody")) as load:
        failed = load.until(lambda: load.of(Failed))[0]
        assert failed.message.startswith("the plan of the load cannot be read: Invalid enum value 'nobody'")
        assert load.end() == 2


# Feeds of others


def test_a_raw_feed_is_counted_message_by_message(background: Background) -> None:
    context = raw_feed(dialect_named("binance"))
    feed = background.run(context.__aenter__())
    asked = work(
        feed.url, Journey(kind="prices"), Journey(kind="churn", think=(0.2, 0.4)), target={"dialect": "binance"}
    )
    try:
        with Load(plan(asked, 8)) as load:
            load.until_levels(open=8)
            load.until(
                lambda: len(feed.connections) == 8 and all(channels for _, channels in feed.connections.values())
            )
            ticks = 0
            while ticks < 40:
                ticks += 1
                for symbol in ("btcusdt", "ethusdt", "solusdt"):
                    payload = {"e": "24hrTicker", "E": 1700000000000 + ticks, "s": symbol.upper(), "c": "1"}
                    background.run(feed.publish(f"{symbol}@ticker", payload))
            assert stop(load) == Done(flushed=True)
            assert +load.sums.channels == +feed.sent
    finally:
        background.run(context.__aexit__(None, None, None))
    assert 4 * 40 < sum(feed.sent.values()) <= 8 * 40  # between two symbols, who churns has none
