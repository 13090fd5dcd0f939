"""What happens to a server while it is under load."""

from pathlib import Path

import pytest

from tests.scenario.runs import run

FLASH = """\
name: A flash under load
services:
  feed: {serve: {symbols: [BTC/USDT, ETH/USDT], rate: 20}}
steps:
  - name: load
    load: {symbols: BTC/USDT, users: 6, ramp: 0, duration: 4s, reconnect: {delay: 100ms, delay_max: 200ms}}
    during: [{at: 0, flash: {percent: 50}}]
    expect: {connections.closed: 3, connections.asked: 6, connections.receiving: 6}
"""


@pytest.mark.timeout(120)
def test_a_flash_cuts_users_of_a_load_and_the_load_says_that_they_are_back(tmp_path: Path) -> None:
    done = run(tmp_path, FLASH)
    assert done.code == 0, done.result
    assert "flash: 3 connections cut" in done.result.err + done.result.out
