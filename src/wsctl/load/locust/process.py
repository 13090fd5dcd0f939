"""`python -P -m wsctl.load.locust.process`: Locust's own main, run for `wsctl load`. See `messages`."""

import os
import sys
from pathlib import Path
from typing import Any

import locust  # patches the process, so it comes before everything that waits  # isort: skip
import locust.main
import msgspec
from gevent.fileobject import FileObject
from locust import argument_parser, runners, stats

from wsctl.errors import ExitCode, TargetError, UsageError, WsctlError
from wsctl.load import messages
from wsctl.load.locust.line_writer import LineWriter
from wsctl.load.locust.part import CSV_EVERY, REPORT_EVERY, Part, Single
from wsctl.load.locust.team import Master, Worker
from wsctl.load.messages import Failed
from wsctl.load.plan import LoadPlan
from wsctl.swarm.process import tune_collector

LOCUSTFILE = Path(__file__).parent / "locustfiles" / "wsctl_load.py"
PATIENCE = 5.0
"""seconds for the parent to read what it is told last"""
LIVENESS = 8
"""heartbeats, one a second, that a worker may miss: a machine at its limit starves it for a few"""
LOOK_EVERY = 5.0
"""seconds between a worker's questions to a master that has not taken it in"""
PARTS: dict[str, type[Part]] = {"single": Single, "master": Master, "worker": Worker}


def main() -> int:
    """Run Locust as the plan says; the exit code."""
    commands, reports = _pipes()
    line = commands.readline()
    if not line:
        return ExitCode.INTERRUPTED
    try:
        plan = _read_plan(line)
        _isolate(plan)
        part = PARTS[plan.role](plan, commands, reports)
    except WsctlError as error:
        _tell(reports, error)
        reports.close(PATIENCE)
        return error.exit_code
    sys.argv = ["locust", *_arguments(plan)]
    tune_collector()
    try:
        locust.main.main()
    except SystemExit as end:
        if end.code and plan.role == "worker" and not part.begun:
            _tell(reports, TargetError(f"no master at {plan.host}:{plan.port} took this worker in"))
            return ExitCode.TARGET
        return end.code if isinstance(end.code, int) else ExitCode.INTERNAL
    finally:
        part.close()
        reports.close(PATIENCE)
    return ExitCode.PASSED


def _pipes() -> tuple[Any, LineWriter]:
    """Commands and reports; nothing else may read or write there: Locust listens for keys, and prints."""
    commands, reports = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return FileObject(commands, "rb"), LineWriter(FileObject(reports, "wb"))


def _tell(reports: LineWriter, error: WsctlError) -> None:
    reports.put(messages.encode(Failed(message=error.message, hint=error.hint, exit_code=error.exit_code)))


def _read_plan(line: bytes) -> LoadPlan:
    try:
        return messages.decode_plan(line)
    except msgspec.DecodeError as error:
        raise UsageError(f"the plan of the load cannot be read: {error}") from error


def _isolate(plan: LoadPlan) -> None:
    """Leave out what Locust would take from elsewhere: it is the plan that counts."""
    for name in [name for name in os.environ if name.startswith("LOCUST_")]:
        del os.environ[name]
    argument_parser.DEFAULT_CONFIG_FILES = ()  # type: ignore[assignment]
    os.chdir(LOCUSTFILE.parent)  # which Locust, too, puts first where modules are looked for
    runners.WORKER_REPORT_INTERVAL = REPORT_EVERY
    runners.HEARTBEAT_LIVENESS = LIVENESS
    runners.CONNECT_TIMEOUT = min(LOOK_EVERY, plan.patience)  # type: ignore[assignment]
    runners.CONNECT_RETRY_COUNT = round(plan.patience / runners.CONNECT_TIMEOUT) - 1
    stats.CSV_STATS_INTERVAL_SEC = CSV_EVERY  # type: ignore[assignment]  # it is for sleep()


def _arguments(plan: LoadPlan) -> list[str]:
    arguments = ["-f", str(LOCUSTFILE), "--loglevel", "ERROR", "--only-summary", "--stop-timeout", "0"]
    if plan.role == "worker":
        return [*arguments, "--worker", "--master-host", plan.host, "--master-port", str(plan.port)]
    if plan.role == "master":
        arguments += ["--master", "--master-bind-host", plan.bind, "--master-bind-port", str(plan.port)]
        arguments += ["--expect-workers", str(plan.expect_workers)]
    if plan.web_port is None:
        arguments.append("--headless")
    else:
        arguments += ["--autostart", "--autoquit", "0"]
        arguments += ["--web-host", plan.web_host, "--web-port", str(plan.web_port)]
    if plan.html is not None:
        arguments += ["--html", plan.html]
    if plan.csv is not None:
        arguments += ["--csv", plan.csv]
    return arguments


if __name__ == "__main__":
    sys.exit(main())
