"""The lying peer itself: what a plan makes of a stream."""

import subprocess
import sys

import pytest

from tests.peers.plan import Message, script


@pytest.mark.parametrize(
    ("plan", "seqs"),
    [
        ("", [1, 2, 3, 4, 5, 6]),
        ("drop 2-3", [1, 4, 5, 6]),
        ("repeat 2", [1, 2, 2, 3, 4, 5, 6]),
        ("swap 2", [1, 3, 2, 4, 5, 6]),
        ("fall 4", [1, 2, 3, 4, 1, 2]),
        ("drop 2, repeat 4, swap 5", [1, 3, 4, 4, 6, 5]),
    ],
)
def test_plan(plan: str, seqs: list[int]) -> None:
    """Each lie happens at its place and nowhere else."""
    assert [message.seq for message in script(plan, 6) if isinstance(message, Message)] == seqs


def test_restart() -> None:
    """A restart numbers from 1 under another epoch."""
    assert script("restart 2", 4) == [Message(1, 1), Message(1, 2), Message(2, 1), Message(2, 2)]


@pytest.mark.parametrize("plan", ["drop", "lose 3", "drop x"])
def test_bad_plan(plan: str) -> None:
    """A plan that nobody understands is an error, not an honest feed."""
    with pytest.raises(ValueError, match="bad lie"):
        script(plan, 5)


def test_runs_by_hand() -> None:
    """`python -m tests.peers NAME` starts a peer and says where it is."""
    peer = [sys.executable, "-m", "tests.peers", "liar", "BTC/USDT=drop 7-9"]
    done = subprocess.run(peer, input="", capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("http://127.0.0.1:")
