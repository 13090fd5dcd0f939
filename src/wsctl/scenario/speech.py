"""How the feed of a step speaks: as the step says, as the recording that its service plays, as the target."""

from collections.abc import Sequence
from pathlib import Path

from wsctl.client.target import Target
from wsctl.scenario.spec import CommandSpec, FuzzSpec, ListenSpec, LoadStepSpec, PlaySpec, ReplaySpec, ScenarioSpec
from wsctl.tape.opening import opened
from wsctl.wire.dialect import Dialect
from wsctl.wire.dialects import SOCKETIO, is_file, spoken


def dialect_for(options: CommandSpec, spec: ScenarioSpec, folder: Path) -> str | None:
    """The name or the file of a step's dialect; None where only the --url can tell. `folder` is the scenario's.

    Raises UsageError for a recording that cannot be read.
    """
    if (own := own_dialect(options, folder)) is not None:
        return own
    return service_dialect(spec.service_of(options.target), spec, folder)


def service_dialect(name: str | None, spec: ScenarioSpec, folder: Path) -> str | None:
    """What is spoken at a service; None where there is none. Raises UsageError for a recording that cannot be read."""
    service = spec.services.get(name or "")
    if service is None:
        return None
    if service.chaos is not None:
        if service.chaos.dialect is not None:
            return beside(folder, service.chaos.dialect)
        return service_dialect(service.chaos.upstream[0], spec, folder)
    return SOCKETIO if service.replay is None else dialect_of(service.replay, folder)


def dialects_of(spec: ScenarioSpec, folder: Path, target: Target) -> set[str]:
    """What the steps speak to a target that takes the place of the services: their own dialect, or the target's."""
    options = [step.command[1] for _, step in spec.every_step() if not step.parallel]
    aimed = [one for one in options if not isinstance(one, ReplaySpec)]
    return {own_dialect(one, folder) or target.dialect for one in aimed}


def own_dialect(options: CommandSpec, folder: Path) -> str | None:
    """What a step says itself."""
    named = options.dialect if isinstance(options, ListenSpec | LoadStepSpec | FuzzSpec) else None
    return None if named is None else beside(folder, named)


def dialect_of(options: PlaySpec, folder: Path, tapes: Sequence[Path] = ()) -> str:
    """What a recording speaks: as the options say, or it itself; `tapes` are its files, if not beside the scenario."""
    if options.dialect is not None:
        return beside(folder, options.dialect)
    with opened(tapes or tapes_of(options, folder)) as recording:
        return recording.header.dialect or SOCKETIO


def tapes_of(options: PlaySpec, folder: Path) -> tuple[Path, ...]:
    """The files of a recording, which stand beside the scenario."""
    return tuple(folder / name for name in options.tape)


def beside(folder: Path, dialect: str) -> str:
    """The same; a file's path from the scenario's folder on."""
    return str(folder / dialect) if is_file(dialect) else dialect


def raw_dialect(name: str | None) -> Dialect | None:
    """The dialect, if it is spoken over a bare WebSocket. Raises UsageError for an unknown one."""
    dialect = spoken(name)
    return dialect if dialect is not None and dialect.over == "websocket" else None
