"""What cannot be asked of a feed in its dialect, and recordings that cannot be played: said before anything starts."""

from collections.abc import Callable
from functools import partial
from pathlib import Path as File
from typing import TypeVar

from wsctl.errors import UsageError
from wsctl.model.metrics import is_platforms_own
from wsctl.scenario.slugs import unique_slugs
from wsctl.scenario.spec import EmitSpec, ListenSpec, PlaySpec, ScenarioSpec, StepSpec, SubscribeSpec
from wsctl.scenario.speech import dialect_for, dialect_of, own_dialect, raw_dialect
from wsctl.spec.document import Document, Path
from wsctl.tape.outputs.targets import SCHEMES, normalised
from wsctl.watch.wanted import Wanted
from wsctl.wire.dialect import Dialect
from wsctl.wire.dialects import spoken

T = TypeVar("T")

_CREDENTIALS = ("user", "users", "token")
_PLATFORMS_OWN = ("bots", "notifications", "format")
_PATHS = ("seq_path", "time_path", "channel_path")


def check_recording(document: Document, path: Path, options: PlaySpec, folder: File) -> None:
    """Raise UsageError, located, for a recording that is not there, or speaks in no known way."""
    key = "tape" if options.dialect is None else "dialect"
    _placed(document, (*path, key), lambda: spoken(dialect_of(options, folder)))


def check_dialect(document: Document, path: Path, name: str) -> None:
    """Raise UsageError, located, for a dialect that there is not."""
    _placed(document, path, lambda: spoken(name))


def check_replay(document: Document, path: Path, step: StepSpec, spec: ScenarioSpec, folder: File) -> None:
    """The same of a step; what an earlier step records cannot be looked at yet."""
    assert step.replay is not None
    options, recorded = step.replay, {one.record.file for _, one in spec.every_step() if one.record is not None}
    if not set(options.tape) & recorded:
        check_recording(document, path, options, folder)
    if options.url is not None and options.url.partition("://")[0] not in SCHEMES:
        raise document.value_error((*path, "to"), f"to is {options.url}; expected a service, or {', '.join(SCHEMES)}")
    if options.url is not None:
        _placed(document, (*path, "to"), partial(normalised, options.url))
    if options.to is None and not spec.services:
        raise document.value_error(path, "nothing to play to; expected to, a service or a URL")


def check_file(document: Document, path: Path, step: StepSpec, spec: ScenarioSpec) -> None:
    """Raise UsageError for a tape that would be written elsewhere, or over another."""
    assert step.record is not None
    name = step.record.file
    if File(name).name != name or name.startswith("."):
        raise document.value_error((*path, "file"), f"file is {name!r}; expected a plain name")
    steps = [one.name or "" for _, one in spec.every_step() if not one.parallel]
    if name in {f"{slug}.jsonl" for slug in unique_slugs(steps)} | {f"{service}.log" for service in spec.services}:
        raise document.value_error((*path, "file"), f"file is {name}, which the run writes itself; expected another")
    others = [one for _, one in spec.every_step() if one.record is not None and one.record.file == name]
    if others[0] is not step:
        raise document.value_error(path, f"step {others[0].name!r} writes {name} as well; expected another file")


def check_speech(
    document: Document, path: Path, step: StepSpec, spec: ScenarioSpec, folder: File, aimed: str | None = None
) -> None:
    """What a step asks of its feed. `aimed` is the dialect of a --url, which takes the place of services."""
    command, options = step.command
    own = own_dialect(options, folder)
    at = (*path, command)
    if own is not None:
        check_dialect(document, (*at, "dialect"), own)
    name = own or aimed or dialect_for(options, spec, folder)
    dialect = spoken(name)
    if dialect is None:
        return
    if isinstance(options, EmitSpec) and raw_dialect(name) is not None:
        raise document.value_error(at, f"emit sends events over Socket.IO; the feed speaks {dialect.name}")
    if isinstance(options, ListenSpec):
        _check_options(document, at, options, dialect)
        _check_channels(document, at, options, dialect)
    for metric in step.expect:
        if dialect.over == "websocket" and is_platforms_own(metric):
            where = (*path, "expect", metric)
            raise document.key_error(where, f"{metric} cannot be measured; {dialect.name} has no word for it")


def _check_options(document: Document, at: Path, options: ListenSpec, dialect: Dialect) -> None:
    raw = dialect.over == "websocket"
    for key in _CREDENTIALS if raw else ():
        if getattr(options, key, None) not in (None, ()):
            hint = "raw feeds take credentials by --header, or in the dialect file"
            raise document.key_error((*at, key), f"{dialect.name} takes no {key}", hint=hint)
    unasked = SubscribeSpec(duration=1.0)
    for key in (*_PLATFORMS_OWN, *_PATHS):
        if getattr(options, key, None) not in (None, getattr(unasked, key)):
            why = "says itself where to look" if key in _PATHS else "has none: it is the platform's own"
            raise document.key_error((*at, key), f"{key} makes no sense; {dialect.name} {why}")
    if raw and options.transport == "polling":
        raise document.value_error((*at, "transport"), f"{dialect.name} is spoken over WebSocket only; not by polling")


def _check_channels(document: Document, at: Path, options: ListenSpec, dialect: Dialect) -> None:
    for key in ("symbols", "channels"):
        names = getattr(options, key)
        if names:
            asked = (names, ()) if key == "symbols" else ((), names)
            _placed(document, (*at, key), partial(Wanted, dialect, "", *asked))


def _placed(document: Document, path: Path, do: Callable[[], T]) -> T:
    """What comes of it; an error is given its place."""
    try:
        return do()
    except UsageError as error:
        raise document.value_error(path, error.message, hint=error.hint) from error
