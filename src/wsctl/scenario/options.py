"""What a run of scenarios can be told."""

from pathlib import Path

from msgspec import Struct

from wsctl.client.target import Target


class RunOptions(Struct, frozen=True, kw_only=True):
    """How to run. Times in seconds."""

    target: Target | None = None
    """takes the place of the services; None: they are started"""
    wait: float = 0.0
    """for a target to come up"""
    out: Path | None = None
    """where evidence is kept; None: nowhere"""
    timeout: float | None = None
    """for the whole run; what is not done by then ends with error"""
    fail_fast: bool = False
    """end the run with the first scenario that does not pass"""
    repeat: int = 1
    """rounds of all scenarios"""
