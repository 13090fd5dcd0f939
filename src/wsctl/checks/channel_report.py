"""What is known about the order of one channel."""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from wsctl.model.finding import Finding, Verdict

FINDINGS_KEPT: Final = 100
"""findings kept per channel; all of them are counted"""

GAP: Final = "gap"
DUPLICATE: Final = "duplicate"
REORDER: Final = "reorder"
REGRESSION: Final = "regression"


@dataclass(slots=True)
class ChannelReport:
    """What is known about one channel, summed over the clients that listened to it. Read it at any time."""

    messages: int = 0
    """updates and snapshots; heartbeats and declared skips are none"""
    unnumbered: int = 0
    """those of them without a seq"""
    gaps: int = 0
    """holes never filled"""
    missing: int = 0
    """messages in them"""
    duplicates: int = 0
    reorders: int = 0
    regressions: int = 0
    """falls of the seq within one epoch, those announced by a heartbeat included"""
    misannounced: int = 0
    """those of them that a heartbeat announced: they concern no message"""
    resets: int = 0
    """changes of epoch; on a feed without epochs, connections that number afresh"""
    skipped: int = 0
    """messages declared left out: by `channel:skipped`, or by a snapshot after a reconnection"""
    findings: list[Finding] = field(default_factory=list)
    """the first FINDINGS_KEPT of them"""
    findings_left_out: int = 0

    @property
    def numbered(self) -> int:
        """Messages that had a seq."""
        return self.messages - self.unnumbered

    @property
    def objections(self) -> int:
        """All findings, kept or left out."""
        return self.gaps + self.duplicates + self.reorders + self.regressions

    @property
    def verified_percent(self) -> float | None:
        """The share of messages that had a seq; None when none came."""
        return 100.0 * self.numbered / self.messages if self.messages else None

    @property
    def clean_percent(self) -> float | None:
        """The share, among numbered messages and missing ones, of those that came once and in place.

        None when there is neither.
        """
        judged = self.numbered + self.missing
        unclean = self.duplicates + self.reorders + self.regressions - self.misannounced
        return 100.0 * (self.numbered - unclean) / judged if judged else None

    @property
    def verdict(self) -> Verdict:
        """fail with any finding; pass only when there were messages and each was numbered."""
        if self.objections:
            return Verdict.FAIL
        return Verdict.UNVERIFIABLE if self.unnumbered or not self.messages else Verdict.PASS

    def keep(self, finding: Finding) -> None:
        """Keep a finding while there is room."""
        if len(self.findings) < FINDINGS_KEPT:
            self.findings.append(finding)
        else:
            self.findings_left_out += 1

    def as_json(self) -> dict[str, Any]:
        """The channel as `ordering-check --format json` prints it."""
        return {
            "verdict": self.verdict.value,
            "messages": self.messages,
            "gaps": self.gaps,
            "missing": self.missing,
            "duplicates": self.duplicates,
            "reorders": self.reorders,
            "regressions": self.regressions,
            "resets": self.resets,
            "skipped": self.skipped,
            "verified_percent": self.verified_percent,
            "clean_percent": self.clean_percent,
            "findings": msgspec.to_builtins(self.findings),
        }
