"""What is around a run: choosing scenarios, files left, services that die, an environment that means something else."""

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.cli.program import WAIT, Program, command, environment, wsctl
from tests.scenario.runs import read_report, run

PASSED, FINDINGS = 0, 1

SERVICE = "services:\n  feed: {serve: {symbols: BTC/USDT, rate: 50}}\n"
ASK = "emit: {event: 'price:subscribe', args: [[BTC/USDT]], wait: 100ms}"
QUICK = f"name: Quick\ntags: quick, good\n{SERVICE}steps:\n  - name: ask\n    {ASK}\n    expect: {{acks.ok: 1}}\n"
FAILS = QUICK.replace("name: Quick", "name: Fails").replace("quick, good", "bad").replace("ok: 1", "ok: 0")
LONG = f"""\
name: Long
{SERVICE}steps:
  - name: watch
    subscribe: {{symbols: BTC/USDT, duration: 30s}}
    during: [{{at: 200ms, pause: }}, {{at: 20s, resume: {{}}}}]
    expect: {{errors: 0, latency.p95: [< 50 ms, '> 0 s']}}
"""


def write(folder: Path, *texts: str) -> None:
    """Files a.yaml, b.yaml, …"""
    for name, text in zip("abc", texts, strict=False):
        (folder / f"{name}.yaml").write_text(text)


def test_list(tmp_path: Path) -> None:
    """Files, names and tags; nothing is started."""
    write(tmp_path, QUICK, FAILS, LONG)
    result = wsctl("run", ".", "--list", cwd=tmp_path)
    assert (result.code, result.err) == (PASSED, "")
    assert result.out == "a.yaml  Quick  [quick, good]\nb.yaml  Fails  [bad]\nc.yaml  Long\n"
    result = wsctl("run", "--list", "--tag", "bad", "--tag", "good", ".", cwd=tmp_path)
    assert result.out == "a.yaml  Quick  [quick, good]\nb.yaml  Fails  [bad]\n"


def test_the_suite_is_listed(tmp_path: Path) -> None:
    """No path: what comes with wsctl."""
    result = wsctl("run", "--list", cwd=tmp_path)
    assert result.code == PASSED
    assert "scenarios/reconnection.yaml " in result.out


def test_dry_run(tmp_path: Path) -> None:
    """What would be done and expected; nothing is started or written."""
    write(tmp_path, LONG)
    result = wsctl("run", ".", "--dry-run", "--out", "results", cwd=tmp_path)
    assert (result.code, result.err) == (PASSED, "")
    assert result.out == (
        "Long  (a.yaml)\n"
        "  service feed: serve  symbols: BTC/USDT, rate: 50\n"
        "  watch\n"
        "    subscribe  symbols: BTC/USDT, duration: 30s\n"
        "    at 0.2 s pause\n"
        "    at 20 s resume\n"
        "    expects errors == 0\n"
        "    expects latency.p95 < 50 ms\n"
        "    expects latency.p95 > 0 s\n"
    )
    assert not (tmp_path / "results").exists()


def test_what_fills_a_machine_makes_sense_and_is_run_when_asked_for(tmp_path: Path) -> None:
    """Too much for a test: read and checked."""
    result = wsctl("run", "--tag", "load", "--dry-run", cwd=tmp_path)
    assert (result.code, result.err) == (PASSED, "")
    assert result.out.count("users: 10000") == 2
    assert "    expects messages.rate >= 9500 /s\n" in result.out


def test_tags(tmp_path: Path) -> None:
    """Only what has the tag is run."""
    write(tmp_path, QUICK, FAILS)
    result = wsctl("run", "a.yaml", "b.yaml", "--tag", "good", cwd=tmp_path)
    assert result.code == PASSED, result
    assert "1 scenario: 1 passed in " in result.out


def test_a_service_that_dies(tmp_path: Path) -> None:
    """Killed in mid-step: the scenario ends with error, and the others go on."""
    write(tmp_path, LONG, QUICK)
    with Program("run", ".", "--out", "results", cwd=tmp_path) as program:
        program.wait_err("    pause")
        (service,) = psutil.Process(program.process.pid).children()
        service.kill()
        assert program.finish().code == FINDINGS
    long, quick = read_report(tmp_path)["scenarios"]
    (watch,) = long["steps"]
    assert (watch["verdict"], quick["verdict"]) == ("error", "pass")
    assert watch["reason"].startswith("service feed ended by itself (signal SIGKILL): ")
    assert watch["duration"] < 20


def test_a_service_whose_end_is_first_seen_by_its_client(tmp_path: Path) -> None:
    """A client that gives up at once does not make a verdict of it."""
    text = LONG.replace("duration: 30s", "duration: 30s, reconnect: {attempts: 0}").replace(
        "errors", "connections.closed"
    )
    write(tmp_path, text)
    with Program("run", ".", "--out", "results", cwd=tmp_path) as program:
        program.wait_err("    pause")
        (service,) = psutil.Process(program.process.pid).children()
        service.kill()
        assert program.finish().code == FINDINGS
    (watch,) = read_report(tmp_path)["scenarios"][0]["steps"]
    assert watch["verdict"] == "error"
    assert watch["reason"].startswith("service feed ended by itself (signal SIGKILL): ")


