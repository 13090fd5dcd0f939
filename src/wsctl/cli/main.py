"""Entry point: run a command, turn whatever ends it into one sentence and an exit code.

Nothing that takes time is imported on top, so that Ctrl-C during start-up is met by `main`, too.
"""

import os
import sys

TYPE_CHECKING = False  # `typing` takes a while to import, and checkers take this for its constant
if TYPE_CHECKING:
    from typing import NoReturn

    from typer import Typer, TyperException

    from wsctl.errors import ExitCode


def main() -> None:
    """The console script `wsctl`."""
    try:
        _open_standard_streams()
        _leave_at_once_on_interrupt()
        code = _run_command()
    except KeyboardInterrupt:
        _die_interrupted()
    sys.exit(code)


def _run_command() -> int:
    from typer import Abort, TyperException

    from wsctl.cli.app import app
    from wsctl.cli.console import complain, reader_may_leave, say
    from wsctl.errors import ExitCode, WsctlError

    try:
        code = ExitCode.PASSED
        with reader_may_leave():
            code = _invoke(app)
        with reader_may_leave():
            sys.stdout.flush()
        return int(code or ExitCode.PASSED)
    except WsctlError as error:
        complain(error.message, error.hint)
        return error.exit_code
    except TyperException as error:
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError":
            say(error.format_message())
        else:
            complain(_sentence(error), f"{context.command_path} --help" if context else None)
        return ExitCode.USAGE
    except Abort as abort:
        raise KeyboardInterrupt from abort
    except Exception as error:
        if os.environ.get("WSCTL_DEBUG"):
            raise
        complain(
            f"wsctl itself failed: {type(error).__name__}: {error}",
            "WSCTL_DEBUG=1 shows where; please report it",
        )
        return ExitCode.INTERNAL


def _invoke(app: "Typer") -> "ExitCode":
    try:
        code: ExitCode = app(prog_name="wsctl", standalone_mode=False)
        return code
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # for Typer that is exit 1
            raise end.__context__ from None
        raise


def _sentence(error: "TyperException") -> str:
    """Typer's words in our form: `Invalid value for '--count': 0 is not …` is `--count: 0 is not …`."""
    import re

    text = error.format_message()
    match = re.fullmatch(r"Invalid value(?: for '([^']+)')?: (.*)", text, re.DOTALL)
    name, rest = match.groups() if match else (None, text)
    lowered = (rest[:1].lower() + rest[1:]).removesuffix(".")
    return f"{name}: {lowered}" if name else lowered


def _leave_at_once_on_interrupt() -> None:
    """Until a command has something to clean up (`wsctl.cli.loop.interruptible`), Ctrl-C simply ends it.

    As an exception, in the middle of an import, it may come out as another one.
    """
    import signal

    signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))


def _die_interrupted() -> "NoReturn":
    """Exit 130 at once: Python's own way out takes time, in which another Ctrl-C would be a traceback.

    It would also end by signal instead wherever the first one met code that was compiled from a text.
    """
    import signal
    from contextlib import suppress

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with suppress(OSError):
        sys.stdout.flush()
    os._exit(130)


def _open_standard_streams() -> None:
    """A stream closed by the shell (`>&-`) is /dev/null; left closed, a socket would get its number."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123 - as long as the process lives
