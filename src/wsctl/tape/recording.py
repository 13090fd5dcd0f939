"""Recordings of every kind behind one interface: told apart by their first line, read as frames, played together."""

import heapq
import re
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Protocol

from msgspec import structs

from wsctl.errors import UsageError
from wsctl.tape.format import Header, TapeFrame, is_header
from wsctl.tape.importers import cryptofeed, trades_csv
from wsctl.tape.importers.cryptofeed import CryptofeedReader, DialectOf
from wsctl.tape.importers.trades_csv import TradesReader
from wsctl.tape.reader import TapeReader
from wsctl.tape.source import Source

_CUT_HEADER = re.compile(rb'\s*\{\s*"wsctl"\s*:')


class Kind(Enum):
    """What a recorded stream is; all but Observations are frames."""

    TAPE = "tape"
    OBSERVATIONS = "observations"
    CRYPTOFEED = "cryptofeed"
    TRADES = "trades"


class Recording(Protocol):
    """Iterates TapeFrames, once; raises UsageError for a line that cannot be read."""

    header: Header

    @property
    def line(self) -> int:
        """Number of the latest record's line."""

    @property
    def place(self) -> str:
        """Its file and line, for messages."""

    @property
    def truncated(self) -> str | None:
        """Known at the end: what was cut off, in a sentence."""

    def __iter__(self) -> Iterator[TapeFrame]: ...


def kind_of(source: Source) -> Kind:
    """By the first line, which stays in the source. Raises UsageError if it is none of them."""
    line = source.first
    if line.lstrip().startswith(b"{"):
        return Kind.TAPE if is_header(line) or _CUT_HEADER.match(line) else Kind.OBSERVATIONS
    if cryptofeed.recognises(line):
        return Kind.CRYPTOFEED
    if trades_csv.recognises(line):
        return Kind.TRADES
    raise UsageError(
        f"{source.name}: neither a tape nor Observation lines, nor a capture of cryptofeed, nor a CSV file of trades"
    )


def read_frames(source: Source, dialect_of: DialectOf = cryptofeed.dialect_of) -> Recording:
    """The source's frames. `dialect_of` names the dialect of a URL, for captures that do not say.

    Raises UsageError for Observations, which are no frames, and for whatever cannot be read.
    """
    kind = kind_of(source)
    if kind is Kind.TAPE:
        return TapeReader(source)
    if kind is Kind.CRYPTOFEED:
        return CryptofeedReader(source, dialect_of)
    if kind is Kind.TRADES:
        return TradesReader(source)
    raise UsageError(f"{source.name}: Observation lines hold no frames; expected a tape or a capture")


class Merged:
    """Several recordings of one time as one: such as an exchange's WebSocket and its HTTP answers.

    In the order of their instants; what is simultaneous in the order given. Connections are numbered anew, except that
    the parts of one tape go on with those that were open.
    """

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._recordings = recordings
        self._latest = recordings[0]
        self._clients: dict[tuple[int, str], str] = {}
        headers = [recording.header for recording in recordings]
        tapes = {header.started_ns: index for index, header in reversed(list(enumerate(headers)))}
        self._tapes = [tapes[header.started_ns] if header.part > 1 else index for index, header in enumerate(headers)]
        """which tape each is a part of, by the place of the first"""
        self.header = Header(
            started_ns=min(header.started_ns for header in headers),
            dialect=next((header.dialect for header in headers if header.dialect), None),
            url=next((header.url for header in headers if header.url), None),
            clock="wall" if any(header.clock == "wall" for header in headers) else headers[0].clock,
            conns={
                self._renamed(index, conn): url
                for index, header in enumerate(headers)
                for conn, url in header.conns.items()
            },
        )

    def __iter__(self) -> Iterator[TapeFrame]:
        streams = [self._shifted(index, recording) for index, recording in enumerate(self._recordings)]
        for index, frame in heapq.merge(*streams, key=lambda item: item[1].at_ns):
            self._latest = self._recordings[index]
            yield frame

    @property
    def line(self) -> int:
        """Of the recording that the latest record came from."""
        return self._latest.line

    @property
    def place(self) -> str:
        """The latest record's file and line."""
        return self._latest.place

    @property
    def truncated(self) -> str | None:
        """Of the first recording that was."""
        return next((recording.truncated for recording in self._recordings if recording.truncated), None)

    def _shifted(self, index: int, recording: Recording) -> Iterator[tuple[int, TapeFrame]]:
        later_ns = recording.header.started_ns - self.header.started_ns
        for frame in recording:
            conn = self._renamed(index, frame.conn)
            yield index, structs.replace(frame, at_ns=frame.at_ns + later_ns, conn=conn)

    def _renamed(self, index: int, conn: str) -> str:
        """`c1.2` of the second recording becomes `c2.2`."""
        client, dot, attempt = conn.partition(".")
        if not client:
            return ""
        name = self._clients.setdefault((self._tapes[index], client), f"c{len(self._clients) + 1}")
        return name + dot + attempt
