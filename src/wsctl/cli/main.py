"""Entry point: run a command, turn whatever ends it into one sentence and an exit code."""

import os
import re
import sys
from typing import Any, NoReturn

from wsctl.errors import ExitCode, WsctlError


def main() -> NoReturn:
    """The console script `wsctl`."""
    try:
        code = _run_command()
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        code = _reader_left()
    sys.exit(code)


def _run_command() -> int:
    from typer import Abort, TyperException

    from wsctl.cli.app import app
    from wsctl.cli.console import complain, say

    try:
        code = app(prog_name="wsctl", standalone_mode=False)
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
    except Abort:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get("WSCTL_DEBUG"):
            raise
        complain(
            f"wsctl itself failed: {type(error).__name__}: {error}",
            "WSCTL_DEBUG=1 shows where; please report it",
        )
        return ExitCode.INTERNAL


def _sentence(error: Any) -> str:
    """Typer's words in our form: `Invalid value for '--count': Input should …` is `--count: input should …`."""
    text: str = error.format_message()
    match = re.fullmatch(r"Invalid value(?: for '([^']+)')?: (.*)", text, re.DOTALL)
    name, rest = match.groups() if match else (None, text)
    lowered = (rest[:1].lower() + rest[1:]).removesuffix(".")
    return f"{name}: {lowered}" if name else lowered


def _reader_left() -> int:
    """`wsctl … | head` got what it wanted; nothing more can be written, not even by Python's own last flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.PASSED
