"""Observation lines, as subscribe prints them, read back."""

from collections.abc import Iterable, Iterator

import msgspec

from wsctl.errors import UsageError
from wsctl.model.observation import Observation, decode


class Lines:
    """Iterates the Observations in lines of JSON.

    Raises UsageError, with the line's number, for a line that is no Observation. A last line that was cut off (its
    writer was killed) is left out and told by `truncated`.
    """

    def __init__(self, lines: Iterable[bytes], name: str) -> None:
        self._lines = lines
        self._name = name
        self.truncated = False

    def __iter__(self) -> Iterator[Observation]:
        for number, line in enumerate(self._lines, start=1):
            if line.isspace():
                continue
            try:
                yield decode(line)
            except msgspec.DecodeError as error:
                if not line.endswith(b"\n"):
                    self.truncated = True
                    return
                message = f"{self._name}:{number}: not an Observation: {str(error)[:120].lower()}"
                raise UsageError(message, hint="wsctl subscribe --format jsonl writes them") from error
