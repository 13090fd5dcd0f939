"""What can go wrong, and how wsctl ends.

    WsctlError              wsctl itself failed                                    exit 4
    ├── UsageError          what was asked for makes no sense                      exit 2
    │   └── Unserved        the target serves nothing of it
    ├── TargetError         the other side is not there, or gone for good          exit 3
    │   ├── Unreachable     nothing answers, or nothing that speaks the dialect
    │   ├── Refused         it answers and does not let us in
    │   │   └── Denied      it let us in, and not to what was asked for
    │   └── Gone            it was there and will not be again
    └── WireError           bytes that break a protocol; caught where a session is driven

A failing target is never an exception but a Finding: it ends in exit 1.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a wsctl process ends. Scripts rely on these numbers."""

    PASSED = 0
    FINDINGS = 1
    USAGE = 2
    TARGET = 3
    INTERNAL = 4
    INTERRUPTED = 130


EXIT_MEANINGS = {
    ExitCode.PASSED: "passed (SIGTERM of serve, replay, chaos and record --listen included)",
    ExitCode.FINDINGS: "findings, a missed expectation, or nothing could be verified",
    ExitCode.USAGE: "usage: a bad option, file or symbol",
    ExitCode.TARGET: "target unreachable, or gone for good",
    ExitCode.INTERNAL: "wsctl's own fault",
    ExitCode.INTERRUPTED: "Ctrl-C",
}


class WsctlError(Exception):
    """A sentence for people: lower case, fact first, then what was expected; a hint on its own line."""

    exit_code = ExitCode.INTERNAL

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class UsageError(WsctlError):
    """What was asked for makes no sense."""

    exit_code = ExitCode.USAGE


class Unserved(UsageError):
    """The target let us in and has nothing of what was asked for, such as an unknown symbol."""

    def __init__(self, message: str, *, hint: str | None = None, codes: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.codes = codes
        """the server's, of each subscription that it refused"""


class TargetError(WsctlError):
    """The other side is not there, or gone for good."""

    exit_code = ExitCode.TARGET


class Unreachable(TargetError):
    """Nothing answers at the URL, or nothing that speaks the dialect.

    `answered` tells the two apart: something did answer, so another transport may do better. `retry_after` are the
    seconds that it asked to be left alone for.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, answered: bool = False, retry_after: float = 0.0
    ) -> None:
        super().__init__(message, hint=hint)
        self.answered = answered
        self.retry_after = retry_after


class Refused(TargetError):
    """The target answers and does not let us in (a token, a limit)."""


class Denied(Refused):
    """The target let us in and refuses what was asked for: a channel of somebody else."""

    def __init__(self, message: str, *, hint: str | None = None, codes: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.codes = codes
        """the server's, of each subscription that it refused"""


class Gone(TargetError):
    """The target was there and will not be again (it said so, or attempts ran out)."""


class WireError(WsctlError):
    """Bytes that break a protocol."""
