"""A server of a bed, as a process of its own on loopback."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from msgspec import Struct

from tests.vulnerable.beds import ROOT, Bed


class Served(Struct, frozen=True):
    """A server that answers."""

    port: int
    process: subprocess.Popen[bytes]
    talk: IO[bytes]
    """what it writes to stderr"""

    def last_words(self) -> str:
        """Of one that died: the line that says of what."""
        if self.process.poll() is None:
            return ""
        self.talk.seek(0)
        lines = [line.strip() for line in self.talk.read().decode(errors="replace").splitlines()]
        return next((line for line in lines if "Error" in line), "")


@contextmanager
def served(bed: Bed, server: str) -> Iterator[Served]:
    """Start it, and end it in the end if it still lives. Raises RuntimeError where it does not start."""
    command, more = bed.command(server)
    with (
        tempfile.TemporaryFile() as talk,
        subprocess.Popen(command, cwd=ROOT, env={**os.environ, **more}, stdout=subprocess.PIPE, stderr=talk) as process,
    ):
        try:
            assert process.stdout is not None, "it was just asked for"
            port = process.stdout.readline()
            if not port.strip():
                talk.seek(0)
                raise RuntimeError(f"{server} of {bed.folder.name} did not start: {talk.read().decode()}")
            yield Served(int(port), process, talk)
        finally:
            process.kill()
