"""What every listener is told."""

import argparse

PATIENCE = 60.0  # seconds for connections to come up, and for a window to end


def parse(description: str | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--url", required=True, help="http://host:port")
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--symbols", required=True, help="with commas; each client listens to one, round robin")
    parser.add_argument("--warmup", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    return parser.parse_args()
