"""Reproduction files: a case that harmed, as JSON, and its replay. Who joins, and by which token, is not in it."""

import hashlib
import os
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from wsctl.errors import UsageError
from wsctl.fuzz.options import FuzzOptions
from wsctl.fuzz.result import Failure, Generated
from wsctl.fuzz.steps import Case
from wsctl.fuzz.trial import DEADLINE, Trial, Trials

VERSION = 1


class Repro(Struct, frozen=True, kw_only=True):
    """The file."""

    wsctl: Literal["fuzz-repro"] = "fuzz-repro"
    version: int = VERSION
    target: str
    """that was harmed, without secrets; it is played against whatever target is named"""
    dialect: str
    seed: int
    harms: tuple[str, ...]
    case: Case

    @classmethod
    def of(cls, options: FuzzOptions, harms: tuple[str, ...], case: Case) -> "Repro":
        """Of a case that harmed in a run."""
        target = options.target
        return cls(target=target.shown, dialect=target.dialect, seed=options.seed, harms=harms, case=case)


class _Mark(Struct):
    """What tells such a file from others."""

    wsctl: Literal["fuzz-repro"]
    version: Any = None


def write(repro: Repro, folder: Path) -> Path:
    """Write it, under a name that is the case's; where. Raises UsageError where nothing can be written."""
    content = msgspec.json.format(msgspec.json.encode(repro), indent=2)
    name = hashlib.sha256(msgspec.json.encode(repro.case)).hexdigest()[:8]
    path = folder / f"wsctl-fuzz-{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content + b"\n")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {reason_of(error)}") from error
    return path


def read(path: Path) -> Repro:
    """Raises UsageError for a file that is none, of a newer version, or with what nobody can play."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {reason_of(error)}") from error
    try:
        mark = msgspec.json.decode(content, type=_Mark)
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: no reproduction file of wsctl fuzz ({_lower(error)})") from error
    if not isinstance(mark.version, int) or mark.version > VERSION:
        raise UsageError(f"{path}: version {mark.version!r}; this wsctl plays version {VERSION}")
    try:
        return msgspec.json.decode(content, type=Repro)
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: {_lower(error)}") from error


def check_place(folder: Path) -> None:
    """Raise UsageError for a folder in which none could be written, for it would be known too late."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {reason_of(error)}") from error
    if not os.access(folder, os.W_OK):
        raise UsageError(
            f"cannot write into {folder.absolute()}: permission denied; reproduction files go there",
            hint="--out names another folder; --cases 0 generates nothing",
        )


class Replay:
    """Plays a file's case once. Raises UsageError for one that speaks otherwise than the target."""

    def __init__(self, options: FuzzOptions, path: Path) -> None:
        self._repro = read(path)
        self._path = path
        spoken, dialect = self._repro.dialect, options.target.dialect
        if spoken != dialect:
            raise UsageError(f"{path} is of the dialect {spoken}, the target of {dialect}", hint=f"--dialect {spoken}")
        self._trial: Trial | None = None
        self.notes: tuple[str, ...] = ()

    async def run(self, trials: Trials) -> None:
        """Play it."""
        self._trial = await trials.play(self._repro.case, DEADLINE)

    @property
    def result(self) -> Generated:
        """What came of it."""
        trial = self._trial
        if trial is None:
            return Generated(cases=0)
        harms = trial.objections
        failure = Failure(
            harms=harms,
            case=self._repro.case,
            ending=str(trial.ending),
            shrunk_from=len(self._repro.case.steps),
            again=True,
            repro=str(self._path),
        )
        unfit = trial.ending.unfit
        return Generated(cases=1, conclusive=int(unfit is None), failures=(failure,) if harms else (), reason=unfit)


def reason_of(error: OSError) -> str:
    """In small letters, as messages have it."""
    return (error.strerror or str(error)).lower()


def _lower(error: Exception) -> str:
    text = str(error)
    return text[:1].lower() + text[1:]
