"""Asking for channels on a raw feed: what an exchange's words make of them, and when nothing more is waited for."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from wsctl.client import asking
from wsctl.client.asking import Asking

Run = Callable[[Any], Any]
Word = tuple[str, tuple[str, ...]]

YES = "yes"
"""what is said of channels that are taken; anything else is an objection"""

CASES: dict[str, tuple[list[Word], bool, dict[str, Any]]] = {
    "each, one by one": ([(YES, ("a",)), (YES, ("b",))], True, {"ok": True, "subscribed": ["a", "b"]}),
    "all at once, and more": ([(YES, ("a", "b", "c"))], True, {"ok": True, "subscribed": ["a", "b"]}),
    "nobody says which": ([(YES, ())], True, {"ok": True, "subscribed": ["a", "b"]}),
    "one is refused": (
        [("no b", ("b",)), (YES, ("a",))],
        True,
        {"ok": False, "code": "refused", "message": "no b", "subscribed": ["a"], "refused": ["b"]},
    ),
    "each is refused": (
        [("no", ("b",)), ("no", ("a",))],
        True,
        {"ok": False, "code": "refused", "message": "no", "subscribed": [], "refused": ["a", "b"]},
    ),
    "one is, nobody says which": (
        [("no", ()), (YES, ("a",))],
        False,
        {"ok": False, "code": "refused", "message": "no", "subscribed": ["a"], "refused": ["b"]},
    ),
    "all are, and the list of what is left is empty": (
        [("log in", ()), (YES, ())],
        False,
        {"ok": False, "code": "refused", "message": "log in", "subscribed": [], "refused": ["a", "b"]},
    ),
    "by other names": (
        [("no", ("x",)), (YES, ("y",))],
        False,
        {"ok": False, "code": "refused", "message": "no", "subscribed": [], "refused": ["a", "b"]},
    ),
    "half an answer": (
        [(YES, ("b",))],
        False,
        {
            "ok": False,
            "code": "not_acknowledged",
            "message": "a not acknowledged",
            "subscribed": ["b"],
            "refused": ["a"],
        },
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_words(run: Run, case: str) -> None:
    """`done` at once where every channel was spoken of, else not yet."""
    words, done, answer = CASES[case]

    async def main() -> None:
        asked = Asking(["a", "b", "a"])
        assert not asked.done.done()
        assert asked.unheard
        for message, channels in words:
            if message == YES:
                asked.taken(channels)
            else:
                asked.refused(message, channels)
        assert asked.done.done() is done
        assert asked.answer == answer
        assert not asked.unheard
        asked.close()

    run(main())


def test_an_objection_to_who_knows_what_is_not_waited_on_for_long(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each further word is given the same time; an acknowledgement that is missing has all of it."""
    monkeypatch.setattr(asking, "GRACE", 0.01)

    async def main() -> None:
        objected, silent = Asking(["a", "b"]), Asking(["a", "b"])
        objected.refused("no", ())
        objected.taken(["a"])
        silent.taken(["a"])
        await asyncio.wait_for(objected.done, 5)
        assert not silent.done.done()

    run(main())


def test_nothing_to_ask(run: Run) -> None:
    """It is answered before it is asked."""

    async def main() -> None:
        asked = Asking([])
        assert asked.done.done()
        assert asked.answer == {"ok": True, "subscribed": []}

    run(main())
