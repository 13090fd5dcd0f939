"""The faults, one file each: `FAULTS` is where a new one is registered."""

from collections.abc import Mapping

from wsctl.chaos.fault import AnyFault
from wsctl.chaos.faults.bandwidth import Bandwidth
from wsctl.chaos.faults.close import Close
from wsctl.chaos.faults.corrupt import Corrupt
from wsctl.chaos.faults.cut import Cut
from wsctl.chaos.faults.delay import Delay
from wsctl.chaos.faults.drop import Drop
from wsctl.chaos.faults.duplicate import Duplicate
from wsctl.chaos.faults.epoch_reset import EpochReset
from wsctl.chaos.faults.flash import Flash
from wsctl.chaos.faults.freeze_channel import FreezeChannel
from wsctl.chaos.faults.limit import Limit
from wsctl.chaos.faults.noop import Noop
from wsctl.chaos.faults.ping_blackhole import PingBlackhole
from wsctl.chaos.faults.reject import RejectHandshake
from wsctl.chaos.faults.reorder import Reorder
from wsctl.chaos.faults.rolling_restart import RollingRestart
from wsctl.chaos.faults.slow_open import SlowOpen
from wsctl.chaos.faults.slow_reader import SlowReader
from wsctl.chaos.faults.stall import Stall

_ALL: tuple[type[AnyFault], ...] = (
    Bandwidth,
    Close,
    Corrupt,
    Cut,
    Delay,
    Drop,
    Duplicate,
    EpochReset,
    Flash,
    FreezeChannel,
    Limit,
    Noop,
    PingBlackhole,
    RejectHandshake,
    Reorder,
    RollingRestart,
    SlowOpen,
    SlowReader,
    Stall,
)
FAULTS: Mapping[str, type[AnyFault]] = {fault.type_name: fault for fault in _ALL}
"""by type"""
