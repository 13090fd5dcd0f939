"""An option that would mean nothing to a fault is refused, wherever it is asked for; one that says nothing is not."""

from pathlib import Path

import pytest

from wsctl.chaos.asked import asked, read_fault
from wsctl.chaos.fault import FaultSpec
from wsctl.chaos.faults import FAULTS
from wsctl.errors import UsageError
from wsctl.scenario.read import read_scenarios

STREAMS = "whole streams are harmed; expected p_connection"
FLASH = "a flash cuts a share of all WebSockets, for the time of its outage; expected percent"
ENDS = "connections end all at once; expected which messages are meant"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("stall:p=0.5", f"p means nothing here: {STREAMS}"),
        ("stall:channel=X", f"channel means nothing here: {STREAMS}"),
        ("slow-reader:nth=2", f"nth means nothing here: {STREAMS}"),
        ("bandwidth:kind=ack", f"kind means nothing here: {STREAMS}"),
        ("flash:p_connection=0.5", f"p_connection means nothing here: {FLASH}"),
        ("flash:for=2s", f"for means nothing here: {FLASH}"),
        ("flash:direction=up", f"direction means nothing here: {FLASH}"),
        ("rolling-restart:p=0.5", "p means nothing here: upstreams are taken away in turn"),
        ("reject:symbol=BTC/USDT", "symbol means nothing here: handshakes are refused"),
        ("slow-open:what=open-packet,direction=up", "direction means nothing here: handshakes are slowed"),
        ("limit:attempts=1,nth=2", "nth means nothing here: whatever a client asks for and says is counted"),
        ("ping-blackhole:event=x", "event means nothing here: heartbeats vanish"),
        ("epoch-reset:kind=ack", "kind means nothing here: what is renumbered is events"),
        ("cut:direction=up", f"direction means nothing here: {ENDS}"),
        ("close:for=5s", f"for means nothing here: {ENDS}"),
    ],
)
def test_what_a_fault_does_not_heed(fault: str, error: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_fault(fault)
    assert raised.value.message.startswith(f"fault {fault}: {error}")


@pytest.mark.parametrize("name", [".", "..", "a/b", "{name}", "}"])
def test_a_name_that_no_path_holds(name: str) -> None:
    """Control could neither show it nor take it away."""
    with pytest.raises(UsageError, match="no fault can be called"):
        asked("drop", {}, name=name)
    assert read_fault("drop:name=.a..").name == ".a.."


@pytest.mark.parametrize("location", ["/ä€", "/a\r\nSet-Cookie: b", "/\x7f"])
def test_a_location_that_no_header_holds(location: str) -> None:
    with pytest.raises(UsageError, match="expected printable ASCII, as in a header"):
        asked("reject", {"status": 302, "location": location})
    assert asked("reject", {"status": 302, "location": "https://feed.example/a?b=%C3%A4"}).type == "reject"


@pytest.mark.parametrize(
    "fault",
    [
        "flash:p=1,p_connection=1.0,direction=down",
        "cut:direction=up,nth=3,for=5s",
        "close:kind=ack,direction=both",
        "stall:p_connection=0.5,direction=both,times=3,for=1s,every=2s",
        "reject:p=0.5,nth=2,times=3",
    ],
)
def test_what_says_nothing_or_means_something(fault: str) -> None:
    assert read_fault(fault).type in FAULTS


def test_in_a_scenario(tmp_path: Path) -> None:
    """The actions are made of the faults' own options; the error has its place."""
    file = tmp_path / "scenario.yaml"
    file.write_text(
        "name: x\nservices:\n  feed: {serve: {}}\n  proxy: {chaos: {upstream: feed}}\nsteps:\n"
        "  - subscribe: {symbols: BTC/USDT, duration: 9s, target: proxy}\n"
        "    during:\n      - {at: 1s, drop: {p: 0.5}}\n      - {at: 1s, stall: {channel: X, within: 2s}}\n"
    )
    with pytest.raises(UsageError, match=f"scenario.yaml:9:.*channel means nothing here: {STREAMS}"):
        read_scenarios([file], {})


def test_what_is_refused_is_a_key_of_all_faults() -> None:
    """And says what to do instead."""
    known = {*FaultSpec.__struct_encode_fields__}
    for fault in FAULTS.values():
        assert known >= {*fault.options.unheeded}
        assert bool(fault.options.unheeded) is bool(fault.options.instead)
