"""A place of one's own on the network, so that port 3000 is free whatever runs on the machine."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

PORT = 3000

_HOLD = "ip link set lo up && echo up && read -r line"


class Namespace(NamedTuple):
    """How to start a program there."""

    prefix: tuple[str, ...] = ()


@contextmanager
def own_port_3000() -> Iterator[Namespace]:
    """A network namespace where Linux lets us have one; else the machine itself, if its port 3000 is free."""
    holder = _hold()
    if holder is None:
        if _taken():
            pytest.skip("something listens on port 3000, and no network namespace can be had")
        yield Namespace()
        return
    try:
        yield Namespace(("nsenter", "-t", str(holder.pid), "-U", "-n", "--preserve-credentials"))
    finally:
        holder.communicate(b"\n", timeout=10)


def _hold() -> subprocess.Popen[bytes] | None:
    """A process that keeps a namespace with a working loopback."""
    if not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        return None
    holder = subprocess.Popen(
        ["unshare", "-rn", "sh", "-c", _HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert holder.stdout is not None
    if holder.stdout.readline() == b"up\n" and _can_enter(holder.pid):
        return holder
    holder.communicate(b"\n", timeout=10)
    return None


def _can_enter(pid: int) -> bool:
    enter = ["nsenter", "-t", str(pid), "-U", "-n", "--preserve-credentials", "true"]
    return subprocess.run(enter, capture_output=True, timeout=10).returncode == 0


def _taken() -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", PORT)) == 0
