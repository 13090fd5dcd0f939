"""--trace: frames as people read them, on stderr."""

from wsctl.cli.console import say
from wsctl.client.tap import Frame
from wsctl.tape.redact import redacted_frame


class Trace:
    """A Tap: `>` stands before what was sent, `<` before what was received; secrets are left out."""

    def opened(self, url: str, headers: tuple[tuple[str, str], ...]) -> None:
        """Told elsewhere."""

    def received(self, frame: Frame) -> None:
        """A message came."""
        say(f"< {_readable(frame)}")

    def sent(self, frame: Frame, shown: Frame) -> None:
        """A message goes out."""
        say(f"> {_readable(redacted_frame(shown))}")

    def closed(self, code: int, reason: str) -> None:
        """Told elsewhere."""


def _readable(frame: Frame) -> str:
    return f"{len(frame)} bytes: {frame[:64].hex(' ')}" if isinstance(frame, bytes) else frame
