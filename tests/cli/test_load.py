"""wsctl load, as people run it, against a real feed."""

import json
import resource
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest

from tests.cli.conftest import Serve
from tests.cli.program import Program, Result, Server, wait_until, wsctl

pytestmark = pytest.mark.timeout(120)
"""several processes, each of them to be started"""

SYMBOLS = ("--symbols", "BTC/USDT,ETH/USDT")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A feed that can be paused and asked what it sent."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("feed")
        yield stack.enter_context(Server(folder, *SYMBOLS, "--rate", "20", "--control"))


def load(*arguments: str, env: dict[str, str] | None = None) -> Result:
    """Run to the end; a load takes longer to start than other commands."""
    with Program("load", *arguments, env=env) as program:
        wait_until(lambda: program.process.poll() is not None)
        return program.finish()


def result_of(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return read


def children(program: Program) -> list[psutil.Process]:
    return psutil.Process(program.process.pid).children(recursive=True)


def assert_gone(processes: list[psutil.Process]) -> None:
    assert processes, "there was none to begin with"
    wait_until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes))


def test_straight_from_options(target: Server, tmp_path: Path) -> None:
    ended = load(
        *("--url", target.url, "--users", "60", *SYMBOLS, "--ramp", "2s", "--duration", "2s"),
        *("--out", str(tmp_path), "--seed", "7", "--target-metrics", f"{target.url}/metrics"),
        *("--expect", "connections.receiving == 60", "--expect", "latency.p95 < 20 s"),
    )
    assert (ended.code, ended.out.splitlines()[-1]) == (0, "verdict: pass")
    result = result_of(tmp_path)
    schema = json.loads(wsctl("schema", "load-result").out)
    jsonschema.Draft202012Validator(schema).validate(result)
    metrics = result["metrics"]
    assert (metrics["connections.asked"], metrics["connections.opened"], metrics["connections.peak"]) == (60, 60, 60)
    assert metrics["ordering.gaps"] == metrics["errors"] == metrics["generator.lost"] == 0
    assert metrics["messages.received"] > sum(result["channels"].values()) > 60
    assert set(result["channels"]) == {"symbol:BTC/USDT:ticker", "symbol:ETH/USDT:ticker"}
    assert 0 < metrics["latency.p50"] <= metrics["latency.p95"] <= metrics["latency.max"]
    assert metrics["connect.time.p50"] > 0
    assert metrics["target.rss"] > 10_000_000
    assert (result["seed"], result["target"]) == (7, target.url)
    assert result["clock"] == "same host, one clock: exact"
    assert [stage["stage"] for stage in result["stages"]] == ["ramp to 60", "hold 2 s"]
    assert sum(row["messages"] for row in result["series"]) == metrics["messages.received"]
    assert [judged["verdict"] for judged in result["expectations"]] == ["pass", "pass"]
    assert 'name="load"' in (tmp_path / "junit.xml").read_text()


def test_after_a_pause_the_totals_are_those_of_the_servers_ledger(serve: Serve, tmp_path: Path) -> None:
    """Merged from two workers, to the message."""
    server = serve(*SYMBOLS, "--rate", "20", "--control")
    arguments = ("--url", server.url, "--users", "40", "--workers", "2", *SYMBOLS, "--ramp", "1s", "--duration", "6s")
    with Program("load", *arguments, "--out", str(tmp_path)) as program:
        program.wait_err("40 of 40 open")
        pause = urllib.request.Request(f"{server.url}/control/pause", data=b"{}", method="POST")
        pause.add_header("content-type", "application/json")
        urllib.request.urlopen(pause).close()
        wait_until(lambda: program.process.poll() is not None)
        assert program.finish().code == 0
    with urllib.request.urlopen(f"{server.url}/control/sent") as answer:
        sent = json.load(answer)
    delivered = {name: told["delivered"] for name, told in sent.get("channels", sent).items() if told["delivered"]}
    # the connection that looks before the load subscribes to nothing
    assert result_of(tmp_path)["channels"] == delivered
    assert [worker["index"] for worker in result_of(tmp_path)["workers"]] == [0, 1]


