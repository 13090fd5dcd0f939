"""From rounds to medians, ratios and plain aligned tables."""

from collections.abc import Sequence
from statistics import median
from typing import Any

TARGETS = (("wsctl", "floor", 1.5), ("wsctl", "node", 0.65), ("wsctl", "stock", 0.2))
"""CPU per delivered message of the first, divided by the second's, at most"""

Round = dict[str, Any]


def summarise(rounds: Sequence[Round]) -> dict[str, Any] | None:
    """Medians over the valid rounds of one contender; None without any."""
    valid = [entry for entry in rounds if not entry["problem"]]
    if not valid:
        return None
    cpu = [entry["cpu_us"] for entry in valid]
    return {
        "cpu_us": median(cpu),
        "cpu_us_min": min(cpu),
        "cpu_us_max": max(cpu),
        "rss_mb": median(entry["rss"] for entry in valid) / 1e6,
        "delivered_per_s": median(entry["delivered_per_s"] for entry in valid),
        "bytes_per_message": median(entry["bytes_per_message"] for entry in valid),
        "valid": len(valid),
        "rounds": len(rounds),
    }


def ratios(summaries: dict[str, dict[str, Any] | None]) -> list[dict[str, Any]]:
    """Each target with its measured ratio, None where a side is missing."""
    found = []
    for name, other, bound in TARGETS:
        one, two = summaries.get(name), summaries.get(other)
        ratio = one["cpu_us"] / two["cpu_us"] if one and two else None
        met = None if ratio is None else ratio <= bound
        found.append({"contender": name, "against": other, "bound": bound, "ratio": ratio, "met": met})
    return found


def medians_table(titles: dict[str, str], summaries: dict[str, dict[str, Any] | None]) -> str:
    """One line per contender."""
    head = [
        "contender",
        "",
        "CPU µs/msg",
        "min–max",
        "÷ floor",
        "RSS MB",
        "msg/s",
        "bytes/msg",
        "valid rounds",
    ]
    floor = summaries.get("floor")
    rows = [_row(name, title, summaries[name], floor) for name, title in titles.items()]
    return aligned([head, *rows], left=2)


def ratios_table(found: Sequence[dict[str, Any]]) -> str:
    """One line per target."""
    rows = [["target", "measured", ""]]
    for entry in found:
        target = f"{entry['contender']} ≤ {entry['bound']:g} × {entry['against']}"
        rows.append(
            [target, "–" if entry["ratio"] is None else f"{entry['ratio']:.2f}", verdict(entry["met"], entry["ratio"])]
        )
    return aligned(rows, left=1)


def verdict(met: bool | None, measured: float | None) -> str:
    """A target in a word; nothing for a figure that has no target."""
    if measured is None:
        return "not measured"
    return {True: "met", False: "missed", None: ""}[met]


def aligned(rows: Sequence[Sequence[str]], *, left: int) -> str:
    """Columns two spaces apart; the first `left` of them flush left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _row(name: str, title: str, summary: dict[str, Any] | None, floor: dict[str, Any] | None) -> list[str]:
    if summary is None:
        return [name, title, *["–"] * 6, "none"]
    return [
        name,
        title,
        f"{summary['cpu_us']:.2f}",
        f"{summary['cpu_us_min']:.2f}–{summary['cpu_us_max']:.2f}",
        f"{summary['cpu_us'] / floor['cpu_us']:.2f}" if floor else "–",
        f"{summary['rss_mb']:.0f}",
        f"{summary['delivered_per_s']:.0f}",
        f"{summary['bytes_per_message']:.0f}",
        f"{summary['valid']} of {summary['rounds']}",
    ]
