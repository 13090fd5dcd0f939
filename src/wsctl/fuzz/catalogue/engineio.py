"""Probes of the group engineio."""

from wsctl.fuzz.probe import Probe

PROBES: tuple[Probe, ...] = ()
