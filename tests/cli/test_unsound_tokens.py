"""Secrets and tokens that are not sound, at the real programs."""

import jwt

from tests.cli.conftest import Serve
from tests.cli.program import wsctl

SECRET = "long enough for every version of the library"
EMPTY = "wsctl: error: the JWT secret is empty; expected some text\n"


def test_an_empty_secret_of_serve() -> None:
    """serve refuses an empty secret with one sentence."""
    assert wsctl("serve", "--port", "0", "--jwt-secret", "") == (2, "", EMPTY)


def test_an_empty_secret_of_token() -> None:
    """token refuses it, too."""
    assert wsctl("token", "--user", "alice", "--jwt-secret", "") == (2, "", EMPTY)


def test_an_id_that_would_write_into_the_log(serve: Serve) -> None:
    """A signed token with a line break, an escape or a page of text in its `sub` is refused; the log repeats none."""
    server = serve("--jwt-secret", SECRET, "--rate", "50")
    before = len(server.err)
    for bad in ("x\n00:00:00 connected 127.0.0.1 as mallory", "\x1b[2Jmallory", "mallory" * 20):
        token = jwt.encode({"sub": bad}, SECRET, algorithm="HS256")
        result = wsctl("subscribe", "BTC/USDT", "--url", server.url, "--token", token, "--count", "1")
        assert (result.code, result.out) == (3, "")
        assert result.err.splitlines()[0] == f"wsctl: error: {server.url} refused the connection: Authentication error"
    server.wait_err(" refused 127.0.0.1:", 3)
    token = jwt.encode({"sub": "alice"}, SECRET, algorithm="HS256")
    assert wsctl("subscribe", "BTC/USDT", "--url", server.url, "--token", token, "--count", "1").code == 0
    server.wait_err(" connected 127.0.0.1:")
    log = server.err[before:]
    assert not [line for line in log if "mallory" in line or "\x1b" in line]
    (joined,) = (line for line in log if " connected 127.0.0.1:" in line)
    assert joined.endswith(" as alice")
