"""What the latencies of a load rest on, for people: the worst of all processes that measured."""

from collections.abc import Iterator, Sequence
from typing import Final

from wsctl.load.outcome.result import WorkerResult
from wsctl.swarm.clocks import SAME_HOST, Basis

EXACT: Final = "same host, one clock: exact"
NOT_MEASURED: Final = "not measured: the feed cannot be asked for its time, so that there are no latencies"
NEVER: Final = "not measured: it never came to that"


def clock_of(workers: Sequence[WorkerResult]) -> str:
    """In words; where workers are not alike, how many of them each is about."""
    bases = [worker.clock for worker in workers if worker.users]
    said = list(_said(bases))
    if len(said) <= 1:
        return said[0][1] if said else NEVER
    return "; ".join(f"{count:,} of {len(bases):,} workers: {words}" for count, words in said)


def _said(bases: Sequence[Basis | None]) -> Iterator[tuple[int, str]]:
    """Each kind that there is, and how often."""
    compared = [basis for basis in bases if basis is not None and basis != SAME_HOST]
    if same := bases.count(SAME_HOST):
        yield same, EXACT
    if compared:
        yield len(compared), _compared(compared)
    if unknown := bases.count(None):
        yield unknown, NOT_MEASURED


def _compared(bases: Sequence[Basis]) -> str:
    least, most = (f"{choose(basis.offset for basis in bases) * 1000:+,.1f}" for choose in (min, max))
    offsets = f"offset {most}" if least == most else f"offsets {least} to {most}"
    return f"by time:sync: {offsets} ms, ± {max(basis.error for basis in bases) * 1000:,.1f} ms at worst"
