"""What is known about the order of one channel."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import msgspec

from wsctl.model.finding import Finding, Verdict

FINDINGS_KEPT: Final = 100
"""findings kept per channel; all of them are counted"""

GAP: Final = "gap"
DUPLICATE: Final = "duplicate"
REORDER: Final = "reorder"
REGRESSION: Final = "regression"


class Missing(StrEnum):
    """What `missing` counts."""

    MESSAGES = "messages"
    UPDATE_IDS = "update-ids"
    """a message may cover many"""
    UNKNOWN = "unknown"
    """how much is missing cannot be told: at least one message for each gap"""


@dataclass(slots=True)
class ChannelReport:
    """What is known about one channel, summed over the clients that listened to it. Read it at any time."""

    scheme: str = "counter"
    """how its numbers prove order: a name of checks/schemes"""
    missing_unit: Missing = Missing.MESSAGES
    """what `missing` and `skipped` count"""
    proves_loss: bool = True
    """whether its numbers show if something is missing"""
    messages: int = 0
    """updates and snapshots; heartbeats and declared skips are none"""
    unnumbered: int = 0
    """those of them without a number that the scheme can judge"""
    gaps: int = 0
    """holes never filled"""
    missing: int = 0
    """what was in them; see `missing_unit`"""
    duplicates: int = 0
    reorders: int = 0
    regressions: int = 0
    """falls of the number within one epoch, those announced by a heartbeat included"""
    misannounced: int = 0
    """those of them that a heartbeat announced: they concern no message"""
    resets: int = 0
    """changes of epoch; on a feed without epochs, connections that number afresh"""
    skipped: int = 0
    """left out, and the feed says so or it cannot be otherwise: by `channel:skipped`, before a snapshot that stands for
    it, between two connections of a range; see `missing_unit`"""
    findings: list[Finding] = field(default_factory=list)
    """the first FINDINGS_KEPT of them"""
    findings_left_out: int = 0

    @property
    def numbered(self) -> int:
        """Messages that had a number."""
        return self.messages - self.unnumbered

    @property
    def objections(self) -> int:
        """All findings, kept or left out."""
        return self.gaps + self.duplicates + self.reorders + self.regressions

    @property
    def verified_percent(self) -> float | None:
        """The share of messages whose number shows whether something is missing before them; None when none came."""
        if not self.messages:
            return None
        return 100.0 * self.numbered / self.messages if self.proves_loss else 0.0

    @property
    def clean_percent(self) -> float | None:
        """The share, among numbered messages and missing ones, of those that came once and in place.

        Where nobody knows how many messages are missing, each gap stands for one: it is this or less. None when
        nothing was numbered or missing.
        """
        judged = self.numbered + (self.missing if self.missing_unit is Missing.MESSAGES else self.gaps)
        unclean = self.duplicates + self.reorders + self.regressions - self.misannounced
        return 100.0 * (self.numbered - unclean) / judged if judged else None

    @property
    def verdict(self) -> Verdict:
        """fail with any finding; pass only when messages came and each shows that nothing is missing before it."""
        if self.objections:
            return Verdict.FAIL
        proven = self.proves_loss and self.messages and not self.unnumbered
        return Verdict.PASS if proven else Verdict.UNVERIFIABLE

    def take(self, finding: Finding) -> None:
        """Count a finding, and keep it while there is room."""
        kind = finding.kind
        self.gaps += kind == GAP
        self.duplicates += kind == DUPLICATE
        self.reorders += kind == REORDER
        self.regressions += kind == REGRESSION
        if len(self.findings) < FINDINGS_KEPT:
            self.findings.append(finding)
        else:
            self.findings_left_out += 1

    def as_json(self) -> dict[str, Any]:
        """The channel as `ordering-check --format json` prints it."""
        return {
            "verdict": self.verdict.value,
            "scheme": self.scheme,
            "messages": self.messages,
            "gaps": self.gaps,
            "missing": self.missing,
            "missing_unit": self.missing_unit.value,
            "duplicates": self.duplicates,
            "reorders": self.reorders,
            "regressions": self.regressions,
            "resets": self.resets,
            "skipped": self.skipped,
            "verified_percent": self.verified_percent,
            "clean_percent": self.clean_percent,
            "findings": msgspec.to_builtins(self.findings),
        }