def test_nothing_is_left_without_out(tmp_path: Path) -> None:
    """Neither of what passed nor of what failed."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    write(tmp_path, QUICK, FAILS)
    result = wsctl("run", ".", cwd=tmp_path, env={"TMPDIR": str(temporary)})
    assert result.code == FINDINGS
    assert list(temporary.iterdir()) == []
    assert {file.name for file in tmp_path.iterdir()} == {"a.yaml", "b.yaml", "tmp"}


def test_evidence_replaces_its_own_files_only(tmp_path: Path) -> None:
    """A folder of the user's that has the scenario's name is the user's."""
    mine = tmp_path / "results" / "fails"
    mine.mkdir(parents=True)
    (mine / "notes.txt").write_text("mine")
    (mine / "feed.log").write_text("of an earlier run")
    assert run(tmp_path, FAILS).left == {
        "result.json",
        "junit.xml",
        "fails/notes.txt",
        "fails/feed.log",
        "fails/ask.jsonl",
    }
    assert "earlier" not in (mine / "feed.log").read_text()
    assert run(tmp_path, FAILS.replace("ok: 0", "ok: 1")).left == {"result.json", "junit.xml", "fails/notes.txt"}
    (mine / "notes.txt").unlink()
    run(tmp_path, FAILS.replace("ok: 0", "ok: 1"))
    assert not mine.exists()


def test_evidence_of_names_that_look_alike(tmp_path: Path) -> None:
    """Names of any script, and names that differ by a sign, have folders of their own."""
    texts = [FAILS.replace("name: Fails", f"name: {name}") for name in ("価格 1", "'A!'", "'a?'", "'¿¡'")]
    left = run(tmp_path, "---\n".join(texts)).left
    assert {file.partition("/")[0] for file in left} == {"result.json", "junit.xml", "価格-1", "a", "a-2", "unnamed"}


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """A file stands where the evidence would go: said in a sentence, the reports written."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "fails").write_text("a file")
    done = run(tmp_path, FAILS)
    message = "cannot use the folder results/fails: file exists"
    assert (done.code, done.report["verdict"]) == (4, "error")
    assert done.report["scenarios"][0]["reason"] == f"wsctl itself failed: {message}"
    assert done.result.err.endswith(f"wsctl: error: {message}\n")


def test_a_secret_in_the_environment_is_not_the_services(tmp_path: Path) -> None:
    """$WSCTL_JWT_SECRET is for `wsctl serve` and `wsctl token`; a scenario says itself what its service checks with."""
    text = QUICK.replace("emit: {", "emit: {user: alice, ")
    done = run(tmp_path, text, env={"WSCTL_JWT_SECRET": "a secret of somebody, long enough"})
    assert done.code == PASSED, done.result
    options = "rate: '${RATE:-50}', throttle: '${T:-100ms}', jwt_secret: '${WSCTL_JWT_SECRET}'"
    with_secret = text.replace("symbols: BTC/USDT", "symbols: ['${S:-BTC/USDT}']").replace("rate: 50", options)
    done = run(tmp_path, with_secret, env={"WSCTL_JWT_SECRET": "a secret of somebody, long enough"})
    assert done.code == PASSED, done.result


def test_a_bound_of_many_digits(tmp_path: Path) -> None:
    """A whole number means itself, to the last digit."""
    write(tmp_path, QUICK.replace("acks.ok: 1", "messages.received: 1234567"))
    assert "    expects messages.received == 1234567\n" in wsctl("run", ".", "--dry-run", cwd=tmp_path).out


@pytest.mark.parametrize("both", [True, False])
def test_a_verdict_outlives_its_readers(tmp_path: Path, both: bool) -> None:
    """Nobody reads stderr, or neither of them (`2>&1 | head -1`): exit code and reports are those of the run."""
    write(tmp_path, FAILS)
    reader, writer = os.pipe()
    os.close(reader)
    try:
        arguments = command("run", ".", "--out", "results")
        out = writer if both else subprocess.DEVNULL
        done = subprocess.run(arguments, cwd=tmp_path, env=environment(), stdout=out, stderr=writer, timeout=WAIT)
    finally:
        os.close(writer)
    assert done.returncode == FINDINGS
    assert read_report(tmp_path)["verdict"] == "fail"


def test_reports_are_written_although_stdout_is_full(tmp_path: Path) -> None:
    """A disk that is full is wsctl's failure, and what can be written is."""
    write(tmp_path, QUICK)
    with Path("/dev/full").open("wb") as full:
        arguments = command("run", ".", "--out", "results")
        done = subprocess.run(
            arguments, cwd=tmp_path, env=environment(), stdout=full, stderr=subprocess.PIPE, timeout=WAIT
        )
    assert done.returncode == 4
    assert done.stderr.endswith(b"wsctl: error: cannot write the output: no space left on device\n")
    assert read_report(tmp_path)["verdict"] == "pass"
