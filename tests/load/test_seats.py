"""Who sits where: the same users on any number of workers."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from gevent import Greenlet
from tests.cli.program import Server
from tests.load import loads

from wsctl.client.target import Target
from wsctl.load.locust.seats import Dispatcher, Seated, Seats
from wsctl.load.locust.visit import Place
from wsctl.load.messages import SetUsers
from wsctl.load.plan import Journey, LoadPlan, Work

SYMBOLS = ("A", "B", "C", "D", "E")


def dealt(users: int, workers: int, there: int) -> list[int]:
    """How many users each of the workers that are there is given, by index."""
    nodes = [SimpleNamespace(id=f"w{index}") for index in range(there)]
    dispatcher = Dispatcher(nodes, [int], workers=workers, index_of=lambda id: int(id[1:]))
    dispatcher.new_dispatch(users, 1.0)
    (round,) = list(dispatcher)
    assert list(dispatcher) == [], "each dispatch is one round"
    return [round[f"w{index}"]["int"] for index in range(there)]


@pytest.mark.parametrize(
    ("users", "workers", "there", "expected"),
    [
        (0, 2, 2, [0, 0]),
        (1, 2, 2, [1, 0]),
        (5, 2, 2, [3, 2]),
        (10, 3, 3, [4, 3, 3]),
        (10, 3, 2, [4, 3]),  # nobody takes on those of a lost one
        (10, 2, 3, [5, 5, 0]),  # one too many has nothing to do
    ],
)
def test_users_go_to_workers_by_their_index(users: int, workers: int, there: int, expected: list[int]) -> None:
    assert dealt(users, workers, there) == expected


def test_a_worker_that_is_gone_is_given_none_and_one_that_is_back_as_before() -> None:
    nodes = [SimpleNamespace(id="w0"), SimpleNamespace(id="w1")]
    dispatcher = Dispatcher(nodes, [int], workers=2, index_of=lambda id: int(id[1:]))
    dispatcher.remove_worker(nodes[0])
    dispatcher.new_dispatch(9, 1.0)
    assert list(dispatcher) == [{"w1": {"int": 4}}]
    dispatcher.add_worker(nodes[0])
    dispatcher.add_worker(nodes[1])
    dispatcher.new_dispatch(9, 1.0)
    assert list(dispatcher) == [{"w0": {"int": 5}, "w1": {"int": 4}}]


def test_the_lowest_free_seat_is_taken_first() -> None:
    seats = Seats(1, 3)
    assert [seats.take() for _ in range(4)] == [1, 4, 7, 10]
    seats.give_back(7)
    seats.give_back(4)
    assert [seats.take() for _ in range(3)] == [4, 7, 13]


def test_who_came_last_is_stopped_first() -> None:
    """As Locust does it: the first ones of its group; one that has no seat yet has just come."""
    seated = Seated()
    for seat in (3, 11, None, 0, 7, 5):
        seated.add(Greenlet(print, SimpleNamespace(seat=seat)))
    assert [greenlet.args[0].seat for greenlet in seated] == [None, 11, 7, 5, 3, 0]


@pytest.mark.timeout(120)
def test_who_was_there_before_stays_where_users_are_taken_away(tmp_path: Path) -> None:
    """Each has a symbol of its own, by its seat."""
    symbols = tuple(f"S{seat:02}/USDT" for seat in range(12))
    with Server(tmp_path, "--symbols", ",".join(symbols), "--rate", "20") as server:
        asked = loads.work(server.url, symbols=symbols)
        with loads.Load(LoadPlan(work=asked)) as load:
            load.tell(SetUsers(users=12))
            load.until_levels(open=12, receiving=12)
            load.tell(SetUsers(users=2))
            stay = {f"symbol:{symbol}:ticker" for symbol in symbols[:2]}
            load.until(lambda: load.latest is not None and load.latest.delta.channels.keys() == stay)


def work(*journeys: Journey) -> Work:
    return Work(target=Target(), journeys=journeys, symbols=SYMBOLS, tokens=("t0", "t1", "t2"))


def test_symbols_and_tokens_go_round() -> None:
    asked = work(Journey(kind="prices", symbols=2))
    assert [Place(asked, number).symbols for number in range(4)] == [("A", "B"), ("C", "D"), ("E", "A"), ("B", "C")]
    assert [Place(asked, number).token for number in range(4)] == ["t0", "t1", "t2", "t0"]


@pytest.mark.parametrize("symbols", [0, 5, 9])
def test_all_symbols(symbols: int) -> None:
    assert Place(work(Journey(kind="prices", symbols=symbols)), 3).symbols == SYMBOLS


def test_every_stretch_of_users_has_its_share_of_each_journey_and_each_journey_of_each_symbol() -> None:
    few, many = Journey(kind="churn", weight=1), Journey(kind="prices", weight=3)
    places = [Place(work(few, many), number) for number in range(40)]
    for first in range(0, 40, 4):
        kinds = [place.journey.kind for place in places[first : first + 4]]
        assert (kinds.count("churn"), kinds.count("prices")) == (1, 3)
    churning = [place for place in places if place.journey == few]
    assert [place.symbols for place in churning] == [(symbol,) for symbol in SYMBOLS * 2]
    assert [place.ordinal for place in places if place.journey == many] == list(range(30))


def test_neighbours_on_the_same_journey_share_a_token() -> None:
    asked = work(Journey(kind="several", connections=2), Journey(kind="prices"))
    places = [Place(asked, number) for number in range(12)]
    assert [one.token for one in places if one.journey.kind == "several"] == ["t0", "t0", "t1", "t1", "t2", "t2"]
