"""Write what comes out of code: docs and the shipped tape. `--check` only tells whether they are up to date."""

import os
import sys
from pathlib import Path

os.environ["COLUMNS"] = "100"  # the help's width, whatever terminal this runs in
os.environ.pop("WSCTL_JWT_SECRET", None)

from chaos_reference import chaos_reference
from dialect_reference import dialect_reference
from example_tape import example_tape
from fuzz_reference import with_catalogue
from load_reference import load_reference
from scenario_reference import scenario_reference
from typer.main import get_command
from typer.testing import CliRunner

from wsctl.cli.app import app
from wsctl.errors import EXIT_MEANINGS

HERE = Path(__file__).parent
SCENARIOS = HERE.parent / "scenarios"
EXAMPLE = SCENARIOS / "reconnection.yaml"


def command_reference() -> str:
    """Each command's help, and the exit codes."""
    names = list(get_command(app).commands)
    parts = ["# Commands", "Written by `make docs` from the program's own help.", _help([])]
    parts += [f"## wsctl {name}\n\n{_help([name])}" for name in names]
    rows = "\n".join(f"| {code.value} | {meaning} |" for code, meaning in EXIT_MEANINGS.items())
    parts.append(f"## Exit codes\n\n| code | meaning |\n|---|---|\n{rows}")
    return "\n\n".join(parts) + "\n"


def _help(command: list[str]) -> str:
    result = CliRunner().invoke(app, [*command, "--help"], prog_name="wsctl", terminal_width=100)
    lines = (line.rstrip() for line in result.output.strip().splitlines())
    return "```\n" + "\n".join(lines) + "\n```"


def main() -> None:
    """Write, or check."""
    written = {
        HERE / "cli.md": command_reference().encode(),
        HERE / "scenarios.md": scenario_reference(EXAMPLE.read_text()).encode(),
        HERE / "load.md": load_reference().encode(),
        HERE / "chaos.md": chaos_reference().encode(),
        HERE / "dialects.md": dialect_reference().encode(),
        HERE / "fuzz.md": with_catalogue((HERE / "fuzz.md").read_text()).encode(),
        SCENARIOS / "tapes" / "binance.jsonl": example_tape(),
    }
    for file, data in written.items():
        if "--check" not in sys.argv:
            file.write_bytes(data)
        elif not file.exists() or file.read_bytes() != data:
            sys.exit(f"{file.relative_to(HERE.parent)} is not up to date; run: make docs")


if __name__ == "__main__":
    main()
