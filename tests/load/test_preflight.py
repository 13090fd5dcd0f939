"""Whether a machine can hold so many connections."""

import pytest
from msgspec import structs

from wsctl.client.target import Target
from wsctl.errors import UsageError
from wsctl.load.preflight import Machine, checks, most_users, require, source_addresses, this_machine
from wsctl.swarm.process import SPARE_DESCRIPTORS

SMALL = Machine(descriptors=1024, ports=28_232, cores=2, memory=8 * 10**9)
LARGE = Machine(descriptors=None, ports=60_000, cores=64, memory=512 * 10**9)
TINY = Machine(descriptors=16, ports=28_232, cores=2, memory=8 * 10**9)
LOOPBACK, ELSEWHERE = Target(url="http://127.0.0.1:3000"), Target(url="https://feed.example")


def missing(machine: Machine, users: int, workers: int = 0, addresses: int = 1) -> list[str]:
    return [one.about for one in checks(machine, users, workers=workers, addresses=addresses) if not one.fits]


def test_a_few_fit_anywhere() -> None:
    assert missing(SMALL, 500) == []


def test_open_files_are_counted_per_process() -> None:
    assert missing(SMALL, 1_500) == ["open files"]
    assert missing(SMALL, 1_500, workers=2) == []


def test_ports_are_counted_per_source_address() -> None:
    assert missing(LARGE, 100_000, workers=8) == ["ports"]
    assert missing(LARGE, 100_000, workers=8, addresses=2) == []


def test_more_workers_than_cores_are_told() -> None:
    assert missing(SMALL, 500, workers=3) == ["cores"]


def test_memory_is_told() -> None:
    poor = Machine(descriptors=None, ports=60_000, cores=2, memory=200_000_000)
    assert missing(poor, 10_000) == ["memory"]


def test_what_makes_it_impossible_is_an_error_and_what_is_tight_a_note() -> None:
    with pytest.raises(
        UsageError, match=r"too few open files for 2,000 connections: 1,024 a process; 2,050 needed"
    ) as told:
        require(SMALL, 2_000, workers=0, addresses=0)
    assert "--workers 3" in (told.value.hint or "")
    (note,) = require(SMALL, 500, workers=3, addresses=0)
    assert note.startswith("cores: 2; 3 processes of load")


def test_loopback_has_more_than_one_address_to_come_from() -> None:
    found = source_addresses(LOOPBACK, 60_000, SMALL)
    assert found == ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    assert source_addresses(LOOPBACK, 10_000, SMALL) == ()
    assert source_addresses(ELSEWHERE, 60_000, SMALL) == ()


def test_a_search_ends_where_the_machine_does() -> None:
    assert most_users(SMALL) == 974
    assert most_users(SMALL, workers=2) == 1948
    assert most_users(LARGE) == 54_000
    assert most_users(TINY) == 1


@pytest.mark.parametrize("limit", [16, SPARE_DESCRIPTORS])
def test_more_workers_are_no_advice_where_none_could_hold_anybody(limit: int) -> None:
    files = next(checks(structs.replace(TINY, descriptors=limit), 500))
    assert (files.about, files.fits) == ("open files", False)
    assert files.advice is not None
    assert files.advice.endswith("nofile in /etc/security/limits.conf")


def test_this_machine_has_something_of_everything() -> None:
    machine = this_machine()
    assert machine.ports > 1_000
    assert machine.cores >= 1
    assert machine.memory > 10**6