def test_a_profile_with_a_feed_of_its_own(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text(
        "name: all that users do\n"
        "serve: {symbols: [A/B, C/D, E/F], rate: 10, max_per_user: 0, jwt_secret: hidden}\n"
        "stages: [{ramp: 30, over: 1s}, {hold: 2s}, {spike: 10, lasting: 1500ms}]\n"
        "journeys:\n"
        "  - {do: prices, symbols: 0, weight: 2}\n"
        "  - {do: bots}\n"
        "  - {do: churn, think: 200ms}\n"
        "  - {do: returning, think: 500ms, away: 200ms}\n"
        "  - {do: several, connections: 2}\n"
        "tokens: {users: 5}\n"
        "expect: {auth.refused: 0, connections.peak: '>= 30', server.cpu: < 200 %, acks.refused: 0}\n"
    )
    ended = load(str(profile), "--out", str(tmp_path))
    assert ended.code == 0, ended
    result = result_of(tmp_path)
    assert result["name"] == "all that users do"
    assert result["metrics"]["connections.asked"] > 40, "those who return come anew"
    assert any(channel.startswith("bot:") for channel in result["channels"])
    assert {f"symbol:{symbol}:ticker" for symbol in ("A/B", "C/D", "E/F")} <= set(result["channels"])


@pytest.fixture(scope="module")
def ran(target: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """A load that misses what is expected of it, with options beside its profile; how it ended, and where."""
    folder = tmp_path_factory.mktemp("ran")
    (folder / "profile.yaml").write_text("serve: {}\nstages: [{ramp: 5000, over: 1m}]\nsymbols: A/B\n")
    arguments = ("profile.yaml", "--url", target.url, "--users", "5", "--ramp", "0s", "--duration", "1s", *SYMBOLS)
    files = ("--out", ".", "--html", "new/report.html", "--csv", "tables/t")
    with Program("load", *arguments, *files, "--expect", "latency.p95 < 1 us", cwd=folder) as program:
        wait_until(lambda: program.process.poll() is not None)
        return program.finish(), folder


def test_options_come_before_what_the_profile_says(target: Server, ran: tuple[Result, Path]) -> None:
    result = result_of(ran[1])
    assert (result["target"], result["metrics"]["connections.asked"]) == (target.url, 5)


def test_a_missed_expectation_is_exit_1(ran: tuple[Result, Path]) -> None:
    assert ran[0].code == 1
    assert "✗ latency.p95  expected < 1 us, observed" in ran[0].out


def test_locusts_files_are_written_where_people_are(ran: tuple[Result, Path]) -> None:
    assert "message" in (ran[1] / "new/report.html").read_text()
    assert (ran[1] / "tables/t_stats.csv").exists()


def test_a_breach_ends_it_early(target: Server, tmp_path: Path) -> None:
    ended = load(
        *("--url", target.url, "--users", "5", *SYMBOLS, "--duration", "10m", "--out", str(tmp_path)),
        *("--expect", "latency.p95 < 1 us", "--abort-after", "1s"),
    )
    assert ended.code == 1
    assert "latency.p95 < 1 us was missed for" in ended.out
    assert result_of(tmp_path)["duration"] < 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--users", "5", *SYMBOLS), "nobody says where the feed is; expected --url, --feed, or a profile that does"),
        (("--url", "http://127.0.0.1:9", *SYMBOLS), "nobody says how many users"),
        (("--url", "http://127.0.0.1:9", "--users", "5"), "nothing to subscribe to"),
        (("--url", "http://127.0.0.1:9", "--users", "5", *SYMBOLS, "--expect-workers", "2"), "--expect-workers is how"),
        (("--worker", "--users", "5"), "--users is for the master; a --worker does as it is told"),
        (("--worker", "--jwt-secret", "x"), "--jwt-secret is for the master"),
        (("--worker", "--url", "http://127.0.0.1:9"), "--url is for the master"),
        (("--worker", "profile.yaml"), "a PROFILE is for the master"),
        (("--worker", "--master-port", "0"), "--master-port 0 is a master's"),
        (("--worker", "--master-host", ""), "--master-host is empty; expected where the master is"),
        (("--worker", "--master-host", "127.0.0.1:5557"), "the port is --master-port"),
        (("--url", "http://127.0.0.1:9", "--users", "5", *SYMBOLS, "--master-bind", "*"), "--master-bind is where"),
        (("--url", "http://127.0.0.1:9", "--users", "5", *SYMBOLS, "--master-port", "1"), "--master-port is where"),
        (("--url", "http://127.0.0.1:9", "--users", "5", "--master", "--master-bind", ""), "--master-bind is empty"),
        (
            ("--url", "http://127.0.0.1:9", "--users", "5", "--master", "--master-bind", "nobody.invalid"),
            "the host nobody.invalid of --master-bind is not known",
        ),
        (
            ("--url", "http://127.0.0.1:9", "--users", "5", "--master", "--master-bind", "192.0.2.1"),
            "192.0.2.1 is not an address of this machine",
        ),
        (("--url", "http://127.0.0.1:9", "--users", "9", *SYMBOLS, "--find-limit", "latency"), "bad expectation"),
        (
            ("--url", "http://127.0.0.1:9", "--users", "9", *SYMBOLS, "--expect", "reconnect.success_rate > 9 %"),
            "is not measured",
        ),
    ],
)
def test_what_makes_no_sense_is_exit_2(arguments: tuple[str, ...], message: str) -> None:
    ended = wsctl("load", *arguments, env={"WSCTL_URL": "http://127.0.0.1:9"})
    assert ended.code == 2
    assert message in ended.err


