"""Talk for people, on stderr; data goes to stdout."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from wsctl.errors import WsctlError

_HARMLESS = {code: "�" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
"""control characters that a feed may send: a terminal would obey them"""


def say(text: str) -> None:
    """One line of talk. Where nobody can hear it, it is left unsaid: work and verdict do not depend on it."""
    try:
        sys.stderr.write(text.translate(_HARMLESS) + "\n")  # in one piece: print() writes the newline on its own
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)


def complain(message: str, hint: str | None = None) -> None:
    """One sentence about what went wrong, and how to mend it."""
    say(f"wsctl: error: {message}" + (f"\n  hint: {hint}" if hint else ""))


def print_text(text: str) -> None:
    """Data on stdout; half a surrogate pair, which UTF-8 cannot say, becomes `?`.

    Raises BrokenPipeError once the reader has left, and WsctlError when it cannot be written (a full disk).
    """
    try:
        sys.stdout.write(text.encode(errors="replace").decode() + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        raise WsctlError(f"cannot write the output: {(error.strerror or str(error)).lower()}") from error


def to_json(value: Any) -> str:
    """JSON on one line, whatever texts a feed sent."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Whoever reads our output may have had enough (`| head`): that is no error."""
    try:
        yield
    except BrokenPipeError:
        discard_output()


def discard_output() -> None:
    """Nothing more can be written, not even by Python's own last flush."""
    _discard(sys.stdout)


def _discard(stream: TextIO) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
