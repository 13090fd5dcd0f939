"""Schemes: how the numbers of a channel prove that every message came, once, and in its place.

A scheme is one file with one subclass of Lane, entered here; a dialect says by name which channel is numbered how.
"""

from collections.abc import Mapping

from wsctl.checks.lane import Lane
from wsctl.checks.schemes.chain import ChainLane
from wsctl.checks.schemes.counter import CounterLane
from wsctl.checks.schemes.monotonic import MonotonicLane
from wsctl.checks.schemes.none import UnnumberedLane
from wsctl.checks.schemes.range import RangeLane

SCHEMES: Mapping[str, type[Lane]] = {
    lane.scheme: lane for lane in (CounterLane, RangeLane, ChainLane, MonotonicLane, UnnumberedLane)
}
"""by name"""
