"""A probe played against a server or a client of a bed, a process of its own on loopback."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from msgspec import Struct

from tests.vulnerable.beds import ROOT
from tests.vulnerable.matrix import Row
from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.fuzz.catalogue import BY_ID
from wsctl.fuzz.events import Event, Listening
from wsctl.fuzz.options import FuzzOptions, ServeFuzzOptions
from wsctl.fuzz.result import FuzzResult, ProbeResult
from wsctl.fuzz.run import FuzzRun
from wsctl.fuzz.serving.server import FuzzServer

CLIENT_WAIT = 5.0
"""seconds for a client to come back; those here do so at once"""


class Outcome(Struct, frozen=True):
    """What came of a probe, and the words that a program died with."""

    result: ProbeResult
    last_words: str

    def __str__(self) -> str:
        result = self.result
        seen = (result.case, result.ending, *result.harms, result.reason, self.last_words)
        return f"{result.verdict}: {'; '.join(filter(None, seen))}"


def play(row: Row, version: str) -> Outcome:
    """Against a process that is started for it. Raises RuntimeError where it does not start."""
    bed = row.bed(version)
    bed.install()
    attack = _attack_server if BY_ID[row.probe].attacks == "server" else _attack_client
    with _started(*bed.command(row.program)) as (process, talk):
        result = attack(row, process)
        process.poll()
        return Outcome(result.probes[0], "" if process.returncode is None else _last_words(talk))


def _attack_server(row: Row, process: subprocess.Popen[bytes]) -> FuzzResult:
    assert process.stdout is not None, "it was just asked for"
    port = process.stdout.readline().decode().strip()
    if not port:
        raise RuntimeError(f"{row.program} did not start")
    url = f"127.0.0.1:{port}"
    target = Target(url=f"ws://{url}", dialect="binance") if row.raw else Target(url=f"http://{url}")
    # Nobody starts it anew: what died is not waited for.
    options = FuzzOptions(target=target, seed=1, probes=(row.probe,), cases=0, pid=process.pid, wait=0.1)
    return asyncio.run(FuzzRun(options, SystemClock(), lambda _: None).run())


def _attack_client(row: Row, process: subprocess.Popen[bytes]) -> FuzzResult:
    def tell(event: Event) -> None:
        if isinstance(event, Listening):
            assert process.stdin is not None, "it was just asked for"
            process.stdin.write(f"{event.url}\n".encode())
            process.stdin.flush()

    options = ServeFuzzOptions(
        seed=1,
        dialect="binance" if row.raw else None,
        probes=(row.probe,),
        client_pid=process.pid,
        wait=CLIENT_WAIT,
    )
    return asyncio.run(FuzzServer(options, SystemClock(), tell).run())


@contextmanager
def _started(command: list[str], more: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A process and what it writes to stderr; it is ended in the end."""
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile() as talk,
        subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **more}, stdin=pipe, stdout=pipe, stderr=talk
        ) as process,
    ):
        try:
            yield process, talk
        finally:
            process.kill()


def _last_words(talk: IO[bytes]) -> str:
    talk.seek(0)
    lines = [line.strip() for line in talk.read().decode(errors="replace").splitlines()]
    return next((line for line in lines if "Error" in line), "")
