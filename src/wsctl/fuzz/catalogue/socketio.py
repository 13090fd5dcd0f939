"""Socket.IO packets that have hurt servers and clients."""

from wsctl.fuzz.ending import ALIVE, ENDED
from wsctl.fuzz.probe import Probe
from wsctl.fuzz.steps import Case, Join, Say, data

PROBES: tuple[Probe, ...] = (
    Probe(
        id="S4",
        title="an event named error",
        group="socketio",
        source="CVE-2024-38355",
        symptom="unhandled 'error', exit",
        needs="socketio",
        cases=(Case(steps=(Join(), Say(data=data('42["error","x"]')))),),
        safe=(ALIVE, *ENDED),
        fixed="socket.io 2.5.1, 4.6.2",
    ),
)
