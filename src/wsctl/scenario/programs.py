"""What a service runs: a command of wsctl's own with its options."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from wsctl.chaos.asked import as_attributes
from wsctl.chaos.fault import FaultSpec
from wsctl.scenario.harms import named
from wsctl.scenario.spec import ChaosServiceSpec, ReplayServiceSpec
from wsctl.scenario.speech import beside, tapes_of
from wsctl.spec.units import write_duration

Program = Callable[[Path], Sequence[str]]
"""the command line, but for what every service is told; a folder of its own takes what must not be on it"""


def serve(options: dict[str, Any]) -> Program:
    """A mock feed; options as its config file has them."""

    def command(scratch: Path) -> Sequence[str]:
        config = scratch / "options.json"
        config.write_bytes(msgspec.json.encode(options))
        port = () if "port" in options else ("--port", "0")
        return ("serve", "--config", str(config), *port, "--control")

    return command


def chaos(options: ChaosServiceSpec, upstreams: Sequence[str], dialect: str | None) -> Program:
    """A proxy before services that run already."""
    given = named(options.faults, options.preset)

    def command(scratch: Path) -> Sequence[str]:
        faults = scratch / "faults.json"
        faults.write_bytes(msgspec.json.encode([_fault(name, *one) for name, one in given.items()]))
        found = ["chaos", "--port", "0", "--control-port", "0", "--faults", str(faults)]
        for url in upstreams:
            found += ["--upstream", url]
        for option, value in (("--preset", options.preset), ("--seed", options.seed), ("--dialect", dialect)):
            if value is not None:
                found += [option, str(value)]
        return found

    return command


def _fault(name: str, kind: str, spec: FaultSpec) -> dict[str, Any]:
    return {kind: {"name": name, **as_attributes(spec)}}


def replay(options: ReplayServiceSpec, folder: Path) -> Program:
    """A recorded feed; its files stand beside the scenario, in `folder`."""
    command = ["replay", *map(str, tapes_of(options, folder)), "--port", "0", "--speed", str(options.speed)]
    if options.dialect is not None:
        command += ["--dialect", beside(folder, options.dialect)]
    if options.since:
        command += ["--from", write_duration(options.since)]
    if options.until is not None:
        command += ["--until", write_duration(options.until)]
    command += ["--loop"] * options.loop + ["--restamp"] * options.restamp
    return lambda scratch: command
