"""What fuzzing can be told; the command line and scenarios fill the same struct."""

from pathlib import Path

from msgspec import Struct

from wsctl.client.target import Target

CASES = 200
"""generated ones, unless told otherwise"""
MAX_STALL = 1.0
MAX_BYTES = 16 * 1024 * 1024
WAIT = 10.0
CLIENT_WAIT = 30.0


class FuzzOptions(Struct, frozen=True, kw_only=True):
    """Times in seconds."""

    target: Target
    seed: int
    name: str = ""
    probes: tuple[str, ...] = ()
    """ids; none: all of the groups"""
    groups: tuple[str, ...] = ()
    """none: all that apply to the target"""
    cases: int = CASES
    """to generate"""
    corpus: tuple[Path, ...] = ()
    """tapes whose clients' frames are mutated"""
    repro: Path | None = None
    """play this file, and nothing else"""
    pid: int | None = None
    """of the target, on this machine"""
    command: str | None = None
    """that starts the target: it is started anew whenever it died"""
    max_stall: float = MAX_STALL
    """a connection beside the hostile ones may wait so long for an answer"""
    max_bytes: int = MAX_BYTES
    """that one case may send"""
    rate: float = 0.0
    """cases a second at most; 0: as they come"""
    duration: float | None = None
    """for all of it"""
    wait: float = WAIT
    """for a target that died to come back"""
    fail_fast: bool = False
    """stop at the first harm"""
    out: Path | None = None
    """where reproduction files go; None: here"""
    allow_remote: bool = False
    """the user says that the target is theirs"""

    @property
    def place(self) -> Path:
        """The folder of reproduction files."""
        return self.out or Path()


def cases_meant(cases: int | None, *, probes: tuple[str, ...], corpus: tuple[Path, ...]) -> int:
    """How many cases to generate; who names a probe wants that, and nothing that nobody named."""
    if cases is None:
        return 0 if probes and not corpus else CASES
    return cases


class ServeFuzzOptions(Struct, frozen=True, kw_only=True):
    """What attacking clients can be told. Times in seconds."""

    seed: int
    host: str | None = None
    """where to listen; None: on both loopbacks"""
    port: int = 0
    """0 picks one"""
    dialect: str | None = None
    """that clients speak; None: Socket.IO"""
    probes: tuple[str, ...] = ()
    """ids; none: all of the groups"""
    groups: tuple[str, ...] = ()
    """none: all that apply"""
    client_pid: int | None = None
    """of the client, on this machine"""
    wait: float = CLIENT_WAIT
    """for a client to come, or to come back"""
    duration: float | None = None
    """for all of it"""
    fail_fast: bool = False
    """stop at the first harm"""
    allow_remote: bool = False
    """the user says that clients from elsewhere are theirs"""