def test_nobody_there_is_exit_3(tmp_path: Path) -> None:
    ended = wsctl("load", "--url", "http://127.0.0.1:9", "--users", "5", *SYMBOLS, "--out", str(tmp_path))
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("wrote ")
    assert "wsctl: error: http://127.0.0.1:9: connection refused\n" in ended.err
    assert result_of(tmp_path)["verdict"] == "error"


def test_half_of_them_refused_is_told_and_fails(serve: Serve, tmp_path: Path) -> None:
    server = serve(*SYMBOLS, "--max-connections", "20")
    ended = load("--url", server.url, "--users", "40", *SYMBOLS, "--duration", "2s", "--out", str(tmp_path))
    assert ended.code == 1
    assert "20 of 40 connections never came up, which nothing expects" in ended.out
    result = result_of(tmp_path)
    assert (result["metrics"]["connections.opened"], result["metrics"]["connections.refused"]) == (20, 20)
    (cause,) = result["causes"].items()
    assert cause == (f"{server.url} refused the connection: Too many connections", 20)


def test_ctrl_c_writes_what_there_is(target: Server, tmp_path: Path) -> None:
    arguments = ("--url", target.url, "--users", "10", *SYMBOLS, "--duration", "10m", "--out", str(tmp_path))
    with Program("load", *arguments) as program:
        program.wait_err("10 of 10 open")
        started = children(program)
        ended = program.interrupt()
    assert ended.code == 130
    assert ended.out.splitlines()[-1] == "verdict: error (interrupted)"
    result = result_of(tmp_path)
    assert result["interrupted"] is True
    assert result["metrics"]["connections.opened"] == 10
    assert_gone(started)


def test_ctrl_c_twice_leaves_nothing_behind(target: Server) -> None:
    with Program("load", "--url", target.url, "--users", "10", *SYMBOLS, "--duration", "10m") as program:
        program.wait_err("10 of 10 open")
        started = children(program)
        program.process.send_signal(signal.SIGINT)
        program.wait_err("stopping")
        assert program.interrupt().code == 130
    assert_gone(started)


def test_killed_it_leaves_nothing_behind(target: Server) -> None:
    with Program("load", "--url", target.url, "--users", "10", *SYMBOLS) as program:
        program.wait_err("10 of 10 open")
        started = children(program)
        program.signal(signal.SIGKILL)
    assert_gone(started)


def test_a_process_of_ours_that_dies_is_exit_4(target: Server, tmp_path: Path) -> None:
    arguments = ("--url", target.url, "--users", "10", *SYMBOLS, "--out", str(tmp_path))
    with Program("load", *arguments) as program:
        program.wait_err("10 of 10 open")
        started = children(program)
        next(one for one in started if "wsctl.load.locust.process" in one.cmdline()).kill()
        wait_until(lambda: program.process.poll() is not None)
        ended = program.finish()
    assert ended.code == 4
    assert "the load's process was ended by signal 9" in ended.err
    assert result_of(tmp_path)["metrics"]["connections.opened"] == 10
    assert_gone(started)


