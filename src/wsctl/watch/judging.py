"""The ordering check that fits how a feed speaks."""

from wsctl.checks.ordering import OrderingCheck
from wsctl.wire.dialect import Dialect


def ordering_check(dialect: Dialect | None) -> OrderingCheck:
    """By the schemes and links of a dialect; of the platform, None, by its counters."""
    return OrderingCheck() if dialect is None else OrderingCheck(dialect.scheme, dialect.link)
