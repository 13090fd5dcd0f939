"""What a service runs: a command of wsctl's own with its options."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from wsctl.scenario.spec import ReplayServiceSpec
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
