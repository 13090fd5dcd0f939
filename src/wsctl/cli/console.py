"""Talk for people, on stderr; data goes to stdout."""

import sys

_HARMLESS = {code: "�" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
"""control characters that a feed may send: a terminal would obey them"""


def say(text: str) -> None:
    """One line of talk."""
    print(text.translate(_HARMLESS), file=sys.stderr, flush=True)  # noqa: T201 - this is where talk goes out


def complain(message: str, hint: str | None = None) -> None:
    """One sentence about what went wrong, and how to mend it."""
    say(f"wsctl: error: {message}" + (f"\n  hint: {hint}" if hint else ""))
