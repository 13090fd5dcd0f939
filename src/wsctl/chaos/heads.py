"""HTTP heads as they pass: read, and rewritten where the proxy has to. No I/O."""

from collections.abc import Sequence

from msgspec import Struct

MAX_HEAD = 64 * 1024
"""bytes"""


class Head(Struct, frozen=True):
    """The head of a request or an answer: its first line, and its headers in their order."""

    line: str
    headers: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """A header's values, joined by commas; empty: it is not there."""
        return ", ".join(value for key, value in self.headers if key.lower() == name)

    @property
    def is_upgrade(self) -> bool:
        """Whether it asks for a WebSocket."""
        return self.get("upgrade").lower() == "websocket"

    @property
    def target(self) -> str:
        """The path and query of a request."""
        return self.line.split(" ")[1] if self.line.count(" ") >= 2 else ""

    @property
    def status(self) -> int:
        """Of an answer; 0 where there is none."""
        code = self.line.split(" ")[1] if " " in self.line else ""
        return int(code) if code.isdigit() else 0

    def changed(self, *, without: Sequence[str] = (), **given: str) -> "Head":
        """With some headers left out, and others given another value where they are."""
        values = {name.replace("_", "-"): value for name, value in given.items()}
        headers = tuple(
            (key, values.get(key.lower(), value)) for key, value in self.headers if key.lower() not in without
        )
        return Head(self.line, headers)

    def encode(self) -> bytes:
        """As it stands on the wire."""
        lines = [self.line, *(f"{key}: {value}" for key, value in self.headers), "", ""]
        return "\r\n".join(lines).encode("latin-1")


def parse(text: bytes) -> Head:
    """A head, as far as its empty line."""
    line, *fields = text.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    pairs = (field.partition(":") for field in fields)
    return Head(line, tuple((name, value.strip()) for name, _, value in pairs))
