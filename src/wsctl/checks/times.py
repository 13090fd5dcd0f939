"""Times: what a feed's own times say of it. Do they fall, stand still, or run ahead?"""

from typing import Any

import msgspec

from wsctl.checks.channel_report import FINDINGS_KEPT
from wsctl.checks.inversion import InversionCheck
from wsctl.checks.skew import SkewCheck
from wsctl.checks.staleness import StalenessCheck
from wsctl.model.finding import Finding
from wsctl.model.observation import Observation


class TimesCheck:
    """The checks of inversion, staleness and skew as one. None of what they find says that a message is missing."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        """the first FINDINGS_KEPT of them"""
        self.findings_left_out = 0
        self._checks = (InversionCheck(), StalenessCheck(), SkewCheck())

    def add(self, observation: Observation) -> list[Finding]:
        """Take in one Observation; the findings it brought to light, mostly none."""
        found = [finding for check in self._checks for finding in check.add(observation)]
        kept = found[: FINDINGS_KEPT - len(self.findings)]
        self.findings += kept
        self.findings_left_out += len(found) - len(kept)
        return found

    def metrics(self) -> dict[str, float]:
        """`ordering.time_inversions`, `staleness.max` and `clock.skew.max`, as far as anything could show them."""
        found: dict[str, float] = {}
        for check in self._checks:
            found |= check.metrics()
        return found

    def as_json(self) -> dict[str, Any]:
        """As `ordering-check --format json` prints it."""
        return {**self.metrics(), "findings": msgspec.to_builtins(self.findings)}
