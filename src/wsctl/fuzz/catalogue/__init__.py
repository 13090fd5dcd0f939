"""The catalogue: named probes, a table per group. A new one is a row in its group's table."""

from collections.abc import Iterable

from wsctl.errors import UsageError
from wsctl.fuzz.catalogue import engineio, frames, handshake, payload, socketio
from wsctl.fuzz.probe import Probe
from wsctl.spec.nearest import nearest

PROBES: tuple[Probe, ...] = (
    *handshake.PROBES,
    *frames.PROBES,
    *engineio.PROBES,
    *socketio.PROBES,
    *payload.PROBES,
)


def by_id(probes: Iterable[Probe]) -> dict[str, Probe]:
    """The probes by what people call them. Raises ValueError for a name that is given twice."""
    found: dict[str, Probe] = {}
    for probe in probes:
        if found.setdefault(probe.id, probe) is not probe:
            raise ValueError(f"two probes have the id {probe.id}")
    return found


BY_ID = by_id(PROBES)


def chosen(ids: Iterable[str], groups: Iterable[str]) -> tuple[Probe, ...]:
    """The probes of these ids and of these groups; without any of either, all. Raises UsageError."""
    asked, wanted = {_known(one).id for one in ids}, set(groups)
    everything = not asked and not wanted
    return tuple(probe for probe in PROBES if everything or probe.id in asked or probe.group in wanted)


def against_clients(ids: Iterable[str], groups: Iterable[str]) -> tuple[Probe, ...]:
    """Of those, the ones that attack clients. Raises UsageError where there are none."""
    found = tuple(probe for probe in chosen(ids, groups) if probe.attacks == "client")
    if not found:
        raise UsageError("no probe attacks such clients", hint="wsctl fuzz --list --serve names those that do")
    return found


def _known(name: str) -> Probe:
    probe = BY_ID.get(name.upper())
    if probe is None:
        near = nearest(name.upper(), BY_ID)
        raise UsageError(f"no probe {name!r}", hint=f"did you mean {near}?" if near else "wsctl fuzz --list names them")
    return probe
