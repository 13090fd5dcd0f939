"""Private channels, watched by the user they belong to."""

from tests.cli.conftest import Serve
from tests.cli.program import wsctl


def test_a_users_bots_and_notices(serve: Serve) -> None:
    """--bots and --notifications print status, trades, positions, balances as Observations, in order."""
    feed = serve("--rate", "50", "--seed", "1")
    token = wsctl("token", "--user", "alice").out.strip()
    options = ("--bots", "--notifications", "--url", feed.url, "--token", token)
    result = wsctl("subscribe", *options, "--count", "40")
    assert result.code == 0
    events = {line["event"] for line in result.observations}
    assert {"bot:subscribed", "bot:status", "bot:position", "bot:trade", "balance:update"} <= events
    assert {line["data"]["botId"] for line in result.observations if line["event"] == "bot:status"} == {
        "alice-bot-1",
        "alice-bot-2",
        "alice-bot-3",
    }
    judged = wsctl("ordering-check", "-", stdin=result.out.encode())
    assert judged.code == 0, judged.out


def test_other_peoples_channels_are_closed(serve: Serve) -> None:
    """Another user's bot is refused in the server's words; without a token there are no bots."""
    feed = serve("--rate", "50")
    token = wsctl("token", "--user", "mallory").out.strip()
    wsctl("emit", "bot:subscribe", "--url", feed.url, "--token", wsctl("token", "--user", "alice").out.strip())
    refused = wsctl("subscribe", "--channel", "bot:alice-bot-1:status", "--url", feed.url, "--token", token)
    assert refused == (3, "", "wsctl: error: channel:subscribe was refused: Access denied\n")
    nobody = wsctl("subscribe", "--bots", "--url", feed.url)
    assert nobody.code == 3
    assert nobody.err.startswith("wsctl: error: bot:subscribe was refused: bots need a token\n")
