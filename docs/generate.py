"""Write the docs that come out of code: commands, scenarios, profiles. `--check` tells whether all is up to date."""

import os
import sys
from pathlib import Path

os.environ["COLUMNS"] = "100"  # the help's width, whatever terminal this runs in
os.environ.pop("WSCTL_JWT_SECRET", None)

from load_reference import load_reference
from scenario_reference import scenario_reference
from typer.main import get_command
from typer.testing import CliRunner

from wsctl.cli.app import app
from wsctl.errors import EXIT_MEANINGS

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "scenarios" / "reconnection.yaml"


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
    pages = {
        "cli.md": command_reference(),
        "scenarios.md": scenario_reference(EXAMPLE.read_text()),
        "load.md": load_reference(),
    }
    for name, text in pages.items():
        page = HERE / name
        if "--check" not in sys.argv:
            page.write_text(text)
        elif not page.exists() or page.read_text() != text:
            sys.exit(f"docs/{name} is not up to date; run: make docs")


if __name__ == "__main__":
    main()
