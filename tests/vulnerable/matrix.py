"""The matrix: which probe fails at which version of what, and passes at the next."""

from collections.abc import Mapping

from msgspec import Struct

from tests.vulnerable.beds import Bed, Index


class Row(Struct, frozen=True, kw_only=True):
    """A probe, and two servers that differ in nothing but the version of a package."""

    probe: str
    server: str
    """a file of `servers/`"""
    package: str
    vulnerable: str
    fixed: str
    beside: Mapping[str, str] = {}
    """other packages that are installed, in versions that suit both"""
    index: Index = "npm"

    def bed(self, version: str) -> Bed:
        """What is installed for one of the two."""
        return Bed(self.index, {self.package: version, **self.beside})


def _ws(probe: str, vulnerable: str, fixed: str) -> Row:
    return Row(probe=probe, server="ws.cjs", package="ws", vulnerable=vulnerable, fixed=fixed)


def _engineio(probe: str, vulnerable: str, fixed: str) -> Row:
    return Row(probe=probe, server="engineio.cjs", package="engine.io", vulnerable=vulnerable, fixed=fixed)


def _parser(probe: str, vulnerable: str, fixed: str, socketio: str) -> Row:
    return Row(
        probe=probe,
        server="socketio.cjs",
        package="socket.io-parser",
        vulnerable=vulnerable,
        fixed=fixed,
        beside={"socket.io": socketio},
    )


MATRIX: tuple[Row, ...] = (
    _ws("H1", "8.17.0", "8.17.1"),
    _ws("H2", "7.4.5", "7.4.6"),
    _ws("H3", "3.3.0", "3.3.1"),
    _engineio("H4", "6.1.0", "6.1.1"),
    _engineio("H5", "6.2.0", "6.2.1"),
    _engineio("H5E", "6.6.11", "6.6.12"),
    _engineio("H6", "6.4.1", "6.4.2"),
    _ws("F7", "8.20.1", "8.21.0"),
    _engineio("E2", "6.6.6", "6.6.7"),
    Row(
        probe="E3",
        server="python_engineio.py",
        package="python-engineio",
        vulnerable="4.13.1",
        fixed="4.13.2",
        index="pypi",
    ),
    _parser("S2", "4.0.4", "4.0.5", "4.4.1"),
    _parser("S3", "4.2.2", "4.2.3", "4.6.2"),
    Row(probe="S4", server="socketio.cjs", package="socket.io", vulnerable="4.6.1", fixed="4.6.2"),
    _parser("S5", "4.2.5", "4.2.6", "4.8.1"),
    _parser("S6", "4.2.6", "4.2.7", "4.8.1"),
    Row(
        probe="S7",
        server="python_socketio.py",
        package="python-socketio",
        vulnerable="5.16.1",
        fixed="5.16.2",
        beside={"python-engineio": "4.13.3"},
        index="pypi",
    ),
)
