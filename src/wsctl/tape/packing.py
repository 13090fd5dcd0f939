"""Compression of tapes, both ways: `.gz` and `.zst`, in blocks that can be read before the stream has ended."""

import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE = 256 * 1024
"""bytes unpacked at a time: a small file that unpacks to gigabytes costs no memory"""
_SLICE = 512
"""compressed bytes taken at a time: damage takes along whatever was unpacked together with it"""


class Packer(Protocol):
    """Bytes in, bytes for the file out."""

    def add(self, data: bytes) -> bytes:
        """Whatever is ready; the rest is held back."""

    def flush(self) -> bytes:
        """What was held back: together with what came before, it can be read."""

    def close(self) -> bytes:
        """The end of the stream."""


class Plain:
    """No compression."""

    def add(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""

    def close(self) -> bytes:
        return b""


class Gzip:
    """One gzip member; flushed at a byte boundary (Z_SYNC_FLUSH)."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(wbits=31)

    def add(self, data: bytes) -> bytes:
        return self._packer.compress(data)

    def flush(self) -> bytes:
        return self._packer.flush(zlib.Z_SYNC_FLUSH)

    def close(self) -> bytes:
        return self._packer.flush(zlib.Z_FINISH)


class Zstd:
    """One zstandard frame with a checksum; flushed at the end of a block."""

    def __init__(self) -> None:
        self._packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.checksum_flag: 1})

    def add(self, data: bytes) -> bytes:
        return self._packer.compress(data)

    def flush(self) -> bytes:
        return self._packer.flush(zstd.ZstdCompressor.FLUSH_BLOCK)

    def close(self) -> bytes:
        return self._packer.flush(zstd.ZstdCompressor.FLUSH_FRAME)


_PACKERS: dict[str, type[Gzip] | type[Zstd]] = {".gz": Gzip, ".zst": Zstd}
COMPRESSED = frozenset(_PACKERS)
"""suffixes of names, in lower case"""


def packer_for(path: Path) -> Packer:
    """By the name's suffix."""
    packer = _PACKERS.get(path.suffix.lower())
    return packer() if packer else Plain()


class Damaged(Exception):
    """Compressed data that cannot be read."""


class Unpacker(Protocol):
    """Iterates what compressed chunks hold; several streams one after the other are one. Raises Damaged."""

    cut: bool
    """the data ended before its stream did: known at the end"""

    def __iter__(self) -> Iterator[bytes]: ...


class Gunzip:
    """Unpacks gzip members."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.cut = False

    def __iter__(self) -> Iterator[bytes]:
        unpacker = zlib.decompressobj(wbits=31)
        try:
            for rest in _sliced(self._chunks):
                while rest:
                    self.cut = True
                    yield unpacker.decompress(rest, PIECE)
                    rest = unpacker.unconsumed_tail
                    if unpacker.eof:
                        rest, unpacker, self.cut = unpacker.unused_data, zlib.decompressobj(wbits=31), False
            yield unpacker.flush()
        except zlib.error as error:
            raise Damaged(str(error).partition(": ")[2] or str(error)) from error


class Unzstd:
    """Unpacks zstandard frames."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.cut = False

    def __iter__(self) -> Iterator[bytes]:
        unpacker = zstd.ZstdDecompressor()
        try:
            for rest in _sliced(self._chunks):
                more = True
                while more:
                    self.cut = True
                    yield unpacker.decompress(rest, PIECE)
                    rest, more = b"", not unpacker.needs_input
                    if unpacker.eof:
                        rest, unpacker, self.cut = unpacker.unused_data, zstd.ZstdDecompressor(), False
                        more = bool(rest)
        except zstd.ZstdError as error:
            raise Damaged(str(error)) from error


def _sliced(chunks: Iterable[bytes]) -> Iterator[bytes]:
    return (chunk[at : at + _SLICE] for chunk in chunks for at in range(0, len(chunk), _SLICE))


UNPACKERS: dict[bytes, type[Gunzip] | type[Unzstd]] = {b"\x1f\x8b": Gunzip, b"\x28\xb5\x2f\xfd": Unzstd}
"""by the bytes that such a stream begins with"""
