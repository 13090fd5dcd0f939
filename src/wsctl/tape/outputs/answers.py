"""Answers: what a recorded exchange says over HTTP while its stream is played."""

from http import HTTPStatus

from wsctl.tape.contents import Contents, answers_get
from wsctl.tape.format import TapeFrame
from wsctl.tape.player import Played
from wsctl.wire.rest import Answer, Rest, as_json, key_of


class Answers:
    """The dialect's own answers first, which know where the stream is; then those on the tape, the latest played.

    What the tape answers only later is there from the beginning: a client may ask sooner than the recorded one did.
    """

    def __init__(self, rest: Rest | None, contents: Contents) -> None:
        self._rest = rest
        self._recorded: dict[object, TapeFrame] = {}
        for frame in contents.answers.values():
            self._record(frame)

    def add(self, played: Played) -> None:
        """Take in a record that is played."""
        if answers_get(played.frame):
            self._record(played.frame)
        if self._rest is not None:
            for event in played.events:
                self._rest.event(event)

    def answer(self, target: str, now: float) -> Answer:
        """To a GET of a path and query; `now` is unix seconds."""
        own = None if self._rest is None else self._rest.answer(target, now)
        if own is not None:
            return own
        frame = self._recorded.get(key_of(target))
        if frame is None or frame.frame is None:
            return as_json(HTTPStatus.NOT_FOUND, {"msg": f"wsctl: the tape holds no answer to {target}"})
        kinds = (value for name, value in frame.headers if name.lower() == "content-type")
        return Answer(frame.status or HTTPStatus.OK, frame.frame, next(kinds, "application/json"))

    def _record(self, frame: TapeFrame) -> None:
        if frame.url is None or frame.frame is None:
            return
        self._recorded[key_of(frame.url)] = frame
        if self._rest is not None and frame.status in (None, HTTPStatus.OK):
            self._rest.recorded(frame.url, frame.frame)
