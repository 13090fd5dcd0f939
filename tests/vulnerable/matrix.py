"""The matrix: which probe fails at which version of what, and passes at the next."""

from collections.abc import Mapping

from msgspec import Struct

from tests.vulnerable.beds import Bed, Index


class Row(Struct, frozen=True, kw_only=True):
    """A probe, and two programs that differ in nothing but the version of a package."""

    probe: str
    program: str
    """a file of `programs/`. A server prints its port; a client is told a URL"""
    package: str
    vulnerable: str
    fixed: str
    beside: Mapping[str, str] = {}
    """other packages that are installed, in versions that suit both"""
    index: Index = "npm"
    raw: bool = False
    """it speaks WebSocket, and no Engine.IO"""

    def bed(self, version: str) -> Bed:
        """What is installed for one of the two."""
        return Bed(self.index, {self.package: version, **self.beside})


def _ws(probe: str, vulnerable: str, fixed: str, program: str = "ws_server.cjs") -> Row:
    return Row(probe=probe, program=program, package="ws", vulnerable=vulnerable, fixed=fixed, raw=True)


def _engineio(probe: str, vulnerable: str, fixed: str) -> Row:
    return Row(probe=probe, program="engineio_server.cjs", package="engine.io", vulnerable=vulnerable, fixed=fixed)


def _parser(probe: str, vulnerable: str, fixed: str, socketio: str) -> Row:
    """Of the parser that Socket.IO's server and client of that version share."""
    side = "client" if probe.endswith("C") else "server"
    return Row(
        probe=probe,
        program=f"socketio_{side}.cjs",
        package="socket.io-parser",
        vulnerable=vulnerable,
        fixed=fixed,
        beside={"socket.io" if side == "server" else "socket.io-client": socketio},
    )


def _python_engineio(probe: str, program: str, beside: Mapping[str, str] = {}) -> Row:
    return Row(
        probe=probe,
        program=program,
        package="python-engineio",
        vulnerable="4.13.1",
        fixed="4.13.2",
        beside=beside,
        index="pypi",
    )


def _aiohttp(probe: str, program: str) -> Row:
    return Row(
        probe=probe,
        program=program,
        package="aiohttp",
        vulnerable="3.14.1",
        fixed="3.14.2",
        index="pypi",
        raw=True,
    )


def _undici(probe: str) -> Row:
    return Row(
        probe=probe, program="undici_client.cjs", package="undici", vulnerable="7.23.0", fixed="7.24.0", raw=True
    )


MATRIX: tuple[Row, ...] = (
    _ws("H1", "8.17.0", "8.17.1"),
    _ws("H2", "7.4.5", "7.4.6"),
    _ws("H3", "3.3.0", "3.3.1"),
    _engineio("H4", "6.1.0", "6.1.1"),
    _engineio("H5", "6.2.0", "6.2.1"),
    _engineio("H5E", "6.6.11", "6.6.12"),
    _engineio("H6", "6.4.1", "6.4.2"),
    _undici("H8"),
    _aiohttp("H9", "aiohttp_server.py"),
    _undici("F6C"),
    _ws("F7", "8.20.1", "8.21.0"),
    _ws("F7C", "8.20.1", "8.21.0", "ws_client.cjs"),
    _undici("F8C"),
    _aiohttp("F9", "aiohttp_client.py"),
    _engineio("E2", "6.6.6", "6.6.7"),
    _python_engineio("E3", "python_engineio_server.py"),
    _python_engineio("E4N", "python_socketio_server.py", {"python-socketio": "5.16.2"}),
    _parser("S2", "4.0.4", "4.0.5", "4.4.1"),
    _parser("S3", "4.2.2", "4.2.3", "4.6.2"),
    _parser("S3C", "4.2.2", "4.2.3", "4.6.2"),
    Row(probe="S4", program="socketio_server.cjs", package="socket.io", vulnerable="4.6.1", fixed="4.6.2"),
    _parser("S5", "4.2.5", "4.2.6", "4.8.1"),
    _parser("S5C", "4.2.5", "4.2.6", "4.8.1"),
    _parser("S6", "4.2.6", "4.2.7", "4.8.1"),
    _parser("S6C", "4.2.6", "4.2.7", "4.8.1"),
    Row(
        probe="S7",
        program="python_socketio_server.py",
        package="python-socketio",
        vulnerable="5.16.1",
        fixed="5.16.2",
        beside={"python-engineio": "4.13.3"},
        index="pypi",
    ),
)
