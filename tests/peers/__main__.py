"""Run a peer by hand: `python -m tests.peers liar 'BTC/USDT=drop 7-9, repeat 12'`."""

import argparse
import contextlib
import sys

from tests.peers.background import Background
from tests.peers.liar import Liar
from tests.peers.relay import Relay


def main() -> None:
    """Start one peer; it ends with Ctrl-C, or when its stdin does."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers", description=__doc__)
    peers = parser.add_subparsers(dest="peer", required=True)
    liar = peers.add_parser("liar", help="a price feed that lies at known places (see tests/peers/plan.py)")
    liar.add_argument("plans", nargs="+", metavar="SYMBOL=PLAN")
    liar.add_argument("--length", type=int, default=1000, help="messages in each stream")
    liar.add_argument("--without", action="append", default=[], choices=["seq", "epoch"])
    liar.add_argument("--envelope", action="store_true", help="{seq, payload} as event `data`")
    blocker = peers.add_parser("ws_blocker", help="a relay that answers WebSocket handshakes with 403")
    stall = peers.add_parser("stall", help="a relay that each line on stdin stops, or lets go on")
    for peer in (blocker, stall):
        peer.add_argument("upstream", type=int, help="port to relay to")
    for peer in (liar, blocker, stall):
        peer.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    background = Background()
    with contextlib.suppress(KeyboardInterrupt), _make(arguments, background) as running:
        print(running.url, flush=True)
        _stay(running if arguments.peer == "stall" else None)
    background.stop()


def _make(arguments: argparse.Namespace, background: Background) -> Liar | Relay:
    if arguments.peer == "liar":
        plans = dict(text.partition("=")[::2] for text in arguments.plans)
        without = tuple(arguments.without)
        envelope = arguments.envelope
        return Liar(background, plans, length=arguments.length, without=without, envelope=envelope, port=arguments.port)
    block = "403" if arguments.peer == "ws_blocker" else None
    return Relay(background, arguments.upstream, block=block, port=arguments.port)


def _stay(stalling: Relay | None) -> None:
    stalled = False
    for _ in sys.stdin:
        if stalling is None:
            continue
        stalled = not stalled
        stalling.stall() if stalled else stalling.go_on()
        print("stalled" if stalled else "going on", flush=True)


main()
