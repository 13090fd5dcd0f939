"""What the probes of sessions, packets and payloads say, as bytes: recorded, so that none changes unnoticed.

`python -m tests.fuzz.test_golden_packets` writes golden_packets.json anew.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from wsctl.fuzz import frames
from wsctl.fuzz.catalogue import PROBES
from wsctl.fuzz.probe import Probe
from wsctl.fuzz.steps import BEYOND, Case, Data, Frame, Request, Say, Step, Upgrade, expand

FILE = Path(__file__).with_name("golden_packets.json")
GROUPS = ("engineio", "socketio", "payload")
ASKED = [probe for probe in PROBES if probe.group in GROUPS]
MAX_PAYLOAD = 1000
"""as the OPEN packet would have it"""
SHOWN = 24
"""first bytes of what is said"""


def said(step: Step, *, client: bool) -> Iterator[bytes]:
    """The bytes of a step's content, in frames where it is spoken in them."""
    match step:
        case Say(data=content, binary=binary, times=times):
            yield frames.build(Frame(opcode=2 if binary else 1, data=filled(content)), client=client) * times
        case Frame(data=content, times=times):
            yield frames.build(structs.replace(step, data=filled(content)), client=client) * times
        case Request(body=content):
            head = (step.method, step.query, *map(": ".join, step.headers), step.chunked, step.complete, step.wait)
            yield "\n".join(map(str, head)).encode() + b"\n" + expand(filled(content or ()))
        case Upgrade(query=query, beside=beside):
            yield f"{query}\n{beside}\n".encode()
        case _:
            yield repr(step).encode()


def filled(content: Data) -> Data:
    return tuple(structs.replace(run, times=MAX_PAYLOAD) if run.times == BEYOND else run for run in content)


def golden(probe: Probe, case: Case) -> str:
    """How many bytes, the beginning of their SHA-256, and the first of them where they are hostile."""
    client = probe.attacks == "server"
    steps = [b"".join(said(step, client=client)) for step in case.steps]
    hostile = [content for step, content in zip(case.steps, steps, strict=True) if isinstance(step, Say | Frame)]
    everything = b"".join(steps)
    digest = hashlib.sha256(everything).hexdigest()[:16]
    shown = "".join(content[:SHOWN].hex() for content in hostile[:1])
    return f"{len(everything)} {digest} {shown}".rstrip()


def all_golden() -> dict[str, dict[str, str]]:
    """By probe and case."""
    return {probe.id: {case.name: golden(probe, case) for case in probe.cases} for probe in ASKED}


RECORDED: dict[str, dict[str, str]] = json.loads(FILE.read_text()) if FILE.exists() else {}


@pytest.mark.parametrize("probe", ASKED, ids=lambda probe: probe.id)
def test_what_a_probe_says(probe: Probe) -> None:
    """Its cases have names of their own, and say what was recorded."""
    assert len({case.name for case in probe.cases}) == len(probe.cases)
    assert {case.name: golden(probe, case) for case in probe.cases} == RECORDED.get(probe.id)


def test_nothing_is_recorded_that_is_gone() -> None:
    """Each record has its probe."""
    assert RECORDED.keys() == {probe.id for probe in ASKED}


if __name__ == "__main__":
    FILE.write_text(json.dumps(all_golden(), indent=1, ensure_ascii=False) + "\n")
