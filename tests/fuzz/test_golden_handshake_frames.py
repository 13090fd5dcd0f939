"""Golden bytes: no probe of the groups handshake and frames changes unnoticed, and what it claims to send it sends."""

import asyncio
import json
import zlib

import pytest
from msgspec import structs
from tests.fuzz.golden import FILE, GROUPS, golden

from wsctl.fuzz.catalogue import BY_ID, PROBES, by_id
from wsctl.fuzz.frames import inflate
from wsctl.fuzz.options import MAX_BYTES
from wsctl.fuzz.probe import Probe
from wsctl.fuzz.steps import Answer, Case, Cut, Frame, Raw, Say, Upgrade, Wait, expand, size

ASKED = [probe for probe in PROBES if probe.group in GROUPS]
GOLDEN = json.loads(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("probe", ASKED, ids=lambda probe: probe.id)
def test_bytes(probe: Probe) -> None:
    """What every case sends is what it sent; `python -m tests.fuzz.golden` for a change that is meant."""

    async def sent() -> dict[str, str]:
        return {case.name: await golden(probe, case) for case in probe.cases}

    assert asyncio.run(sent()) == GOLDEN.get(probe.id)


def test_nothing_is_golden_that_is_gone() -> None:
    """Ids and names of cases are what people refer to: each once."""
    assert list(GOLDEN) == [probe.id for probe in ASKED]
    for probe in ASKED:
        assert len({case.name for case in probe.cases}) == len(probe.cases), probe.id


def test_an_id_is_given_once() -> None:
    with pytest.raises(ValueError, match="two probes have the id F1"):
        by_id((BY_ID["F1"], BY_ID["F2"], structs.replace(BY_ID["F2"], id="F1")))


def test_the_catalogue_is_whole() -> None:
    """Each number of the research's table is there; H8 and F9 have only ever hurt clients."""
    servers = {probe.id for probe in ASKED if probe.attacks == "server"}
    clients = {probe.id for probe in ASKED if probe.attacks == "client"}
    assert {f"H{n}" for n in range(1, 14)} - servers == {"H8"}
    assert {f"F{n}" for n in range(1, 15)} - servers == {"F9"}
    assert {"H8", "F9", "H1C", "F5C", "F6C"} <= clients


@pytest.mark.parametrize("probe", ASKED, ids=lambda probe: probe.id)
def test_rows_keep_the_rules(probe: Probe) -> None:
    """Cases fit the bytes that may be sent; those against clients begin after the handshake, or with its answer."""
    for case in probe.cases:
        assert size(case) <= MAX_BYTES, case.name
        if probe.attacks == "client":
            assert all(isinstance(step, Answer | Frame | Raw | Say | Wait | Cut) for step in case.steps)
            assert not any(isinstance(step, Answer) for step in case.steps[1:])


def test_the_bomb_is_one() -> None:
    """F8: 64 KiB that become 64 MiB, in one frame or two, well-formed."""
    one, two = (_content(case) for case in BY_ID["F8"].cases)
    assert one == two
    assert len(one) < 68_000
    assert inflate(one, 1 << 30) == bytes(64 << 20)


def test_what_is_no_compression_is_none() -> None:
    """F10: what is to break an inflater does; what is compressed out of place is otherwise well-formed."""
    cases = {case.name: case for case in BY_ID["F10"].cases}
    for name in ("no kind of block", "what is not there"):
        with pytest.raises(zlib.error):
            inflate(_content(cases[name]), 1000)


def test_text_that_is_no_text() -> None:
    """F11: none of it is UTF-8, however it is cut."""
    for case in BY_ID["F11"].cases:
        content = _content(case)
        with pytest.raises(UnicodeDecodeError):
            (content[2:] if case.name == "a close's reason" else content).decode()


def test_a_handshake_goes_on_where_it_has_to() -> None:
    """H1: Node reads no more than 2,000 headers and 16 KiB of them; Upgrade is behind the former, within the latter."""
    (step,) = BY_ID["H1"].cases[0].steps
    assert isinstance(step, Upgrade)
    assert len(step.headers) > 2000
    assert sum(len(name) + len(value) + 4 for name, value in step.headers) < 15 * 1024
    assert step.leading


def _content(case: Case) -> bytes:
    return b"".join(expand(step.data) for step in case.steps if isinstance(step, Frame))
