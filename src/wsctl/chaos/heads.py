"""HTTP heads as they pass: read, and rewritten where the proxy has to; all else stays as it came. No I/O."""

import re
from collections.abc import Sequence
from urllib.parse import parse_qs

from msgspec import Struct

from wsctl.errors import WireError

MAX_HEAD = 64 * 1024
"""bytes"""
END = b"\r\n\r\n"
_FIRST_LINE = re.compile(r"[!-~]+ [!-~\x80-\xff]+ HTTP/1\.[01]|HTTP/1\.[01] [1-5][0-9][0-9]( .*)?")
"""of a request or an answer (RFC 9112, 3 and 4)"""


class Head(Struct, frozen=True):
    """The head of a request or an answer: its first line, and those of its headers as they stand there."""

    line: str
    fields: tuple[str, ...]

    def get(self, name: str) -> str:
        """A header's values, joined by commas; empty: it is not there."""
        return ", ".join(field.partition(":")[2].strip() for field in self.fields if _name(field) == name)

    def has(self, name: str, word: str) -> bool:
        """Whether a word is among a header's."""
        return word in (one.strip() for one in self.get(name).lower().split(","))

    @property
    def is_upgrade(self) -> bool:
        """Whether it asks for a WebSocket."""
        return self.has("upgrade", "websocket")

    @property
    def method(self) -> str:
        """Of a request."""
        return self.line.partition(" ")[0]

    @property
    def target(self) -> str:
        """The path and query of a request."""
        return self.line.split(" ")[1]

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.line.split(" ")[1])

    @property
    def sid(self) -> str | None:
        """The Engine.IO session that a request belongs to; empty: it is to begin one; None: it has nothing to do
        with Engine.IO.
        """
        query = parse_qs(self.target.partition("#")[0].partition("?")[2])
        return query.get("sid", [""])[0] if "EIO" in query else None

    def changed(self, *, without: Sequence[str] = (), **given: str) -> "Head":
        """With some headers left out, and others given another value where they are."""
        values = {name.replace("_", "-"): value for name, value in given.items()}
        fields = (
            f"{field.partition(':')[0]}: {values[_name(field)]}" if _name(field) in values else field
            for field in self.fields
            if _name(field) not in without
        )
        return Head(self.line, tuple(fields))

    def encode(self) -> bytes:
        """As it stands on the wire."""
        return "\r\n".join((self.line, *self.fields)).encode("latin-1") + END


def parse(text: bytes) -> Head:
    """A head, as far as its empty line. Raises WireError for what is none of HTTP/1."""
    line, *fields = text.removesuffix(END).decode("latin-1").split("\r\n")
    if not _FIRST_LINE.fullmatch(line):
        raise WireError(f"{line[:40]!r} begins neither a request nor an answer of HTTP/1")
    return Head(line, tuple(fields))


def _name(field: str) -> str:
    return field.partition(":")[0].strip().lower()
