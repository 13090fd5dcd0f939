"""Probes of the group handshake."""

from wsctl.fuzz.probe import Probe

PROBES: tuple[Probe, ...] = ()
