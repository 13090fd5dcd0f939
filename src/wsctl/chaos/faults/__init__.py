"""The faults, one file each: `FAULTS` is where a new one is registered."""

from collections.abc import Mapping

from wsctl.chaos.fault import AnyFault
from wsctl.chaos.faults.delay import Delay
from wsctl.chaos.faults.drop import Drop
from wsctl.chaos.faults.duplicate import Duplicate
from wsctl.chaos.faults.noop import Noop
from wsctl.chaos.faults.reorder import Reorder

FAULTS: Mapping[str, type[AnyFault]] = {fault.type_name: fault for fault in (Noop, Drop, Duplicate, Delay, Reorder)}
