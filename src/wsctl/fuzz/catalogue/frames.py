"""Frames that no client may send (RFC 6455), and those that cost more than they look."""

from wsctl.fuzz.ending import closed
from wsctl.fuzz.probe import Probe
from wsctl.fuzz.steps import Case, Frame, Upgrade, data

PROBES: tuple[Probe, ...] = (
    Probe(
        id="F1",
        title="reserved bits without an extension",
        group="frames",
        source="RFC 6455 section 5.2; Autobahn 3.*",
        symptom="the frame is taken",
        needs="websocket",
        cases=tuple(
            Case(name=name, steps=(Upgrade(), Frame(data=data("x"), rsv=rsv)))
            for name, rsv in (("RSV1", 4), ("RSV2", 2), ("RSV3", 1), ("all", 7))
        ),
        safe=(closed(1002),),
    ),
)
