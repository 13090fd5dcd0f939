"""How waiting for an answer ends without one."""

from wsctl.errors import TargetError


class Lost(TargetError):
    """The connection ended while an answer was awaited."""


class AckTimeout(TargetError):
    """The target did not acknowledge in time; many never do."""