def test_a_lost_worker_is_told_and_its_users_are_lost(target: Server, tmp_path: Path) -> None:
    arguments = ("--url", target.url, "--users", "10", "--workers", "2", *SYMBOLS, "--duration", "8s")
    with Program("load", *arguments, "--out", str(tmp_path)) as program:
        program.wait_err("10 of 10 open")
        processes = [one for one in children(program) if "wsctl.load.locust.process" in one.cmdline()]
        max(processes, key=lambda one: one.pid).kill()
        program.wait_err("is lost, and 5 users with it")
        wait_until(lambda: program.process.poll() is not None)
        ended = program.finish()
    assert ended.code == 1
    assert "5 users were lost with their worker, which nothing expects" in ended.out
    assert [worker["lost"] for worker in result_of(tmp_path)["workers"]].count(True) == 1


def test_a_worker_waits_for_its_master_until_it_is_told_to_stop() -> None:
    with Program("load", "--worker", "--master-port", "9", env={"WSCTL_JWT_SECRET": "of other commands"}) as worker:
        worker.wait_err("waits for that master")
        started = children(worker)
        ended = worker.interrupt()
    assert ended.code == 130, ended.err
    assert "error" not in ended.err
    assert_gone(started)


def test_a_worker_whose_master_has_no_address_is_exit_2() -> None:
    ended = wsctl("load", "--worker", "--master-host", "nobody.invalid")
    assert (ended.code, ended.err) == (2, "wsctl: error: the master's host nobody.invalid is not known\n")


def test_a_master_takes_in_a_worker_from_elsewhere_and_says_how_many_are_there(target: Server, tmp_path: Path) -> None:
    arguments = ("--url", target.url, "--users", "10", *SYMBOLS, "--duration", "2s", "--workers", "1")
    arguments = (*arguments, "--out", str(tmp_path))
    place = ("--master-bind", "127.0.0.2", "--master-port", "0")
    with Program("load", *arguments, "--master", *place, "--expect-workers", "2") as master:
        master.wait_err("1 of 2 workers there")
        port = next(line for line in master.err if "may join" in line).rpartition(" ")[2]
        with Program("load", "--worker", "--master-host", "127.0.0.2", "--master-port", port) as worker:
            wait_until(lambda: master.process.poll() is not None)
            assert master.finish().code == 0
            wait_until(lambda: worker.process.poll() is not None)
            ended = worker.finish()
    assert ended.code == 0
    assert "the master took it in" in ended.err
    result = result_of(tmp_path)
    assert result["metrics"]["connections.receiving"] == 10
    assert [worker["users"] for worker in result["workers"]] == [5, 5]


def test_a_master_looks_whether_this_machine_can_hold_its_own_workers_share(target: Server) -> None:
    arguments = ("--url", target.url, "--users", "2000000000", *SYMBOLS, "--ramp", "1s", "--workers", "1", "--master")
    ended = load(*arguments, "--master-port", "0", "--expect-workers", "2")
    assert ended.code == 2
    assert "too few open files for 1,000,000,000 connections" in ended.err


def test_a_worker_looks_whether_its_machine_can_hold_its_share(target: Server) -> None:
    """As a shell would lower its limit."""
    arguments = ("--url", target.url, "--users", "400", *SYMBOLS, "--duration", "1s", "--master", "--master-port", "0")
    with Program("load", *arguments, "--expect-workers", "2") as master, ExitStack() as stack:
        master.wait_err("may join at port ")
        port = next(line for line in master.err if "may join" in line).rpartition(" ")[2]
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        for limit in (hard, 200):
            worker = stack.enter_context(Program("load", "--worker", "--master-port", port))
            resource.prlimit(worker.process.pid, resource.RLIMIT_NOFILE, (min(limit, 1024), limit))
        wait_until(lambda: master.process.poll() is not None)
        ended = master.finish()
    assert ended.code == 2
    assert "too few open files for 200 connections: 200 a process; 250 needed" in ended.err
    assert "worker at " in ended.err


