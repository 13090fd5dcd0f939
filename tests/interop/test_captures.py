"""Real exchange sessions, checked by the program: docs/captures.md is what it finds, and what is planted is found."""

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Result, wsctl
from wsctl.tape.opening import opened

CAPTURES = Path(__file__).parents[3] / "shared" / "captures"
PAGE = Path(__file__).parents[2] / "docs" / "captures.md"
FINDINGS = 1
DEPTH = "nknusdt@depth@100ms"

pytestmark = pytest.mark.skipif(not CAPTURES.exists(), reason="the captures are not on this machine")


def check(path: Path, *more: str) -> dict[str, Any]:
    """What ordering-check says of a tape; nothing on it may be left out."""
    result = wsctl("ordering-check", "--tape", str(path), "--format", "json", *more)
    assert (result.code, result.err) == (FINDINGS, ""), result
    report: dict[str, Any] = json.loads(result.out)
    return report


Row = tuple[str, int, int, str, str, int]
"""dialect, channels, messages, shares verified and clean, and findings"""


def rows() -> dict[tuple[str, str], Row]:
    """The table of the page, by capture and scheme."""
    found = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip(" `").replace(",", "") for cell in line.strip("|").split("|")]
        if len(cells) == 9 and cells[3].isdigit():
            found[cells[0], cells[2]] = (cells[1], int(cells[3]), int(cells[4]), cells[6], cells[7], int(cells[8]))
    return found


def share(percents: set[float | None]) -> str:
    """What all channels of a scheme have in common, as the page writes it."""
    [percent] = percents
    return "–" if percent is None else f"{percent:g} %"


def test_the_page_is_what_the_program_finds() -> None:
    """Each capture, by the schemes of its channels; none is verified as a whole, and none has a finding."""
    found: dict[tuple[str, str], Row] = {}
    for capture in sorted({*CAPTURES.iterdir()} - {CAPTURES / "README.md"}):
        with opened([capture]) as recording:
            dialect = recording.header.dialect or "–"
        report = check(capture)
        assert report["verdict"] == "unverifiable", capture.name
        channels, messages, findings = Counter(), Counter(), Counter()  # type: ignore[var-annotated]
        verified, clean = defaultdict(set), defaultdict(set)
        for channel in report["channels"].values():
            channels[channel["scheme"]] += 1
            messages[channel["scheme"]] += channel["messages"]
            findings[channel["scheme"]] += len(channel["findings"])
            verified[channel["scheme"]].add(channel["verified_percent"])
            clean[channel["scheme"]].add(channel["clean_percent"])
        for scheme in channels:
            shares = share(verified[scheme]), share(clean[scheme])
            found[capture.name, scheme] = (dialect, channels[scheme], messages[scheme], *shares, findings[scheme])
        if not channels:
            found[capture.name, "–"] = (dialect, 0, 0, "–", "–", 0)
    assert found == rows()


def planted(tmp_path: Path, change: Any) -> dict[str, Any]:
    """The Binance capture with its depth lines changed, as the channel's report."""
    lines = (CAPTURES / "BINANCE.ws.1.0").read_text().splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if f'{{"stream":"{DEPTH}"' in line]
    change(lines, places)
    tape = tmp_path / "BINANCE.ws.1.0"
    tape.write_text("".join(lines))
    report: dict[str, Any] = check(tape)["channels"][DEPTH]
    return report


def ids(line: str) -> tuple[int, int]:
    """`U` and `u` of a depth line."""
    data = json.loads(line.partition(": ")[2])["data"]
    return data["U"], data["u"]


def test_a_lost_line_is_found_exactly(tmp_path: Path) -> None:
    """Its update ids, no more and no fewer."""
    lost: list[tuple[int, int]] = []

    def drop(lines: list[str], places: list[int]) -> None:
        lost.append(ids(lines[places[40]]))
        del lines[places[40]]

    report = planted(tmp_path, drop)
    ((first, last),) = lost
    assert (report["verdict"], report["gaps"], report["missing"]) == ("fail", 1, last - first + 1)
    assert (report["findings"][0]["first"], report["findings"][0]["last"]) == (first, last)


def test_a_repeated_line_is_found_exactly(tmp_path: Path) -> None:
    """Once."""
    report = planted(tmp_path, lambda lines, places: lines.insert(places[40] + 1, lines[places[40]]))
    assert (report["duplicates"], report["gaps"], report["reorders"]) == (1, 0, 0)


def test_swapped_lines_are_found_exactly(tmp_path: Path) -> None:
    """One that came after a later one, and nothing lost. Times stay with their places."""

    def swap(lines: list[str], places: list[int]) -> None:
        one, other = places[40], places[41]
        (at, _, first), (then, _, second) = lines[one].partition(": "), lines[other].partition(": ")
        lines[one], lines[other] = f"{at}: {second}", f"{then}: {first}"

    report = planted(tmp_path, swap)
    assert (report["reorders"], report["gaps"], report["duplicates"]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("BINANCE.ws.1.0", "--dialect", "binanc"), "unknown dialect 'binanc'\n  hint: did you mean binance?"),
        (("BINANCE.http.0.0",), None),
    ],
)
def test_what_is_said_of_odd_ones(arguments: tuple[str, ...], message: str | None) -> None:
    """A dialect that is none; a capture without a stream, of which nothing can be said."""
    name, *more = arguments
    result: Result = wsctl("ordering-check", "--tape", str(CAPTURES / name), *more)
    if message is None:
        assert (result.code, result.out) == (FINDINGS, "verdict: unverifiable (nothing came)\n")
    else:
        assert (result.code, result.err) == (2, f"wsctl: error: {message}\n")


def test_another_dialect_than_it_is_in() -> None:
    """Every frame is left out, and it is said so."""
    result = wsctl("ordering-check", "--tape", str(CAPTURES / "BINANCE.ws.1.0"), "--dialect", "coinbase")
    assert result.code == FINDINGS
    assert result.err.startswith("265 frames are not coinbase; left out: ")
    assert result.out.endswith("verdict: unverifiable (265 frames could not be read)\n")


def test_books_from_before_they_were_numbered() -> None:
    """It is the messages that lack something, not the place where we looked."""
    result = wsctl("ordering-check", "--tape", str(CAPTURES / "OKX.ws.1.0"))
    assert result.out.endswith("verdict: unverifiable (messages that should be numbered are not)\n")
