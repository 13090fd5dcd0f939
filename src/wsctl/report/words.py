"""Texts from outside, made safe for a terminal."""

from rich.text import Text


def plain(text: str, style: str = "") -> Text:
    """A text from outside: its control characters are not for the terminal."""
    return Text("".join(character if character.isprintable() else "�" for character in text), style)
