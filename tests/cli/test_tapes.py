"""A recording is judged as it is: options about a live feed make no sense with it."""

import json
from pathlib import Path

import pytest

from tests.cli.program import wsctl

LIVE = "is about a live feed; a recording is judged as it is"
HELP = "\n  hint: wsctl ordering-check --help\n"
LINE = (
    '{"received_at":1.0,"conn":"c1","channel":"c","event":"e","epoch":"x","seq":%d,'
    '"sent_at":null,"latency_ms":null,"data":{}}\n'
)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """A recording of three messages in order."""
    (tmp_path / "tape.jsonl").write_text("".join(LINE % seq for seq in (1, 2, 3)))
    return tmp_path


def test_options_about_a_live_feed(tape: Path) -> None:
    """With a recording each of them is a usage error that names it."""
    options = {
        "--tape tape.jsonl --url http://127.0.0.1:1": "--url",
        "--url http://127.0.0.1:1 --tape tape.jsonl --format json": "--url",
        "--tape tape.jsonl --event price:update": "--event",
        "--tape tape.jsonl --duration 10s": "--duration",
        "--tape tape.jsonl --trace": "--trace",
        "- --event price:update": "--event",
    }
    for line, name in options.items():
        result = wsctl("ordering-check", *line.split(), cwd=tape)
        assert result == (2, "", f"wsctl: error: {name} {LIVE}{HELP}"), line


def test_two_recordings(tape: Path) -> None:
    """stdin beside --tape is one recording too many."""
    result = wsctl("ordering-check", "-", "--tape", "tape.jsonl", cwd=tape)
    message = "give symbols to check a feed, or --tape to check a recording, not both"
    assert result == (2, "", f"wsctl: error: {message}{HELP}")


def test_a_file_is_no_symbol(tape: Path) -> None:
    """Whoever forgets --tape is told so, and nothing is connected."""
    result = wsctl("ordering-check", "tape.jsonl", cwd=tape)
    said = "wsctl: error: tape.jsonl is a file; expected a symbol\n  hint: --tape tape.jsonl checks a recording\n"
    assert result == (2, "", said)


FRAME = '{"at":%d,"conn":"c1","dir":"in","text":"42[\\"price:update\\",{\\"channel\\":\\"c\\",\\"seq\\":%s"}\n'


@pytest.mark.parametrize(
    ("count", "how_many", "left_out"), [(1, "1 frame", "1 frame is"), (100, "100 frames", "100 frames are")]
)
@pytest.mark.parametrize(("lost", "verdict"), [(0, "unverifiable"), (1, "fail")])
def test_frames_that_cannot_be_read(
    tmp_path: Path, lost: int, verdict: str, count: int, how_many: str, left_out: str
) -> None:
    """Each may have been a message, so that nothing passes; what else is wrong stays so."""
    header = '{"wsctl":"tape","version":1,"dialect":"socketio","url":null,"started_at":1.0,"clock":"monotonic"}\n'
    whole = [FRAME % (seq, f"{seq + lost * (seq > 1)}}}]") for seq in (1, 2, 3)]
    (tmp_path / "tape.jsonl").write_text(header + "".join(whole + [FRAME % (4, "4 broken")] * count))
    result = wsctl("ordering-check", "--tape", "tape.jsonl", cwd=tmp_path)
    assert (result.code, result.out.splitlines()[-1]) == (1, f"verdict: {verdict} ({how_many} could not be read)")
    assert result.err.startswith(f"{left_out} not socketio; left out: tape.jsonl:5: ")
    told = json.loads(wsctl("ordering-check", "--tape", "tape.jsonl", "--format", "json", cwd=tmp_path).out)
    assert (told["verdict"], told["malformed"], told["channels"]["c"]["messages"]) == (verdict, count, 3)


def test_what_is_configured_is_not_given(tape: Path) -> None:
    """A target in the environment or in wsctl.yaml stands in nobody's way."""
    (tape / "wsctl.yaml").write_text("feeds:\n  local: {url: 'http://127.0.0.1:3000'}\n")
    env = {"WSCTL_URL": "http://127.0.0.1:1", "WSCTL_TOKEN": "x"}
    result = wsctl("ordering-check", "--tape", "tape.jsonl", cwd=tape, env=env)
    assert (result.code, result.err) == (0, "")
