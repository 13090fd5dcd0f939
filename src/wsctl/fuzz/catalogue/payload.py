"""Probes of the group payload."""

from wsctl.fuzz.probe import Probe

PROBES: tuple[Probe, ...] = ()