@pytest.mark.parametrize(
    ("options", "hint"),
    [(("--master", "--master-port"), "--master-port 0 picks"), (("--web-ui",), "--web-ui 0 picks")],
)
def test_a_port_that_is_taken_is_exit_2_before_any_load(target: Server, options: tuple[str, ...], hint: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = load("--url", target.url, "--users", "4", *SYMBOLS, "--duration", "1s", *options, port)
    assert (ended.code, ended.out) == (2, "")
    assert f"port {port} on 127.0.0.1 is already in use\n  hint: {hint}" in ended.err


@pytest.mark.parametrize(
    ("more", "heard", "warned"),
    [
        (("--mint", "2"), {"127.0.0.1"}, None),
        (("--mint", "2", "--master-bind", "localhost"), {"127.0.0.1"}, None),
        (("--mint", "2", "--master-bind", "*"), {"0.0.0.0", "::"}, "the tokens"),
        (
            ("--header", "X-Key: 1", "--auth", '{"key": 1}', "--master-bind", "0.0.0.0"),
            {"0.0.0.0"},
            "the handshake auth and",
        ),
    ],
)
def test_a_master_is_there_for_this_machine_unless_told_otherwise(
    target: Server, more: tuple[str, ...], heard: set[str], warned: str | None
) -> None:
    arguments = ("--url", target.url, "--users", "4", *SYMBOLS, "--master", "--master-port", "0")
    with Program("load", *arguments, *more) as master:
        master.wait_err("may join at port ")
        port = int(next(line for line in master.err if "may join" in line).rpartition(" ")[2])
        listening = {
            place.laddr.ip
            for process in children(master)
            for place in process.net_connections("tcp")
            if place.status == psutil.CONN_LISTEN and place.laddr.port == port
        }
        err = master.interrupt().err
    assert listening
    assert listening <= heard
    if warned is None:
        assert "unencrypted" not in err
    else:
        assert f"at the master's port is told {warned}" in err


def test_a_place_where_no_file_can_be_is_exit_2_before_any_load(target: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "file" / "report.html"):
        ended = load("--url", target.url, "--users", "4", *SYMBOLS, "--html", str(place))
        assert (ended.code, ended.out) == (2, "")
        assert "directory" in ended.err or "file exists" in ended.err


def test_the_limit_of_a_server_is_found(serve: Serve, tmp_path: Path) -> None:
    server = serve(*SYMBOLS, "--max-connections", "1", "--rate", "20")
    arguments = ("--url", server.url, *SYMBOLS, "--users", "2", "--duration", "1s", "--out", str(tmp_path))
    ended = load(*arguments, "--find-limit", "latency.p95 < 20 s")
    assert ended.code == 0, ended
    limit = result_of(tmp_path)["limit"]
    assert (limit["users"], limit["beyond"]["users"]) == (1, 2)
    assert limit["beyond"]["reason"].endswith("refused the connection: Too many connections")


def test_the_web_ui_shows_rows_of_ours(target: Server) -> None:
    arguments = ("--url", target.url, "--users", "10", *SYMBOLS, "--duration", "10m", "--web-ui", "0")
    with Program("load", *arguments) as program:
        program.wait_err("10 of 10 open")
        url = next(line for line in program.err if "web UI at" in line).rpartition(" ")[2]

        def rows() -> dict[str, int]:
            with urllib.request.urlopen(f"{url.rstrip('/')}/stats/requests") as answer:
                return {row["name"]: row["num_requests"] for row in json.load(answer)["stats"]}

        wait_until(lambda: rows().get("message", 0) > 20)
        assert rows()["connect"] == 10
        program.interrupt()


def test_doctor_says_what_is_missing() -> None:
    fine, too_many = wsctl("doctor", "--users", "10"), wsctl("doctor", "--users", "100000000")
    assert (fine.code, fine.out.splitlines()[-1]) == (0, "10 connections: this machine can hold them")
    assert (too_many.code, too_many.out.splitlines()[-1]) == (1, "100,000,000 connections: not as it is")
    assert "ip_local_port_range" in too_many.out


def test_doctor_counts_on_several_source_addresses_only_where_load_does() -> None:
    elsewhere, here = (wsctl("doctor", "--users", "130000", *options).out for options in ((), ("--loopback",)))
    assert "not  ports" in elsewhere
    assert "one source address" in elsewhere
    assert "ok   ports" in here
    assert "source addresses; 130,000 needed" in here


def test_the_schema_of_profiles_takes_what_runs_and_nothing_misspelt() -> None:
    schema = jsonschema.Draft202012Validator(json.loads(wsctl("schema", "load").out))
    assert schema.is_valid({"users": 10, "duration": "3s", "symbols": "A/B", "journeys": [{"do": "prices"}]})
    assert schema.is_valid({"stages": [{"ramp": 10, "over": "1s"}], "expect": {"latency.p95": "< 5 ms"}})
    assert not schema.is_valid({"usres": 10})
    assert not schema.is_valid({"users": 10, "journeys": [{"do": "price"}]})
