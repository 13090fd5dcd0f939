"""What came of fuzzing. `FuzzResult` as JSON is what `--format json` prints, whose names and shapes scripts rely on."""

from msgspec import Struct

from wsctl.fuzz.probe import Verdict as CaseVerdict
from wsctl.fuzz.steps import Case
from wsctl.model.expectation import Judged
from wsctl.model.finding import Verdict


class ProbeResult(Struct, frozen=True, kw_only=True):
    """What came of a probe: of its worst case."""

    id: str
    title: str
    group: str
    source: str
    verdict: CaseVerdict
    ending: str
    """in words"""
    expected: str
    """the safe endings, in words"""
    case: str = ""
    """the name of the case, where the probe has several"""
    harms: tuple[str, ...] = ()
    """what the oracle objects to"""
    reason: str | None = None
    """why it is inconclusive"""
    seconds: float = 0.0
    """from the last step to the ending"""
    sent: str = ""
    """the beginning of what was sent, in hexadecimal"""


class Failure(Struct, frozen=True, kw_only=True):
    """A generated case that harmed, made as small as it goes."""

    harms: tuple[str, ...]
    case: Case
    ending: str
    shrunk_from: int
    """steps of the case that it was found with"""
    again: bool
    """whether it harmed each time it was played"""
    repro: str | None = None
    """the file that it was written to"""


class Generated(Struct, frozen=True, kw_only=True):
    """What came of generated cases."""

    cases: int
    """that were played, those of shrinking included"""
    conclusive: int = 0
    """of those, the ones that could be carried out"""
    failures: tuple[Failure, ...] = ()
    reason: str | None = None
    """why there were fewer than asked for"""


class FuzzResult(Struct, frozen=True, kw_only=True):
    """The whole. Numbers in base units."""

    wsctl: str = "fuzz"
    version: int = 1
    name: str
    verdict: Verdict
    reason: str | None
    """why it is neither pass nor a probe's or case's failure"""
    duration: float
    started_at: float
    """unix seconds"""
    target: str
    interrupted: bool
    seed: int
    counts: dict[str, int]
    """probes by verdict"""
    metrics: dict[str, float]
    probes: tuple[ProbeResult, ...]
    generated: Generated | None
    """None: none were asked for"""
    notes: tuple[str, ...]
    expectations: tuple[Judged, ...] = ()
