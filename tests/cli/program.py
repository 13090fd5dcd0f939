"""wsctl as people run it: a process, its output read as it comes, waited for by what it says."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple, Self
from unittest.mock import patch

import pytest

from wsctl.cli.main import main

WAIT = 20.0
"""seconds until a condition that should have come true is given up"""

_LEFT_OUT = ("WSCTL_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "COLUMNS", "NO_COLOR", "FORCE_COLOR")


class Result(NamedTuple):
    """How a program ended."""

    code: int
    out: str
    err: str

    @property
    def observations(self) -> list[dict[str, Any]]:
        """The JSON Lines it printed."""
        return [json.loads(line) for line in self.out.splitlines()]


def environment(**more: str) -> dict[str, str]:
    """The environment without anything that could configure wsctl or send it through a proxy."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_LEFT_OUT)}
    return {**kept, **more}


def command(*arguments: str) -> list[str]:
    """wsctl's command line."""
    return [sys.executable, "-m", "wsctl", *arguments]


def wsctl(*arguments: str, cwd: Path | None = None, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Result:
    """Run to the end within this process, with streams and an environment of its own.

    To start a process takes most of the time that a short command does. That it ends as `wsctl_alone` does is shown
    in test_startup.
    """
    interrupted, kept = signal.getsignal(signal.SIGINT), [os.dup(number) for number in range(3)]
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        for number, file in enumerate((given, out, err)):
            os.dup2(file.fileno(), number)
        try:
            with (
                open(0, closefd=False) as sys_in,
                open(1, "w", closefd=False) as sys_out,
                open(2, "w", closefd=False) as sys_err,
                patch.multiple(sys, argv=["wsctl", *arguments], stdin=sys_in, stdout=sys_out, stderr=sys_err),
                patch.object(logging.root, "handlers", []),  # pytest's: a process has none
                patch.dict(os.environ, environment(**(env or {})), clear=True),
                contextlib.chdir(cwd or Path.cwd()),
                pytest.raises(SystemExit) as end,
            ):
                main()
        finally:
            signal.signal(signal.SIGINT, interrupted)
            for number, descriptor in enumerate(kept):
                os.dup2(descriptor, number)
                os.close(descriptor)
        out.seek(0)
        err.seek(0)
        return Result(int(end.value.code or 0), out.read().decode(), err.read().decode())


def wsctl_alone(
    *arguments: str, cwd: Path | None = None, stdin: bytes = b"", env: Mapping[str, str] | None = None
) -> Result:
    """Run to the end as a process, as people do."""
    done = subprocess.run(
        command(*arguments), cwd=cwd, input=stdin, env=environment(**(env or {})), capture_output=True, timeout=2 * WAIT
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


class _Lines:
    """The lines of a stream, collected by a thread."""

    def __init__(self, stream: IO[bytes], changed: threading.Condition) -> None:
        self.lines: list[str] = []
        self._stream = stream
        self._changed = changed
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        for line in self._stream:
            with self._changed:
                self.lines.append(line.decode().rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


class Program:
    """A running process; killed at the end of the `with` block if it still lives."""

    def __init__(
        self,
        *arguments: str,
        cwd: Path | None = None,
        prefix: Sequence[str] = (),
        argv: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [*prefix, *(argv or command(*arguments))],
            cwd=cwd,
            env=environment(**(env or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._changed = threading.Condition()
        self._out = _Lines(self.process.stdout, self._changed)
        self._err = _Lines(self.process.stderr, self._changed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.finish()

    @property
    def out(self) -> list[str]:
        """Lines of stdout so far."""
        return self._out.lines

    @property
    def err(self) -> list[str]:
        """Lines of stderr so far."""
        return self._err.lines

    def wait_for(self, condition: Callable[[], Any]) -> Any:
        """Wait until the output makes `condition` true; its value."""
        with self._changed:
            met = self._changed.wait_for(lambda: condition() or self._ended(), WAIT)
            value = condition()
        assert met, f"waited in vain: {self.out[-5:]} {self.err[-10:]}"
        assert value, f"ended with {self.process.poll()} before: {self.out[-5:]} {self.err[-10:]}"
        return value

    def wait_err(self, text: str, count: int = 1) -> None:
        """Wait until so many lines of stderr hold a text."""
        self.wait_for(lambda: sum(text in line for line in self.err) >= count)

    def wait_out(self, count: int) -> None:
        """Wait until stdout has so many lines."""
        self.wait_for(lambda: len(self.out) >= count)

    def interrupt(self) -> Result:
        """Ctrl-C, and the end."""
        return self.signal(signal.SIGINT)

    def signal(self, number: int) -> Result:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.finish()

    def finish(self) -> Result:
        """Wait for the end."""
        code = self.process.wait(WAIT)
        for lines in (self._out, self._err):
            lines.thread.join(WAIT)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return Result(code, "".join(f"{line}\n" for line in self.out), "".join(f"{line}\n" for line in self.err))

    def _ended(self) -> bool:
        return not (self._out.thread.is_alive() or self._err.thread.is_alive())


class Server(Program):
    """`wsctl serve`, listening."""

    def __init__(self, folder: Path, *arguments: str, prefix: Sequence[str] = ()) -> None:
        self._ready = folder / f"ready-{time.monotonic_ns()}.json"
        port = () if "--port" in arguments else ("--port", "0")
        super().__init__("serve", *port, *arguments, "--ready-file", str(self._ready), prefix=prefix)
        wait_until(lambda: self._ready.exists() or self.process.poll() is not None)
        assert self._ready.exists(), self.finish()
        self.url: str = json.loads(self._ready.read_text())["url"]
        self.port = int(self.url.rpartition(":")[2])


def wait_until(condition: Callable[[], Any]) -> None:
    """Poll for something that nobody tells about."""
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
