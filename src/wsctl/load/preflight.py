"""Whether this machine can hold so many connections, and what to set where it cannot."""

import math
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from msgspec import Struct, structs

from wsctl.client.target import Target
from wsctl.errors import UsageError
from wsctl.load.options import Control
from wsctl.server.sockets import bind
from wsctl.swarm.process import SPARE_DESCRIPTORS

PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
USUAL_PORTS = 28_232
"""of Linux, where the range cannot be read"""
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what people ask for by `*`
PORTS_USED = 0.9
"""share of them to count on: some are taken, or wait to be free again"""
PER_CONNECTION = 40_000
"""bytes of memory at most, ours"""
PER_PROCESS = 150_000_000
"""bytes that the processes of a worker need before there is any connection"""
PER_CORE = 20_000
"""connections for which one core is enough at a message a second each"""


class Machine(Struct, frozen=True, kw_only=True):
    """What matters of it."""

    descriptors: int | None
    """open files that a process may have, once it has raised its limit as far as it may; None: any number"""
    ports: int
    """that outgoing connections may come from, per source address"""
    cores: int
    memory: int
    """bytes that are free"""


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    about: str
    found: str
    fits: bool
    advice: str | None = None
    """what to do where it does not fit"""


def this_machine() -> Machine:
    """As it is now."""
    return Machine(
        descriptors=_descriptors(),
        ports=_ports(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=psutil.virtual_memory().available,
    )


def checks(machine: Machine, users: int, *, workers: int = 0, addresses: int = 1) -> Iterator[Check]:
    """What so many connections need, in that many processes, from that many source addresses."""
    processes = max(1, workers)
    each = math.ceil(users / processes) + SPARE_DESCRIPTORS
    limit = machine.descriptors
    room = 0 if limit is None else limit - SPARE_DESCRIPTORS
    yield Check(
        about="open files",
        found=f"{'no limit' if limit is None else f'{limit:,} a process'}; {each:,} needed",
        fits=limit is None or limit >= each,
        advice="raise the hard limit: ulimit -Hn, LimitNOFILE= in a unit, nofile in /etc/security/limits.conf"
        + (f"; or --workers {math.ceil(users / room)}" if room > 0 else ""),
    )
    ports = int(machine.ports * PORTS_USED) * addresses
    source = "one source address" if addresses == 1 else f"{addresses} source addresses"
    yield Check(
        about="ports",
        found=f"{machine.ports:,} on {source}; {users:,} needed",
        fits=ports >= users,
        advice="widen the range: sysctl -w net.ipv4.ip_local_port_range='1024 65535'; or use more machines",
    )
    yield Check(
        about="cores",
        found=f"{machine.cores}; {processes} {'process' if processes == 1 else 'processes'} of load",
        fits=processes <= machine.cores and users <= PER_CORE * processes,
        advice=f"--workers {min(machine.cores, math.ceil(users / PER_CORE))} uses more of them"
        if processes < machine.cores
        else "workers beyond the cores wait for each other; --master and --worker spread over machines",
    )
    needed = users * PER_CONNECTION + processes * PER_PROCESS
    yield Check(
        about="memory",
        found=f"{machine.memory / 1e9:,.1f} GB free; about {needed / 1e9:,.1f} GB needed",
        fits=machine.memory >= needed,
        advice="use more machines: --master here, --worker there",
    )


def most_users(machine: Machine, *, workers: int = 0) -> int:
    """As many connections as open files and the ports of one source address allow, but at least one."""
    ports = int(machine.ports * PORTS_USED)
    if machine.descriptors is None:
        return ports
    return max(1, min(ports, (machine.descriptors - SPARE_DESCRIPTORS) * max(1, workers)))


def source_addresses(target: Target, users: int, machine: Machine) -> tuple[str, ...]:
    """Those to connect from: more than one where ports would run out, on the loopback network, which has millions."""
    host = urlsplit(target.url).hostname or ""
    needed = math.ceil(users / (machine.ports * PORTS_USED))
    if needed <= 1 or not host.startswith("127.") or not sys.platform.startswith("linux"):
        return ()
    return tuple(f"127.0.{number // 250}.{number % 250 + 1}" for number in range(needed))


def require(machine: Machine, users: int, *, workers: int, addresses: int) -> list[str]:
    """Notes on what is tight. Raises UsageError for what makes it impossible: too few open files or ports."""
    notes = []
    for check in checks(machine, users, workers=workers, addresses=max(1, addresses)):
        if check.fits:
            continue
        if check.about in ("open files", "ports"):
            raise UsageError(f"too few {check.about} for {users:,} connections: {check.found}", hint=check.advice)
        notes.append(f"{check.about}: {check.found}; {check.advice}")
    return notes


def require_free(control: Control) -> Control:
    """The same, the master's host as an address.

    Raises UsageError for a place that the master or the web UI could not have: Locust would not say so.
    """
    places = []
    if control.master:
        address = _address(control.bind)
        if control.bind != "*":
            control = structs.replace(control, bind=address)
        places.append((address, control.port, "--master-port"))
    if control.web_port is not None:
        places.append((control.web_host, control.web_port, "--web-ui"))
    for host, port, option in places:
        try:
            for listening in bind(host, port):
                listening.close()
        except UsageError as error:
            hint = error.hint and f"{option} 0 picks a port that is free"
            raise UsageError(error.message, hint=hint) from error
    return control


def _address(host: str) -> str:
    """Of this machine; of a name that has several an IPv4 one, which workers look for first. Raises UsageError."""
    if host == "*":
        return EVERYWHERE
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UsageError(
            f"the host {host} of --master-bind is not known", hint="an address of this machine, or '*' for all"
        ) from error
    return str(min(found, key=lambda one: one[0] != socket.AF_INET)[4][0])


def _descriptors() -> int | None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if hard == resource.RLIM_INFINITY else hard


def _ports() -> int:
    try:
        first, last = map(int, PORT_RANGE.read_text().split())
    except (OSError, ValueError):
        return USUAL_PORTS
    return last - first + 1
