"""Talk for people, on stderr; data goes to stdout."""

import sys


def say(text: str) -> None:
    """One line of talk."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is where talk goes out


def complain(message: str, hint: str | None = None) -> None:
    """One sentence about what went wrong, and how to mend it."""
    say(f"wsctl: error: {message}" + (f"\n  hint: {hint}" if hint else ""))
